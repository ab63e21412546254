"""Checks: whether an answer can be sent to CAISO, and if not why, in words. Pure.

What CAISO would refuse is refused here, so that the requester learns the reason; what the specification leaves open goes to
CAISO. Sources: ADS API specification v7, sections 3.1 to 3.3 (hourly pre-dispatch while its batch is Active and not expired;
reason codes 10 to 16 to decline and to accept in part), and CAISO's notice of 2023-11-14 (a part lies between 0 and the DOT).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from ads_ingest.responding.answers import Answers
from ads_ingest.responding.commands import REFUSED, Asked, Result
from dotbus.contracts.instruction_states import Answer
from dotbus.contracts.messages import InstructionAction, KnownInstruction
from dotbus.contracts.topics import UNASSIGNED
from dotbus.runtime.installation.installation import Installation

LASTS = timedelta(minutes=5)
"""How long a command counts that does not say when it expires: the broker may have kept it while we were away."""
AHEAD_MOST = timedelta(minutes=1)
"""How far the requester's clock may be ahead of ours: a command that is dated later would count for longer than that."""
REASONS = range(10, 17)
_STATUS_WORDS = {
    0: "new",
    1: "active",
    2: "timed out",
    3: "closed",
    4: "cancelled",
    5: "in the operator's response period",
    6: "deferred",
}


class Check(StrEnum):
    """What may refuse a command; the word of `refused_by`."""

    MESSAGE = "message"
    TOPIC = "topic"
    ENVIRONMENT = "environment"
    TIME = "time"
    EXPIRED = "expired"
    INSTRUCTION = "instruction"
    WINDOW = "window"
    MEGAWATTS = "megawatts"
    REASON = "reason"
    REPEATED = "repeated"
    ANSWERED = "answered"
    ACCOUNT = "account"
    BUSY = "busy"
    OUTBOX = "outbox"
    BROKER = "broker"
    UNREACHABLE = "unreachable"
    FAULT = "fault"
    CAISO = "caiso"


NOT_NOW = frozenset({Check.ACCOUNT, Check.BUSY, Check.OUTBOX, Check.BROKER, Check.UNREACHABLE})
"""What speaks against no answer, only against sending it now. Nothing was sent."""


@dataclass(frozen=True)
class Situation:
    """What an answer is judged by.

    Attributes:
        installation: whose plants and environment.
        known: what is instructed to the resource of the topic.
        answers: what was answered before.
        now: by our clock.
        caiso_now: by CAISO's, as far as the difference is known.
    """

    installation: Installation
    known: Sequence[KnownInstruction]
    answers: Answers
    now: datetime
    caiso_now: datetime

    def instruction(self, asked: Asked) -> KnownInstruction | None:
        """The instruction that a command names."""
        return next((each for each in self.known if each.instruction_uid == asked.command.instruction_uid), None)


def refusal(asked: Asked, situation: Situation) -> Result | None:
    """Why an answer is not sent; None when it can be."""
    for check, look in _CHECKS:
        words = look(asked, situation)
        if words:
            return Result(REFUSED, words, check.value)
    return None


def _topic(asked: Asked, situation: Situation) -> str | None:
    if asked.action != asked.command.action:
        return f"the topic says {asked.action}, the message {asked.command.action}"
    plant = situation.installation.plant_of(asked.resource_id)
    if plant == UNASSIGNED and asked.rule is None:
        return f"no plant claims {asked.resource_id}, so nobody may answer for it"
    if plant != asked.plant:
        return f"{asked.resource_id} is not a resource of the plant {asked.plant}"
    return None


def _environment(asked: Asked, situation: Situation) -> str | None:
    meant, ours = asked.command.environment, situation.installation.environment
    return None if meant is ours else f"the command is for {meant}, and this installation is of {ours}"


def _time(asked: Asked, situation: Situation) -> str | None:
    ahead = asked.command.time - situation.now
    if ahead <= AHEAD_MOST:
        return None
    return f"the command is dated {ahead.total_seconds():.0f} s ahead of our clock, of which {AHEAD_MOST.seconds} s are taken"


def _expired(asked: Asked, situation: Situation) -> str | None:
    expires_at = asked.command.expires_at or asked.command.time + LASTS
    return None if situation.now < expires_at else f"the command expired at {expires_at:%Y-%m-%d %H:%M:%SZ}"


