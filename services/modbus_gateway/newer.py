"""Newer: whether what one source says is known by another to be out of date. Pure.

Two ingests ask CAISO at different times. What the slower one says last is not the last word: it may not have heard of a
revision, a cancel or a newer batch that the other knows.
"""

from datetime import datetime

from dotbus.contracts.messages import Dot, Lmp, Trajectory
from modbus_gateway.received import StateMessage


def is_behind(one: StateMessage, other: StateMessage) -> bool:
    """Whether `other` knows of something newer than `one` does."""
    match one, other:
        case Dot(), Dot():
            return _is_dot_behind(one, other)
        case Trajectory(), Trajectory():
            return _is_later(*(state.latest.batch_received_at if state.latest else None for state in (other, one)))
        case Lmp(), Lmp():
            return _is_later(*(state.published.interval_start if state.published else None for state in (other, one)))
        case _:
            return False


def _is_later(at: datetime | None, than: datetime | None) -> bool:
    return at is not None and (than is None or at > than)


def _is_dot_behind(one: Dot, other: Dot) -> bool:
    """A batch of which `other` has a higher revision, or which it knows to be withdrawn."""
    revised = {interval.batch_uid: interval.revision_no or 0 for interval in other.intervals}
    gone = {batch.batch_uid: batch.revision_no or 0 for batch in other.withdrawn}
    return any(
        revised.get(interval.batch_uid, -1) > (interval.revision_no or 0)
        or gone.get(interval.batch_uid, -1) >= (interval.revision_no or 0)
        for interval in one.intervals
    )
