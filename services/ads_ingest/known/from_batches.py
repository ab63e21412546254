"""From batches: DOTs, curve and all else that is instructed to every resource as known states, filled and judged by batches.

They are taken up from what was kept. What is instructed besides DOTs is filled from the same batches in the same transaction,
and its doubts are its own: a commitment that cannot be had says nothing against a DOT, and a five-minute batch nothing against
an award.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from ads_ingest.batches.open_batch import ASKED_SOON, Known, OpenBatch, known_of
from ads_ingest.batches.open_batches import OpenBatches, oldest
from ads_ingest.caiso import Ads, true_at
from ads_ingest.known.doubts import INCOMPLETE, Doubts, Spoken, is_of_other
from ads_ingest.known.instructions import InstructionRecord
from ads_ingest.known.state import Judgement, KnownState, S
from ads_ingest.translate import Sender
from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.instruction_states import Status, is_nothing_by_status
from dotbus.contracts.instruction_times import is_binding
from dotbus.contracts.messages import Dispatch, DispatchBatchHeader, Dot, DotInterval, Instructions, Trajectory
from dotbus.contracts.schedules import BatchType, Schedule
from dotbus.contracts.topics import Subject
from dotbus.setpoints.schedules import DotSchedule, TrajectoryCurve

REFRESH_MOST = timedelta(seconds=30)
REFRESHES_BEFORE_STALE = 3
"""How often a state that did not change is said again before a gateway of this installation would call it stale."""
VALID_FOR_LEAST = timedelta(seconds=90)
_SUBJECTS: Mapping[type, Subject] = {Dot: Subject.DOT, Trajectory: Subject.TRAJECTORY, Instructions: Subject.INSTRUCTIONS}
KnownInstructions = KnownState[InstructionRecord, Instructions]


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


def known_instructions(sender: Sender, kept: Mapping[str, bytes], valid_for: timedelta = VALID_FOR_LEAST) -> KnownInstructions:
    """What is instructed, taken up where the kept states left it."""
    said = restored(sender, kept, Instructions)
    entries = {state.resource_id: InstructionRecord.of_state(state) for state in said}

    def make_state(resource_id: str, entry: InstructionRecord, judgement: Judgement) -> Instructions:
        return Instructions(
            environment=sender.environment,
            source=sender.source,
            time=judgement.now,
            plant=sender.installation.plant_of(resource_id),
            resource_id=resource_id,
            heard_at=judgement.heard_at,
            valid_until=judgement.valid_until,
            reasons=judgement.reasons.state,
            received_at=entry.received_at,
            instructions=entry.instructions,
            withdrawn=entry.withdrawn,
        )

    topic = sender.instructions_topic
    return KnownState(
        configured_in(sender), InstructionRecord(), entries, said, make_state, topic, refresh_of(sender), valid_for
    )


def restore_instructions(batches: OpenBatches, known_state: KnownInstructions, now: datetime) -> None:
    """After a restart: the batches of the kept states are open until the last that they instructed is over."""
    for resource_id, entry in known_state.entries.items():
        for said in entry.batches.values() if known_state.is_of(resource_id) else ():
            begins_at = min((each.start_at for each in said.instructions), default=None)
            header = known_of(said.batch_uid, said.revision_no, said.batch_type)
            batches.restore(header, resource_id, said.until, now, begins_at)


def fold_instructions(
    known_state: KnownInstructions,
    header: DispatchBatchHeader,
    events: Sequence[Dispatch],
    over: Collection[str],
    now: datetime,
) -> None:
    """Put a batch into the entries of its resources, and take it out of those of which it holds no more."""
    for event in events:
        _put(known_state, event.resource_id, known_state.entry(event.resource_id).with_dispatch(event))
    for resource_id in over:
        entry = known_state.entry(resource_id)
        said = entry.batches.get(header.batch_uid)
        if said and said.instructions:
            _put(known_state, resource_id, entry.without_batch(header, said.until, now))


def withdraw_instructions(known_state: KnownInstructions, batch: OpenBatch, named: Collection[str], now: datetime) -> None:
    """Take away what a batch instructed by its header alone. Of a cancel every resource is told while nobody knows its own."""
    header = batch.header
    if not named and header.batch_status == Status.CANCELLED and header.batch_type != BatchType.FIVE_MINUTE:
        named = frozenset(filter(known_state.is_of, known_state.entries))
    holding = frozenset(
        name for name, entry in known_state.entries.items() if header.batch_uid in entry.batches and known_state.is_of(name)
    )
    for resource_id in holding | (frozenset(named) if header.batch_type != BatchType.FIVE_MINUTE else frozenset()):
        _put(known_state, resource_id, known_state.entry(resource_id).without_batch(header, batch.until, now))


def judge_instructions(known_state: KnownInstructions, batches: OpenBatches, now: datetime) -> Mapping[str, datetime]:
    """Say what speaks against each state. Returns of each resource the oldest of CAISO's last words on the batches in it."""
    concerned = _concerned(known_state, batches.every())
    doubts = [_doubted(batch, now, batches.vouched) for batch in concerned]
    resources = frozenset(resource for each in doubts for resource in each.resources)
    found = Doubts(resources, everyone=any(each.everyone for each in doubts))
    known_state.doubts = dict.fromkeys(Schedule, found)
    lasting = (each for each in concerned if each.had and each.until > now and _may_instruct(each))
    return oldest((each.confirmed_at, each.resources - found.resources) for each in lasting if each.confirmed_at)


