"""Doubts: whose states, and which DOTs, are made of something that is not known, and the reasons that this is to readers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from caiso.ads import records
from dotbus.contracts.messages import Dot, DotInterval, Instructions, Trajectory, TrajectoryBatch, TrajectoryPoint
from dotbus.contracts.quality import Reason
from dotbus.contracts.schedules import Schedule, schedules_of
from dotbus.setpoints.intervals import trajectory_points
from dotbus.setpoints.schedules import TrajectoryCurve

Reasons = tuple[str, ...]
INCOMPLETE: Reasons = (Reason.INCOMPLETE.value,)
FAILING: Reasons = (Reason.SOURCE_FAILING.value,)
"""Said in a state where the source has several upstreams of one kind, so that its status does not tell."""
UNTOLD_LENGTH = timedelta(hours=1)
"""How long a batch may last that tells no time: a dispatch without its start, a trajectory without a target time."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Doubts:
    """Whose states are made of something that is not known: of some resources, or of everyone."""

    resources: frozenset[str] = frozenset()
    everyone: bool = False

    def are_about(self, resource_id: str) -> bool:
        """Whether they speak against a resource."""
        return self.everyone or resource_id in self.resources

    def of(self, resource_id: str) -> Reasons:
        """The reasons that they are against a resource (`dotbus.contracts.quality`)."""
        return INCOMPLETE if self.are_about(resource_id) else ()


DoubtsOf = Mapping[Schedule, Doubts]
"""Doubts about the DOTs of each schedule: what is not known of one says nothing about the other."""


@dataclass(frozen=True)
class Spoken:
    """What speaks against a resource.

    Attributes:
        state: against the schedule that it follows, and so its state.
        other: against the other schedule's DOTs.
        batches: that are over, or to come, whose DOTs alone are in doubt.
    """

    state: Reasons = ()
    other: Reasons = ()
    batches: frozenset[str] = frozenset()


NOTHING_SPOKEN = Spoken()


def is_of_other(interval: DotInterval, follows: Schedule | None) -> bool:
    """Whether a DOT is not of the schedule that its resource follows."""
    return follows is not None and follows not in schedules_of(interval.batch_type)


def spoken_in(state: Dot | Trajectory | Instructions, configured: Mapping[str, Schedule]) -> Spoken:
    """What a kept state said against itself. Where that can be read in two ways, the state is said once more than need be."""
    follows = configured.get(state.resource_id)
    marked = [interval for interval in state.intervals if interval.reasons] if isinstance(state, Dot) else []
    other = next((interval.reasons for interval in marked if is_of_other(interval, follows)), ())
    batches = frozenset(interval.batch_uid for interval in marked if not is_of_other(interval, follows))
    return Spoken(state.reasons, other, batches)


@dataclass(frozen=True)
class CurveDoubt:
    """Points of a resource that nobody can read, or that others contradict which are as new.

    Attributes:
        until: when the last of them is past and the curve without them stale, or what nobody could read is replaced.
        first_at: the first target time of their batch; None when they may be anywhere on the curve.
        received_at: when their batch came into ADS; None while that is not known, as after a restart.
    """

    until: datetime
    first_at: datetime | None = None
    received_at: datetime | None = None

    def replaced_by(self, points: Sequence[TrajectoryPoint]) -> "CurveDoubt":
        """After the points of a batch: a newer one replaces older points at or after its first target time."""
        if not points or (self.received_at and _is_no_newer(points[0], self.received_at)):
            return self
        first_at = min(point.target_at for point in points)
        is_all = self.first_at is not None and first_at <= self.first_at
        return replace(self, until=_LONG_AGO if is_all else min(self.until, first_at))

    def beside(self, other: "CurveDoubt | None") -> "CurveDoubt":
        """Both doubts as one: it lasts as long as the longer, and only what is newer than both replaces it."""
        if other is None:
            return self
        received = [at for at in (self.received_at, other.received_at) if at]
        first_at = min(self.first_at, other.first_at) if self.first_at and other.first_at else None
        return CurveDoubt(max(self.until, other.until), first_at, max(received, default=None))


def _is_no_newer(point: TrajectoryPoint, received_at: datetime) -> bool:
    return point.batch_received_at is not None and point.batch_received_at <= received_at


def restored_doubt(curve: TrajectoryCurve, now: datetime) -> CurveDoubt:
    """A doubt of before a restart: what is no newer than the curve was known by then."""
    return CurveDoubt(now + UNTOLD_LENGTH, received_at=curve.latest.batch_received_at if curve.latest else None)


def doubt_between(curve: TrajectoryCurve, batch: TrajectoryBatch, now: datetime) -> CurveDoubt:
    """What a batch does to a curve that holds others which are as new and say otherwise."""
    added, uid = trajectory_points(batch), batch.batch.batch_uid
    as_new = {point.batch_received_at for point in added}
    equals = [*added, *(point for point in curve.points if point.batch_uid == uid or point.batch_received_at in as_new)]
    targets = [point.target_at for point in equals]
    received = [point.batch_received_at for point in equals if point.batch_received_at]
    return CurveDoubt(max(now + UNTOLD_LENGTH, *targets), min(targets), max(received, default=None))


def doubt_of(resource_id: str, record: records.TrajectoryBatch, now: datetime) -> CurveDoubt:
    """What a batch does to a curve whose points in it nobody can read."""
    told = [dop.target_at for dop in record.dops if dop.resource_id == resource_id]
    targets = [at for at in told if at]
    is_anywhere = not targets or None in told or resource_id in record.nameless or record.is_ownerless
    received_at = record.header.batch_received_at or record.header.batch_sent_at
    until = max([now + UNTOLD_LENGTH, *targets])  # older points after its last target may be on the curve still
    return CurveDoubt(until, None if is_anywhere else min(targets), received_at)
