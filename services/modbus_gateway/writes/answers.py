"""Answers: what SCADA writes to answer an instruction, and what became of it. Pure.

The registers of an answer are filled in any order and sent by a sequence number, as staged values are taken by a commit.
"""

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Final

from dotbus.contracts.messages import Environment, InstructionResponseReply, KnownInstruction
from dotbus.judging.arrivals import ADS_INGEST
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.writing import Client
from modbus_gateway.writes.instructions import Listed
from modbus_gateway.writes.requests import Part, Piece
from modbus_gateway.writes.unit import Now, identity_of

SENT_WITHIN_S: Final = 30.0
"""How long what is filled in waits for its sequence number."""
ACTIONS: Final = {1: "acknowledge", 2: "accept", 3: "decline", 4: "partial"}
TOLD_TO_CAISO: Final = ("accept", "decline", "partial")
WORDS_REGISTERS: Final = 24
REFUSED_BY: Final = (
    "", "command", "commit", "bus", "fault", "message", "topic", "environment", "time", "expired", "instruction", "window",
    "megawatts", "reason", "repeated", "answered", "account", "busy", "outbox", "broker", "unreachable", "caiso",
)  # fmt: skip
"""What refused an answer, by the number that its register says. Append only."""
_ANOTHER: Final = 255
_NOT_SAID: Final = 0xFFFF
_NO_WORDS: Final[Mapping[Part, bytes]] = {
    Part.NUMBER: b"\xff" * 4,
    Part.ACTION: b"\xff" * 2,
    Part.REASON: b"\xff" * 2,
    Part.MEGAWATTS: bytes.fromhex("7FC00000"),
}


class Outcome(IntEnum):
    """What became of the last answer, as its register says it. Append only."""

    NOTHING = 0
    SENT = 1
    TAKEN = 2
    REFUSED = 3
    UNKNOWN = 4
    DRY_RUN = 5
    NO_REPLY = 6
    ACKNOWLEDGED = 7


_OUTCOMES: Final = {"taken": Outcome.TAKEN, "refused": Outcome.REFUSED, "dry-run": Outcome.DRY_RUN}


@dataclass(frozen=True)
class Filling:
    """What was filled in and not sent: by whom, and until when it may be."""

    client: Client
    until_s: float
    words: Mapping[Part, bytes]


@dataclass(frozen=True)
class Answer:
    """An answer that is to be given."""

    action: str
    instruction: KnownInstruction
    accept_dot_mw: float | None
    reason_code: int | None


@dataclass(frozen=True)
class Command:
    """A command as it went out, by which its reply is known.

    Attributes:
        reply_topic: that replies to it come on.
    """

    id: str
    batch_uid: str
    instruction_uid: str
    environment: Environment
    reply_topic: str

    def misfit(self, reply: InstructionResponseReply, topic: str, correlation: bytes | None) -> str | None:
        """Why a reply that names this command does not belong to it; None when it does."""
        service, _, _instance = reply.source.partition("/")
        if reply.environment is not self.environment:
            return f"it is of environment {reply.environment}"
        if service != ADS_INGEST:
            return f"it is said by {reply.source}, where only {ADS_INGEST} answers"
        if (reply.batch_uid, reply.instruction_uid) != (self.batch_uid, self.instruction_uid):
            return f"it speaks of instruction {reply.instruction_uid} of batch {reply.batch_uid}"
        if topic != self.reply_topic:
            return f"it did not come on {self.reply_topic}"
        if correlation is not None and correlation != self.id.encode():
            return "its correlation data are another command's"
        return None


@dataclass(frozen=True)
class AnswerState:
    """What an answer block knows.

    Attributes:
        filling: what waits for a sequence number; None when nothing does.
        sent: the words of the last answer that was taken to be sent.
        sequence: the number that was written last, 0 before the first.
        asked: the words that were written with it.
        outcome: what became of it.
        may_be_again: whether it may be written again: nobody was there to be told.
        since: what was wrong, in words, with a number that was none to send by; empty when none was written since.
        command: whose reply counts; None when none was sent.
        until_s: how long it is.
    """

    filling: Filling | None = None
    sent: Mapping[Part, bytes] = field(default_factory=dict)
    sequence: int = 0
    asked: Mapping[Part, bytes] = field(default_factory=dict)
    may_be_again: bool = False
    since: str = ""
    outcome: Outcome = Outcome.NOTHING
    result_code: int | None = None
    refused_by: str = ""
    detail: str = ""
    command: Command | None = None
    until_s: float = 0.0


@dataclass(frozen=True)
class Sending:
    """What a write to an answer block comes to: an answer to be sent, or what the client is told, or neither.

    Attributes:
        refused_by: what refused it, where that is to be kept; `detail` is why, in words.
        tried: the action of what was refused, and the instruction by its number, as far as they are known.
    """

    state: AnswerState
    answer: Answer | None = None
    refusal: Refusal | None = None
    refused_by: str = ""
    detail: str = ""
    tried: tuple[str, int | None] = ("answer", None)


def pass_time(state: AnswerState, now: Now) -> AnswerState:
    """What time alone does: what was filled in too long ago is gone, and a reply that did not come is waited for no more."""
    if state.filling and now.seconds >= state.filling.until_s:
        state = replace(state, filling=None)
    if state.outcome is Outcome.SENT and now.seconds >= state.until_s:
        told = "no reply came; CAISO may have been asked"
        state = replace(state, outcome=Outcome.NO_REPLY, detail=told)
    return state


