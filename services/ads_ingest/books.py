"""Books: what holds for one resource, folded from events one at a time. Pure and frozen; a fold makes a new book.

How the trajectory is assembled, and why so: docs/decisions/0003-trajectory-assembly.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from ads_ingest.intervals import dot_intervals, trajectory_points
from dotbus.contracts.messages import Dispatch, Dot, DotInterval, Trajectory, TrajectoryBatch, TrajectoryPoint

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class DotBook:
    """The DOTs of one resource in the order of their intervals. `received_at` is when the newest came."""

    intervals: tuple[DotInterval, ...] = ()
    received_at: datetime | None = None

    @classmethod
    def of_state(cls, state: Dot) -> Self:
        """The book that a published state was made from."""
        return cls(state.intervals, state.received_at)

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
        others = self.without_batch(dispatch.batch.batch_uid).intervals
        received = dispatch.time if added and (self.received_at is None or dispatch.time > self.received_at) else None
        return replace(self, intervals=_in_order((*others, *added)), received_at=received or self.received_at)

    def without_batch(self, batch_uid: str) -> Self:
        """Without the DOTs of a batch, which was cancelled."""
        return replace(self, intervals=tuple(i for i in self.intervals if i.batch_uid != batch_uid))

    def pruned(self, now: datetime) -> Self:
        """Without what is past, save the last."""
        past = [interval for interval in self.intervals if interval.interval_end <= now]
        if len(past) <= 1:
            return self
        last = max(past, key=lambda interval: (interval.interval_end, *_interval_order(interval)))
        return replace(self, intervals=tuple(i for i in self.intervals if i is last or i.interval_end > now))


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