def _concerned(known_state: KnownInstructions, batches: Iterable[OpenBatch]) -> list[OpenBatch]:
    """The batches that these states rest on: of every type but five-minute, and such a one that says more than DOTs."""
    held = {uid for entry in known_state.entries.values() for uid in entry.batches}
    return [
        batch
        for batch in batches
        if batch.header.batch_type != BatchType.FIVE_MINUTE or batch.batch_uid in held or batch.others_in_doubt
    ]


def _may_instruct(batch: OpenBatch) -> bool:
    return batch.header.batch_status != Status.CANCELLED and is_binding(batch.header.binding_flag)


def _doubted(batch: OpenBatch, now: datetime, vouched: timedelta) -> Doubts:
    """Whose states a batch speaks against: what was never had also when it may be over, since only its document tells that."""
    is_never_had = batch.known is Known.LISTED and not batch.is_given_up
    if not _may_instruct(batch) or not (batch.until > now or is_never_had):
        return Doubts()
    if batch.is_missing:
        is_asked_soon = not batch.failures and now - batch.ask_at <= ASKED_SOON
        if batch.had and is_nothing_by_status(batch.header.batch_status):
            return Doubts()
        if is_asked_soon:
            return Doubts(batch.contested)
        return Doubts(batch.resources, everyone=batch.known is Known.LISTED and not batch.resources)
    in_doubt = batch.in_doubt | batch.others_in_doubt | batch.contested
    return Doubts(batch.resources if batch.is_unconfirmed(now, vouched) else in_doubt)


def _put(known_state: KnownInstructions, resource_id: str, entry: InstructionRecord) -> None:
    if entry != known_state.entry(resource_id):
        known_state.put(resource_id, entry)


@dataclass(frozen=True)
class Judge:
    """Judges by the batches of one account.

    Attributes:
        caiso: by whose clock it was heard.
        batches: what it knows of each.
        dots: the states that are made of them.
        instructions: the same of what else they say, where that is published.
    """

    caiso: Ads
    batches: OpenBatches
    dots: KnownState[DotSchedule, Dot]
    instructions: KnownInstructions | None

    def judge(self, now: datetime) -> None:
        """What speaks against each state, and since when each counts."""
        batches, dots = self.batches, self.dots
        dots.doubts = {schedule: batches.doubts(now, schedule) for schedule in Schedule}
        dots.doubts_of_batches = batches.doubts_of_batches(now)
        dots.confirmed = {resource: true_at(self.caiso, at) for resource, at in batches.confirmed(now).items()}
        dots.untold = frozenset(resource for resource in tuple(dots.sees) if self._is_untold(resource, now))
        if instructions := self.instructions:
            confirmed = judge_instructions(instructions, batches, now)
            instructions.confirmed = {resource: true_at(self.caiso, at) for resource, at in confirmed.items()}

    def _is_untold(self, resource_id: str, now: datetime) -> bool:
        """Whether a state holds DOTs that only another account was told of."""
        held = {one.batch_uid for one in self.dots.entry(resource_id).intervals if one.interval_end > now}
        return any((batch := self.batches.get(uid)) is None or resource_id not in batch.resources for uid in held)


def valid_for(asked_every_s: float) -> timedelta:
    """How long a state counts without being said again: a few refreshes, or a few questions where those are further apart."""
    return max(VALID_FOR_LEAST, timedelta(seconds=3 * asked_every_s))


def refresh_of(sender: Sender) -> timedelta:
    """How often an unchanged state is said again: often enough for the limit that its installation's gateways judge by."""
    return min(REFRESH_MOST, timedelta(seconds=sender.installation.modbus.stale_after_s / REFRESHES_BEFORE_STALE))


def configured_in(sender: Sender) -> dict[str, Schedule]:
    """The resources of an installation, each with the schedule that it follows."""
    return {resource.id: resource.schedule for plant in sender.installation.plants for resource in plant.resources}


def restored(sender: Sender, kept: Mapping[str, bytes], kind: type[S]) -> list[S]:
    """The states of one kind among those that were taken over."""
    subject = _SUBJECTS[kind]
    states: list[S] = []
    for topic, payload in kept.items():
        address = sender.installation.topics.read(topic)
        if address is None or address.subject is not subject:
            continue
        try:
            state = decode(payload)
        except UndecodableMessage:
            continue  # of another version of this software: CAISO will be asked again for what still holds
        if isinstance(state, kind):
            states.append(state)
    return states