def fill(state: AnswerState, pieces: Sequence[Piece], listed: Listed, client: Client, now: Now) -> Sending:
    """What a request comes to that writes some registers of a block, and perhaps its sequence number.

    Args:
        state: the block, of which time has been let act.
        pieces: what is written.
        listed: what can be answered now.
        client: who writes.
        now: the time.
    """
    filling = state.filling
    if filling and identity_of(filling.client) != identity_of(client):
        return Sending(state, refusal=Refusal.FAILURE)
    words: dict[Part, bytes] = {piece.slot.part: piece.words for piece in pieces if piece.slot.part is not Part.ANSWER}
    if words:
        known = filling or Filling(client, now.seconds + SENT_WITHIN_S, {})
        filling = replace(known, words={**known.words, **words})
    sequence = next((int.from_bytes(piece.words) for piece in pieces if piece.slot.part is Part.ANSWER), None)
    if sequence is None:
        return Sending(replace(state, filling=filling))
    return _send(state, filling, sequence, listed)


def _send(state: AnswerState, filling: Filling | None, sequence: int, listed: Listed) -> Sending:
    words: Mapping[Part, bytes] = filling.words if filling else {}
    if sequence and sequence == state.sequence and (not words or (words == state.asked and not state.may_be_again)):
        return _as_before(state)
    if state.outcome is Outcome.SENT:
        return Sending(state, refusal=Refusal.FAILURE)
    if sequence == 0 or (sequence == state.sequence and not state.may_be_again):
        told = "its sequence number is 0, or was written before"
        return Sending(replace(state, since=told), None, Refusal.COUNT, "commit", told, _tried(words))
    answer = _answer(words, listed)
    if isinstance(answer, str):
        refused = AnswerState(None, state.sent, sequence, words, outcome=Outcome.REFUSED, refused_by="command", detail=answer)
        return Sending(refused, None, Refusal.COUNT, "command", answer, _tried(words))
    return Sending(AnswerState(sent=words, sequence=sequence, asked=words), answer)


def _as_before(state: AnswerState) -> Sending:
    """The same again: a reply of ours was lost on its way, and this is the question what became of it."""
    is_refused = state.outcome is Outcome.REFUSED and state.command is None
    return Sending(replace(state, filling=None, since=""), refusal=Refusal.COUNT if is_refused else None)


def _tried(words: Mapping[Part, bytes]) -> tuple[str, int | None]:
    number = words.get(Part.NUMBER)
    return ACTIONS.get(int.from_bytes(words.get(Part.ACTION, b"")), "answer"), None if number is None else int.from_bytes(
        number
    )


def _answer(words: Mapping[Part, bytes], listed: Listed) -> Answer | str:
    """The answer that registers say, or why they say none."""
    action = ACTIONS.get(int.from_bytes(words.get(Part.ACTION, b"")))
    if action is None:
        return "no action: 1 acknowledge, 2 accept, 3 decline, 4 partial"
    instruction = listed.by_number(int.from_bytes(words.get(Part.NUMBER, b"")))
    if instruction is None:
        return "no open instruction has this number now"
    (megawatts,) = struct.unpack(">f", words.get(Part.MEGAWATTS, _NO_WORDS[Part.MEGAWATTS]))
    if action == "partial" and not math.isfinite(megawatts):
        return "partial needs megawatts"
    if action != "partial" and not math.isnan(megawatts):
        return f"{action} takes no megawatts"
    reason = int.from_bytes(words.get(Part.REASON, b""))
    return Answer(action, instruction, megawatts if action == "partial" else None, reason if 0 < reason < _NOT_SAID else None)


def replied(state: AnswerState, reply: InstructionResponseReply) -> AnswerState:
    """The block once the reply to its command came, also one that came late."""
    return replace(
        state,
        since="",
        outcome=_OUTCOMES.get(reply.outcome or "", Outcome.UNKNOWN),
        result_code=reply.result_code,
        refused_by=reply.refused_by or "",
        detail=reply.detail,
    )


def answer_registers(state: AnswerState, listed: Listed) -> bytes:
    """The registers before the places, see docs/registers.md."""
    written = b"".join(state.sent.get(part, nothing) for part, nothing in _NO_WORDS.items())
    outcome, code, by, detail = _shown(state)
    refused_by = REFUSED_BY.index(by) if by in REFUSED_BY else _ANOTHER
    is_said = code is not None and 0 <= code < _NOT_SAID
    numbers = [state.sequence, state.sequence, outcome, code if is_said else _NOT_SAID, refused_by]
    count = min(len(listed.open), _NOT_SAID - 1) if listed.level else _NOT_SAID
    behind = [listed.level, count, *[_NOT_SAID] * 4]
    return written + _packed(numbers) + _words(detail) + _packed(behind)


def _shown(state: AnswerState) -> tuple[Outcome, int | None, str, str]:
    """Outcome, CAISO's code, what refused it, and words: of the last number, unless one came since that was none."""
    if state.since:
        return Outcome.REFUSED, None, "commit", state.since
    return state.outcome, state.result_code, state.refused_by, state.detail


def _packed(numbers: Sequence[int | None]) -> bytes:
    return b"".join((0 if number is None else int(number)).to_bytes(2) for number in numbers)


def _words(detail: str) -> bytes:
    """As much as there is room for, and no half a character."""
    room = 2 * WORDS_REGISTERS
    return detail.replace("\0", "").encode(errors="replace")[:room].decode(errors="ignore").encode().ljust(room, b"\0")
