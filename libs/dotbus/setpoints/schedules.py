"""Schedules: what holds for one resource, folded from events one at a time. Pure and frozen; a fold makes a new entry.

How the trajectory is assembled, and why so: docs/decisions/0003-trajectory-assembly.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

import msgspec

from dotbus.contracts.curves import PointOrder, point_order
from dotbus.contracts.instruction_states import Status
from dotbus.contracts.messages import Dispatch, Dot, DotInterval, Trajectory, TrajectoryBatch, TrajectoryPoint, WithdrawnBatch
from dotbus.contracts.schedules import DOT_BATCH_TYPES, Schedule, of_schedule, rank
from dotbus.setpoints.intervals import dot_intervals, open_until, tells_age, trajectory_points

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class DotSchedule:
    """The DOTs of one resource in the order of their intervals. `received_at` is when the newest came.

    `withdrawn` are batches that ask nothing of the resource though their intervals last still, each with the revision that says
    so: what an older one says holds no more, whoever says it and whenever.
    """

    intervals: tuple[DotInterval, ...] = ()
    received_at: datetime | None = None
    withdrawn: tuple[WithdrawnBatch, ...] = ()

    @classmethod
    def of_state(cls, state: Dot) -> Self:
        """The entry that a published state was made from."""
        intervals = tuple(msgspec.structs.replace(interval, reasons=()) for interval in state.intervals)
        return cls(intervals, state.received_at, state.withdrawn)

    @property
    def ends_at(self) -> datetime | None:
        """When the last interval ends, also of what was withdrawn, which another source may hold. None without any."""
        ends = (interval.interval_end for interval in self.intervals)
        return max((*ends, *(batch.until for batch in self.withdrawn)), default=None)

    def with_dispatch(self, dispatch: Dispatch) -> Self:
        """With a batch in it: all that an older revision of it said is replaced; an older revision than is known is ignored."""
        batch_uid, revision = dispatch.batch.batch_uid, dispatch.batch.revision_no
        if revision is not None and revision < self._known_revision(batch_uid):
            return self
        added = dot_intervals(dispatch)
        if not added:
            return self.without_batch(batch_uid, revision, _withdrawn_until(dispatch))
        if revision is not None and batch_uid in self._withdrawn_from(revision):
            return self
        known = {interval.instruction_uid: interval for interval in self.intervals if interval.batch_uid == batch_uid}
        if not tells_age(dispatch.batch):
            added = tuple(_as_old_as(interval, known.get(interval.instruction_uid)) for interval in added)
        others = [interval for interval in self.intervals if interval.batch_uid != batch_uid]
        is_news = {interval.instruction_uid: interval for interval in added} != known
        received = max(dispatch.time, self.received_at or dispatch.time) if is_news else self.received_at
        withdrawn = tuple(batch for batch in self.withdrawn if batch.batch_uid != batch_uid)
        return replace(self, intervals=_in_order((*others, *added)), received_at=received, withdrawn=withdrawn)

    def without_batch(self, batch_uid: str, revision_no: int | None = None, until: datetime | None = None) -> Self:
        """Without the DOTs of a batch, which was cancelled or whose revision does not name the resource any more.

        An older revision than is known is ignored: of several accounts one may hear of it late.

        That it is withdrawn is kept until the last of its intervals ends, also when it was never held here: another source may
        hold it still.

        Args:
            batch_uid: which batch.
            revision_no: that says so, None when it is not known.
            until: when the last that the batch instructs ends, None when it is not known.
        """
        if revision_no is not None and revision_no < self._known_revision(batch_uid):
            return self
        gone = [interval for interval in self.intervals if interval.batch_uid == batch_uid]
        said = [batch for batch in self.withdrawn if batch.batch_uid == batch_uid]
        ends = [*(interval.interval_end for interval in gone), *(batch.until for batch in said), *([until] if until else [])]
        if not ends:
            return self
        revision = max(revision_no or 0, self._known_revision(batch_uid)) or None
        withdrawn = WithdrawnBatch(batch_uid=batch_uid, until=max(ends), revision_no=revision)
        rest = tuple(interval for interval in self.intervals if interval.batch_uid != batch_uid)
        others = (batch for batch in self.withdrawn if batch.batch_uid != batch_uid)
        return replace(self, intervals=rest, withdrawn=tuple(sorted((*others, withdrawn), key=lambda batch: batch.batch_uid)))

    def reopened(self, batch_uid: str, revision_no: int | None) -> Self:
        """Where a batch may come back in the revision that withdrew it: accounts were told different things of that."""
        revision = revision_no or 0
        kept = (batch for batch in self.withdrawn if batch.batch_uid != batch_uid or (batch.revision_no or 0) > revision)
        return replace(self, withdrawn=tuple(kept))

    def _withdrawn_from(self, revision_no: int) -> set[str]:
        """The batches that are withdrawn in a revision or a higher one: what is withdrawn comes back in a higher one only."""
        return {batch.batch_uid for batch in self.withdrawn if (batch.revision_no or 0) >= revision_no}

    def _known_revision(self, batch_uid: str) -> int:
        """The highest revision of a batch that was held or withdrawn; 0 without any."""
        held = (interval.revision_no or 0 for interval in self.intervals if interval.batch_uid == batch_uid)
        withdrawn = (batch.revision_no or 0 for batch in self.withdrawn if batch.batch_uid == batch_uid)
        return max((*held, *withdrawn), default=0)

    def pruned(self, now: datetime) -> Self:
        """Without what is past, save the last of each schedule, at which its ramp begins, and what contradicts that one."""
        withdrawn = tuple(batch for batch in self.withdrawn if batch.until > now)
        past = [interval for interval in self.intervals if interval.interval_end <= now]
        if len(past) < 2:  # noqa: PLR2004  # it is the last of its schedule
            return self if withdrawn == self.withdrawn else replace(self, withdrawn=withdrawn)
        last = [max(of_one, key=_precedence) for schedule in Schedule if (of_one := of_schedule(past, schedule))]
        kept = [one for one in past if any(is_beside(one, each) for each in last)]
        rest = tuple(interval for interval in self.intervals if interval.interval_end > now or interval in kept)
        return replace(self, intervals=rest, withdrawn=withdrawn)


@dataclass(frozen=True)
class TrajectoryCurve:
    """The curve of one resource in the order of its points. `latest` is the last point of the newest batch."""

    points: tuple[TrajectoryPoint, ...] = ()
    latest: TrajectoryPoint | None = None
    received_at: datetime | None = None

    @classmethod
    def of_state(cls, state: Trajectory) -> Self:
        """The entry that a published state was made from."""
        return cls(state.points, state.latest, state.received_at)

    @property
    def ends_at(self) -> datetime | None:
        """The target time of the last point; None when there is none."""
        return max((point.target_at for point in self.points), default=None)

    def with_batch(self, batch: TrajectoryBatch) -> Self:
        """With the points of a batch: a newer batch replaces older points at or after its first target time.

        Of what is as new nothing replaces anything: all of it is held, whatever the order in which it comes (`contradicts`).
        """
        added = self._added(batch)
        if not added:
            return self
        received = _received(added[0])
        uid = batch.batch.batch_uid
        kept_old = (
            p for p in self.points if p.batch_uid == uid or _received(p) >= received or p.target_at < added[0].target_at
        )
        is_latest = self.latest is None or _received(self.latest) <= received
        last = max([*added, *([self.latest] if self.latest and _received(self.latest) == received else [])], key=_place)
        is_news = is_latest and (self.latest is None or self.latest.batch_uid != batch.batch.batch_uid)
        return replace(
            self,
            points=tuple(sorted({*kept_old, *self._not_replaced(added)}, key=_place)),
            latest=last if is_latest else self.latest,
            received_at=max(batch.time, self.received_at or batch.time) if is_news else self.received_at,
        )

    def contradicts(self, batch: TrajectoryBatch, now: datetime) -> bool:
        """Whether what is held and is as new as a batch, under its UID or another's, says otherwise of what is not past.

        Nothing tells which of the two replaces the other. Of what is called advisory this time nothing holds.
        """
        added = self._added(batch)
        received = _received(added[0]) if added else None
        held = [point for point in self.points if point.batch_uid == batch.batch.batch_uid or _received(point) == received]
        said, holds = (
            {(point_order(point), point.dop_mw) for point in TrajectoryCurve(tuple(points)).pruned(now).points}
            for points in (self._not_replaced(added), held)
        )
        return bool(held) and said != holds

    def _added(self, batch: TrajectoryBatch) -> list[TrajectoryPoint]:
        points = trajectory_points(batch)
        return sorted(points if tells_age(batch.batch) else self._as_old_as_known(points), key=_place)

    def _not_replaced(self, added: Sequence[TrajectoryPoint]) -> list[TrajectoryPoint]:
        """The points of a batch that none of a newer one replaces."""
        others = [point for point in self.points if added and point.batch_uid != added[0].batch_uid]
        newer = [point.target_at for point in others if _received(point) > _received(added[0])]
        return [point for point in added if not newer or point.target_at < min(newer)]

    def _as_old_as_known(self, points: Sequence[TrajectoryPoint]) -> list[TrajectoryPoint]:
        """Points of a batch that is known already are no younger for being read again."""
        known = [*self.points, *([self.latest] if self.latest else [])]
        times = {point.batch_uid: _received(point) for point in known}
        return [
            msgspec.structs.replace(
                point, batch_received_at=min(_received(point), times.get(point.batch_uid, _received(point)))
            )
            for point in points
        ]

    def pruned(self, now: datetime) -> Self:
        """Without what is past, save the last point of it, from which the curve goes on, and others at its place."""
        last = max((point_order(point) for point in self.points if point.target_at <= now), default=None)
        kept = tuple(point for point in self.points if point.target_at > now or point_order(point) == last)
        return replace(self, points=kept) if len(kept) < len(self.points) else self


def is_beside(one: DotInterval, last: DotInterval) -> bool:
    """Whether a DOT is the last one past, or as good as that for a part of its time."""
    overlap = one.interval_start < last.interval_end and last.interval_start < one.interval_end
    return overlap and rank(one) == rank(last)


def _withdrawn_until(dispatch: Dispatch) -> datetime | None:
    """Until when another source may hold DOTs of a batch that asks nothing here; None when none can have any."""
    header = dispatch.batch
    if header.batch_type not in DOT_BATCH_TYPES or header.batch_status == Status.NEW:
        return None
    return open_until(header, dispatch.instructions)


def _as_old_as(interval: DotInterval, known: DotInterval | None) -> DotInterval:
    """A DOT that is known already is no younger for being read again."""
    if known is None or _received_dot(known) >= _received_dot(interval):
        return interval
    return msgspec.structs.replace(interval, batch_received_at=known.batch_received_at)


def _in_order(intervals: Sequence[DotInterval]) -> tuple[DotInterval, ...]:
    return tuple(sorted(intervals, key=_interval_order))


def _interval_order(interval: DotInterval) -> tuple[datetime, datetime, str]:
    return interval.interval_start, _received_dot(interval), interval.instruction_uid


def _precedence(interval: DotInterval) -> tuple[datetime, datetime, int, str]:
    """Of several that end together the one that replaced the others is the last, as in the gateway."""
    return interval.interval_end, _received_dot(interval), interval.revision_no or 0, interval.instruction_uid


def _received_dot(interval: DotInterval) -> datetime:
    return interval.batch_received_at or _LONG_AGO


def _received(point: TrajectoryPoint) -> datetime:
    return point.batch_received_at or _LONG_AGO


def _place(point: TrajectoryPoint) -> tuple[PointOrder, float, str]:
    """The order on the curve; of equals, which contradict each other, only to be certain."""
    return point_order(point), point.dop_mw, point.batch_uid
