"""Known instructions: what CAISO instructs one resource besides five-minute DOTs, folded from events. Pure and frozen.

Of each batch the highest revision counts, whatever the order in which they come, and of one revision a cancel.
A batch that holds no more is remembered until the last is over that any revision of it instructed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from typing import Any, Self

import msgspec

from ads_ingest.known.unreadable import unreadable_in, unreadable_in_header
from dotbus.contracts.instruction_kinds import InstructionKind, kind_of, lasting
from dotbus.contracts.instruction_states import Answer, Holding, Standing, Status, answer_to, holding
from dotbus.contracts.instruction_times import DOT_INSTRUCTION, is_binding
from dotbus.contracts.messages import (
    Dispatch,
    DispatchBatchHeader,
    Instruction,
    InstructionAnswer,
    Instructions,
    KnownInstruction,
    WithdrawnBatch,
)
from dotbus.contracts.schedules import BatchType
from dotbus.setpoints.intervals import newest_of, open_until

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_FIVE_MINUTE = (BatchType.FIVE_MINUTE, None)
_CONSTRAINTS = (InstructionKind.MINIMUM, InstructionKind.MAXIMUM, InstructionKind.FIXED)


@dataclass(frozen=True)
class SaidBatch:
    """What the newest revision of a batch says to one resource. Without instructions it holds no more.

    Attributes:
        until: when the last is over that any revision of it instructed.
    """

    batch_uid: str
    until: datetime
    revision_no: int | None = None
    batch_type: int | None = None
    batch_status: int | None = None
    told_at: datetime = _LONG_AGO
    instructions: tuple[KnownInstruction, ...] = ()

    def joined(self, other: Self) -> Self:
        """With what another revision says, or the same again: in either order the same comes out.

        What is said again, as after a restart, was told when it was said first.
        """
        until = max(self.until, other.until)
        if self.instructions and self._said == other._said:
            return replace(min(self, other, key=lambda each: each.told_at), until=until)
        return replace(max(self, other, key=_precedence), until=until)

    @property
    def _said(self) -> tuple[object, ...]:
        timeless = [msgspec.structs.replace(each, told_at=_LONG_AGO, batch_until=_LONG_AGO) for each in self.instructions]
        return timeless, self.revision_no, self.batch_type, self.batch_status


def _precedence(said: SaidBatch) -> tuple[int, int, datetime, bytes]:
    """Of one revision a cancel is the last word, and one that says something comes before one that is silent.

    Without a revision number only the time tells which is newer.
    """
    is_cancelled = said.batch_status == Status.CANCELLED
    speaks = said.revision_no is None or bool(said.instructions)
    rank = 2 if is_cancelled else int(speaks)
    content = msgspec.json.encode((said.instructions, said.batch_type, said.batch_status))
    told_at = said.told_at if speaks else _LONG_AGO  # that of what is silent is not kept over a restart
    return said.revision_no or 0, rank, told_at, content


@dataclass(frozen=True)
class InstructionRecord:
    """The batches of one resource, by their UIDs."""

    batches: Mapping[str, SaidBatch] = field(default_factory=dict)

    @classmethod
    def of_state(cls, state: Instructions) -> Self:
        """The entry that a published state was made from."""
        by_batch = sorted(state.instructions, key=lambda each: each.batch_uid)
        held = [_restored(tuple(several)) for _uid, several in groupby(by_batch, key=lambda each: each.batch_uid)]
        gone = [
            SaidBatch(each.batch_uid, each.until, each.revision_no, each.batch_type, each.batch_status)
            for each in state.withdrawn
        ]
        return cls({said.batch_uid: said for said in (*gone, *held)})

    @property
    def instructions(self) -> tuple[KnownInstruction, ...]:
        """What is in force or ahead, in the order of starts."""
        found = (
            msgspec.structs.replace(instruction, batch_until=said.until)
            for said in self.batches.values()
            for instruction in said.instructions
        )
        return tuple(sorted(found, key=lambda each: (each.start_at, each.batch_uid, each.instruction_uid)))

    @property
    def withdrawn(self) -> tuple[WithdrawnBatch, ...]:
        """The batches that hold no more."""
        return tuple(
            WithdrawnBatch(
                batch_uid=said.batch_uid,
                until=said.until,
                revision_no=said.revision_no,
                batch_type=said.batch_type,
                batch_status=said.batch_status,
            )
            for said in sorted(self.batches.values(), key=lambda each: each.batch_uid)
            if not said.instructions
        )

    @property
    def received_at(self) -> datetime | None:
        """When the newest of what it holds came; None without any."""
        return max((said.told_at for said in self.batches.values() if said.instructions), default=None)

    @property
    def ends_at(self) -> datetime | None:
        """When the last of what it holds is past; None when it holds nothing."""
        return max((said.until for said in self.batches.values()), default=None)

    def with_dispatch(self, dispatch: Dispatch) -> Self:
        """With one revision of a batch in it. Of a five-minute batch without anything but DOTs nothing is remembered."""
        header = dispatch.batch
        instructions = known_in(dispatch)
        if not instructions and header.batch_uid not in self.batches and header.batch_type in _FIVE_MINUTE:
            return self
        until = max(
            (each.batch_until for each in instructions), default=open_until(header, dispatch.instructions) or dispatch.time
        )
        said = SaidBatch(
            header.batch_uid, until, header.revision_no, header.batch_type, header.batch_status, dispatch.time, instructions
        )
        return self._with(said)

    def without_batch(self, header: DispatchBatchHeader, until: datetime, now: datetime) -> Self:
        """Without what a batch instructed, as its header alone says: it was cancelled, deferred, or cannot be had any more."""
        uid, revision = header.batch_uid, header.revision_no
        return self._with(SaidBatch(uid, until, revision, header.batch_type, header.batch_status, now))

    def reopened(self, batch_uid: str, revision_no: int | None) -> Self:
        """Without a batch of which accounts were told different things in one revision: what is told now replaces it."""
        known = self.batches.get(batch_uid)
        if known is None or (known.revision_no or 0) > (revision_no or 0):
            return self
        return replace(self, batches={uid: said for uid, said in self.batches.items() if uid != batch_uid})

    def _with(self, said: SaidBatch) -> Self:
        known = self.batches.get(said.batch_uid)
        joined = known.joined(said) if known else said
        return self if joined == known else replace(self, batches={**self.batches, said.batch_uid: joined})

    def pruned(self, now: datetime) -> Self:
        """Without what is past."""
        if not self.batches:  # of most
            return self
        kept = {uid: _pruned(said, now) for uid, said in self.batches.items() if said.until > now}
        return self if kept == self.batches else replace(self, batches=kept)


def _pruned(said: SaidBatch, now: datetime) -> SaidBatch:
    if all(_shown_until(each) > now for each in said.instructions):
        return said
    return replace(said, instructions=tuple(each for each in said.instructions if _shown_until(each) > now))


def _restored(instructions: tuple[KnownInstruction, ...]) -> SaidBatch:
    one = instructions[0]
    until = max(each.batch_until for each in instructions)
    own = tuple(msgspec.structs.replace(each, batch_until=_shown_until(each)) for each in instructions)
    return SaidBatch(one.batch_uid, until, one.revision_no, one.batch_type, one.batch_status, one.told_at, own)


def _shown_until(known: KnownInstruction) -> datetime:
    times = lasting(
        DispatchBatchHeader(batch_uid=known.batch_uid, batch_type=known.batch_type, start_at=known.start_at),
        Instruction(
            instruction_uid=known.instruction_uid,
            resource_id="",
            instruction_type=known.instruction_type,
            start_at=known.start_at,
            end_at=known.end_at,
        ),
    )
    return times.shown_until if times else known.start_at


def known_in(dispatch: Dispatch) -> tuple[KnownInstruction, ...]:
    """What a batch instructs a resource besides five-minute DOTs: nothing when it was cancelled or is advisory."""
    header = dispatch.batch
    if not is_binding(header.binding_flag) or header.batch_status == Status.CANCELLED:
        return ()
    known = (_known(header, instruction, dispatch.time) for instruction in newest_of(dispatch.instructions))
    return tuple(sorted(filter(None, known), key=lambda each: (each.start_at, each.instruction_uid)))


def _known(header: DispatchBatchHeader, instruction: Instruction, told_at: datetime) -> KnownInstruction | None:
    kind = kind_of(header.batch_type, instruction.instruction_type)
    if kind is InstructionKind.DOT and header.batch_type in _FIVE_MINUTE:
        return None
    times = lasting(header, instruction)
    if times is None:
        return None
    standing, instructed_mw, standing_mw = _megawatts(header, instruction)
    limit_mw = standing_mw if kind in _CONSTRAINTS else None
    return KnownInstruction(
        what=kind.value,
        standing=standing.value,
        start_at=times.start_at,
        end_at=times.end_at,
        instructed_mw=instructed_mw,
        standing_mw=standing_mw,
        min_mw=None if kind is InstructionKind.MAXIMUM else limit_mw,
        max_mw=None if kind is InstructionKind.MINIMUM else limit_mw,
        answer=_answer(header, instruction),
        batch_received_at=header.batch_received_at or header.batch_sent_at,
        batch_until=times.shown_until,
        told_at=told_at,
        **_same(header, _OF_HEADER),
        **_same(instruction, _OF_INSTRUCTION),
    )


def _megawatts(header: DispatchBatchHeader, instruction: Instruction) -> tuple[Standing, float | None, float | None]:
    """How an instruction stands, what was instructed, and how much of it stands. Nobody answers an award, so all of it does.

    What may be in force is in doubt while nobody can read something that decides it: its times may be those of its batch.
    """
    held = holding(header.batch_type, header.batch_status, instruction)
    if held.standing is Standing.IN_FORCE and (unreadable_in_header(header) or unreadable_in(header, instruction)):
        held = Holding(Standing.IN_DOUBT, held.dot_mw)
    if held.standing is Standing.NOT_IN_FORCE:
        return held.standing, instruction.award_mw if instruction.dot_mw is None else instruction.dot_mw, None
    if instruction.dot_mw is None:
        return held.standing, instruction.award_mw, instruction.award_mw
    return held.standing, instruction.dot_mw, held.dot_mw


_OF_HEADER = ("batch_uid", "batch_type", "batch_status", "revision_no", "batch_expires_at")
_OF_INSTRUCTION = (
    "as_type",
    "award_mw",
    "cleared_mw",
    "self_sched_mw",
    "configuration_id",
    "transition_from_config_id",
    "transition_to_config_id",
    "bid_delay_min",
    "oos_energy_code",
    "rmr_test_requestor",
    "instruction_uid",
    "instruction_type",
    "revision_number",
    "status_code",
)
_ANSWERED = ("accept_dot_mw", "accept_status", "responder", "reason_code")
_OF_ANSWER = (*_ANSWERED, *(f"opr_{name}" for name in _ANSWERED), "min_accept_mw", "hourly_threshold_mw")


def _same(said: DispatchBatchHeader | Instruction, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(said, name) for name in names}


def _answer(header: DispatchBatchHeader, instruction: Instruction) -> InstructionAnswer | None:
    answer = answer_to(header.batch_type, instruction)
    if header.batch_type != BatchType.HOURLY and answer is Answer.NONE:
        return None
    is_open = is_open_for_answers(header, instruction)
    until = header.batch_expires_at if is_open else None
    return InstructionAnswer(answer=answer.value, is_open=is_open, open_until=until, **_same(instruction, _OF_ANSWER))


def is_open_for_answers(header: DispatchBatchHeader, instruction: Instruction) -> bool:
    """Whether CAISO takes answers to it, until batchExpires: hourly pre-dispatch while its batch is Active (section 3.1)."""
    statuses = {header.batch_status, Status.ACTIVE if instruction.status_code is None else instruction.status_code}
    is_hourly_dot = header.batch_type == BatchType.HOURLY and instruction.instruction_type in {None, DOT_INSTRUCTION}
    return is_hourly_dot and statuses == {Status.ACTIVE}
