"""Known schedules: the DOTs and the curve of every resource as known states, taken up from what was kept."""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

import msgspec

from ads_ingest.known.doubts import INCOMPLETE, Spoken
from ads_ingest.known.schedules import DotSchedule, TrajectoryCurve
from ads_ingest.known.state import (
    VALID_FOR_LEAST,
    Judgement,
    KnownState,
    configured_in,
    is_of_other,
    refresh_of,
    restored,
)
from ads_ingest.translate import Sender
from dotbus.contracts.messages import Dispatch, DispatchBatchHeader, Dot, DotInterval, Trajectory
from dotbus.contracts.schedules import Schedule


def known_dots(
    sender: Sender, kept: Mapping[str, bytes], valid_for: timedelta = VALID_FOR_LEAST
) -> KnownState[DotSchedule, Dot]:
    """The DOTs, taken up where the kept states left them."""
    said, configured = restored(sender, kept, Dot), configured_in(sender)
    entries = {state.resource_id: DotSchedule.of_state(state) for state in said}

    def make_state(resource_id: str, entry: DotSchedule, judgement: Judgement) -> Dot:
        return Dot(
            environment=sender.environment,
            source=sender.source,
            time=judgement.now,
            plant=sender.installation.plant_of(resource_id),
            resource_id=resource_id,
            heard_at=judgement.heard_at,
            valid_until=judgement.valid_until,
            reasons=judgement.reasons.state,
            received_at=entry.received_at,
            intervals=_marked(entry.intervals, configured.get(resource_id), judgement.reasons),
            withdrawn=entry.withdrawn,
        )

    return KnownState(configured, DotSchedule(), entries, said, make_state, sender.dot_topic, refresh_of(sender), valid_for)


def known_trajectories(
    sender: Sender, kept: Mapping[str, bytes], valid_for: timedelta = VALID_FOR_LEAST
) -> KnownState[TrajectoryCurve, Trajectory]:
    """The curves, taken up where the kept states left them."""
    said = restored(sender, kept, Trajectory)
    entries = {state.resource_id: TrajectoryCurve.of_state(state) for state in said}

    def make_state(resource_id: str, entry: TrajectoryCurve, judgement: Judgement) -> Trajectory:
        return Trajectory(
            environment=sender.environment,
            source=sender.source,
            time=judgement.now,
            plant=sender.installation.plant_of(resource_id),
            resource_id=resource_id,
            heard_at=judgement.heard_at,
            valid_until=judgement.valid_until,
            reasons=judgement.reasons.state,
            received_at=entry.received_at,
            points=entry.points,
            latest=entry.latest,
        )

    empty, topic = TrajectoryCurve(), sender.trajectory_topic
    return KnownState(configured_in(sender), empty, entries, said, make_state, topic, refresh_of(sender), valid_for)


def fold_dots(
    known_state: KnownState[DotSchedule, Dot], header: DispatchBatchHeader, events: Sequence[Dispatch], over: Collection[str]
) -> None:
    """Put a batch into the entries of its resources, and take it out of those of which it holds no more."""
    for event in events:
        known_state.put(event.resource_id, known_state.entry(event.resource_id).with_dispatch(event))
    for resource_id in over:
        entry = known_state.entry(resource_id)
        known_state.put(resource_id, entry.without_batch(header.batch_uid, header.revision_no))


def _marked(intervals: tuple[DotInterval, ...], follows: Schedule | None, spoken: Spoken) -> tuple[DotInterval, ...]:
    """DOTs with what speaks against each alone: its batch when that is over or to come, or a schedule that is not followed."""
    if not (spoken.other or spoken.batches):
        return intervals
    return tuple(_marked_alone(interval, follows, spoken) for interval in intervals)


def _marked_alone(interval: DotInterval, follows: Schedule | None, spoken: Spoken) -> DotInterval:
    other = spoken.other if is_of_other(interval, follows) else ()
    reasons = INCOMPLETE if interval.batch_uid in spoken.batches else other
    return msgspec.structs.replace(interval, reasons=reasons) if reasons else interval