def _instruction(asked: Asked, situation: Situation) -> str | None:
    known, command = situation.instruction(asked), asked.command
    if known is None:
        return f"no instruction {command.instruction_uid} is known of {asked.resource_id} now"
    if known.batch_uid != command.batch_uid:
        return f"instruction {known.instruction_uid} is of batch {known.batch_uid}, not of {command.batch_uid}"
    return None


def _window(asked: Asked, situation: Situation) -> str | None:
    known = _found(asked, situation)
    answer = known.answer
    if answer is None:
        return "CAISO takes answers to hourly pre-dispatch only"
    if not answer.is_open:
        codes = {status for status in (known.batch_status, known.status_code) if status is not None} - {1}
        words = " and ".join(_STATUS_WORDS.get(code, f"status {code}") for code in sorted(codes)) or "of an unknown status"
        return f"CAISO takes answers while the batch is active, and it is {words}"
    if answer.open_until is not None and situation.caiso_now >= answer.open_until:
        return f"the time for answers ended at {answer.open_until:%Y-%m-%d %H:%M:%SZ}"
    return None


def _megawatts(asked: Asked, situation: Situation) -> str | None:
    dot_mw, accept_mw = _found(asked, situation).instructed_mw, asked.command.accept_dot_mw
    if dot_mw is None:
        return "the instruction has no DOT that could be answered"
    match asked.command.action:
        case InstructionAction.ACCEPT if accept_mw not in {None, dot_mw}:
            return f"accept takes the whole DOT of {_written(dot_mw)} MW; to take {_written(accept_mw)} MW of it use partial"
        case InstructionAction.DECLINE if accept_mw is not None:
            return "decline takes no megawatts: CAISO returns the instruction to its schedule; to take a part of it use partial"
        case InstructionAction.PARTIAL if accept_mw is None:
            return "partial needs accept_dot_mw"
        case InstructionAction.PARTIAL if accept_mw is not None and not min(0.0, dot_mw) <= accept_mw <= max(0.0, dot_mw):
            return f"{_written(accept_mw)} MW is not between 0 and the DOT of {_written(dot_mw)} MW"
    return None


def _written(mw: float) -> str:
    """Megawatts with all their digits: two that differ are not told as the same."""
    return repr(mw).removesuffix(".0")


def _reason(asked: Asked, _situation: Situation) -> str | None:
    reason = asked.command.reason_code
    if asked.command.action is InstructionAction.ACCEPT:
        return None if reason is None else "accept takes no reason code"
    if reason is None:
        return f"{asked.command.action} needs a reason code, {REASONS[0]} to {REASONS[-1]}"
    return None if reason in REASONS else f"{reason} is no reason code; they are {REASONS[0]} to {REASONS[-1]}"


def _repeated(asked: Asked, situation: Situation) -> str | None:
    known, command = _found(asked, situation), asked.command
    before = situation.answers.taken(asked.resource_id, known) or _told(known)
    if before is None or before[0] != command.action:
        return None
    is_same = command.action is not InstructionAction.PARTIAL or before[1] == command.accept_dot_mw
    return f"CAISO has this answer already: {before[0]}" if is_same else None


def _answered(asked: Asked, situation: Situation) -> str | None:
    """CAISO may not have told yet what somebody answered, or have told it and been asked for something else by then."""
    if asked.rule is None or not situation.answers.is_answered_by_somebody(asked.about):
        return None
    return "somebody has answered the instruction, or is about to: no rule answers it any more"


def _told(known: KnownInstruction) -> tuple[str, float | None] | None:
    """What CAISO says was answered."""
    answers = {
        Answer.ACCEPTED: InstructionAction.ACCEPT,
        Answer.DECLINED: InstructionAction.DECLINE,
        Answer.PARTLY: InstructionAction.PARTIAL,
    }
    for answer, action in answers.items():
        if known.answer and known.answer.answer == answer:
            return action.value, known.answer.accept_dot_mw
    return None


def _found(asked: Asked, situation: Situation) -> KnownInstruction:
    known = situation.instruction(asked)
    if known is None:
        raise LookupError(asked.command.instruction_uid)  # the check of the instruction comes before
    return known


_CHECKS: Sequence[tuple[Check, Callable[[Asked, Situation], str | None]]] = (
    (Check.TOPIC, _topic),
    (Check.ENVIRONMENT, _environment),
    (Check.TIME, _time),
    (Check.EXPIRED, _expired),
    (Check.INSTRUCTION, _instruction),
    (Check.WINDOW, _window),
    (Check.MEGAWATTS, _megawatts),
    (Check.REASON, _reason),
    (Check.REPEATED, _repeated),
    (Check.ANSWERED, _answered),
)
