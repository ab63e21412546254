"""Books: what holds for one resource, folded from events one at a time. Pure and frozen; a fold makes a new book.

How the trajectory is assembled, and why so: docs/decisions/0003-trajectory-assembly.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from ads_ingest.intervals import dot_intervals, trajectory_points
from dotbus.contracts.messages import Dispatch, Dot, DotInterval, Trajectory, TrajectoryBatch, TrajectoryPoint, WithdrawnBatch

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class DotBook:
    """The DOTs of one resource in the order of their intervals. `received_at` is when the newest came.

    `withdrawn` are the batches that held DOTs whose intervals last still.
    """

    intervals: tuple[DotInterval, ...] = ()
    received_at: datetime | None = None
    withdrawn: tuple[WithdrawnBatch, ...] = ()

    @classmethod
    def of_state(cls, state: Dot) -> Self:
        """The book that a published state was made from."""
        return cls(state.intervals, state.received_at, state.withdrawn)

    @property
    def ends_at(self) -> datetime | None:
        """When the last interval ends; None when there is none."""
        return max((interval.interval_end for interval in self.intervals), default=None)

    def with_dispatch(self, dispatch: Dispatch) -> Self:
        """With a batch in it: all that an older revision of it said is replaced; an older revision than is known is ignored."""
        known = [interval for interval in self.intervals if interval.batch_uid == dispatch.batch.batch_uid]
        revision = dispatch.batch.revision_no
        if revision is not None and any((interval.revision_no or 0) > revision for interval in known):
            return self
        added = dot_intervals(dispatch)
        if not added:
            return self.without_batch(dispatch.batch.batch_uid, revision)
        others = [interval for interval in self.intervals if interval.batch_uid != dispatch.batch.batch_uid]
        received = dispatch.time if self.received_at is None or dispatch.time > self.received_at else self.received_at
        withdrawn = tuple(batch for batch in self.withdrawn if batch.batch_uid != dispatch.batch.batch_uid)
        return replace(self, intervals=_in_order((*others, *added)), received_at=received, withdrawn=withdrawn)

    def without_batch(self, batch_uid: str, revision_no: int | None = None) -> Self:
        """Without the DOTs of a batch, which was cancelled or which a revision does not name any more."""
        gone = [interval for interval in self.intervals if interval.batch_uid == batch_uid]
        if not gone:
            return self
        revision = max(revision_no or 0, *(interval.revision_no or 0 for interval in gone))
        until = max(interval.interval_end for interval in gone)
        withdrawn = WithdrawnBatch(batch_uid=batch_uid, until=until, revision_no=revision or None)
        rest = tuple(interval for interval in self.intervals if interval.batch_uid != batch_uid)
        return replace(self, intervals=rest, withdrawn=(*self.withdrawn, withdrawn))

    def pruned(self, now: datetime) -> Self:
        """Without what is past, save the last."""
        withdrawn = tuple(batch for batch in self.withdrawn if batch.until > now)
        past = [interval for interval in self.intervals if interval.interval_end <= now]
        if len(past) <= 1:
            return replace(self, withdrawn=withdrawn)
        last = max(past, key=lambda interval: (interval.interval_end, *_interval_order(interval)))
        rest = tuple(interval for interval in self.intervals if interval is last or interval.interval_end > now)
        return replace(self, intervals=rest, withdrawn=withdrawn)


@dataclass(frozen=True)
class TrajectoryBook:
    """The curve of one resource in the order of its points. `latest` is the last point of the newest batch."""

    points: tuple[TrajectoryPoint, ...] = ()
    latest: TrajectoryPoint | None = None
    received_at: datetime | None = None

    @classmethod
    def of_state(cls, state: Trajectory) -> Self:
        """The book that a published state was made from."""
        return cls(state.points, state.latest, state.received_at)

    @property
    def ends_at(self) -> datetime | None:
        """The target time of the last point; None when there is none."""
        return max((point.target_at for point in self.points), default=None)

    def with_batch(self, batch: TrajectoryBatch) -> Self:
        """With the points of a batch: a newer batch replaces older points at or after its first target time."""
        added = sorted(trajectory_points(batch), key=_point_order)
        if not added:
            return self
        others = [point for point in self.points if point.batch_uid != batch.batch.batch_uid]
        received = _received(added[0])
        newer = [point.target_at for point in others if _received(point) > received]
        kept_old = (p for p in others if _received(p) > received or p.target_at < added[0].target_at)
        kept_new = (point for point in added if not newer or point.target_at < min(newer))
        latest = added[-1] if self.latest is None or _received(self.latest) <= received else self.latest
        heard = max(batch.time, self.received_at or batch.time)
        return replace(self, points=tuple(sorted((*kept_old, *kept_new), key=_point_order)), latest=latest, received_at=heard)

    def pruned(self, now: datetime) -> Self:
        """Without what is past, save the last point of it, from which the curve goes on."""
        past = sum(point.target_at <= now for point in self.points)
        return replace(self, points=self.points[past - 1 :]) if past > 1 else self


def _in_order(intervals: Sequence[DotInterval]) -> tuple[DotInterval, ...]:
    return tuple(sorted(intervals, key=_interval_order))


def _interval_order(interval: DotInterval) -> tuple[datetime, datetime, str]:
    return interval.interval_start, interval.batch_received_at or _LONG_AGO, interval.instruction_uid


def _received(point: TrajectoryPoint) -> datetime:
    return point.batch_received_at or _LONG_AGO


def _point_order(point: TrajectoryPoint) -> tuple[datetime, datetime, int]:
    """The order that the specification gives (section 6, sequenceNumber)."""
    return point.target_at, _received(point), point.sequence_number or 0
