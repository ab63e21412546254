"""Instruction states: whether an instruction is in force, with which megawatts, or whether that cannot be said. Pure.

One table for everything that CAISO tells of it: the batch's type and status, the instruction's own status, and what was
answered to it. Sources, all of the ADS API specification v7:

- batchStatus 0 to 6, statusCode, acceptDot, acceptStatus, reasonCode and the operator's three: section 6, data dictionary.
  `batchSent` is when a batch became Active, so a New one was not sent. The status of an instruction "should always correspond"
  to its batch's and may differ in an emergency cancel: the stricter of the two counts.
- Declined returns an instruction "to its Hour Ahead schedule or 0" (3.2): it is no instruction any more. Partly accepted is
  in force with the accepted megawatts (3.3). A time-out is a minimum accepted (reason 15) or a forced decline (reason 16).
- The words of acceptStatus are not listed anywhere: those of the operations count, whole; one that contains another is a doubt.
- acceptDot without a word or a reason is an answer for hourly pre-dispatch only: CAISO's own five-minute sample carries one.
"""

import re
from collections.abc import Mapping
from enum import IntEnum, StrEnum
from functools import lru_cache
from types import MappingProxyType

import msgspec

from dotbus.contracts.messages import Instruction
from dotbus.contracts.schedules import BatchType


class Status(IntEnum):
    """batchStatus, and statusCode of an instruction."""

    NEW = 0
    ACTIVE = 1
    TIMED_OUT = 2
    CLOSED = 3
    CANCELLED = 4
    OPERATOR_RESPONSE = 5
    DEFERRED = 6


class Answer(StrEnum):
    """What was answered to an instruction; the operator's word counts before the participant's."""

    NONE = "none"
    ACCEPTED = "accepted"
    PARTLY = "partly accepted"
    DECLINED = "declined"
    UNCLEAR = "unclear"


class Standing(StrEnum):
    """What holds of an instruction. IN_DOUBT is what CAISO has not decided, or has said in a way that nobody can read."""

    IN_FORCE = "in force"
    IN_DOUBT = "in doubt"
    NOT_IN_FORCE = "not in force"


class Megawatts(StrEnum):
    """Which of an instruction's megawatts count."""

    INSTRUCTED = "dot"
    ACCEPTED = "acceptDot"
    MINIMUM = "minAccept, or none"
    NONE = "none"


class Holding(msgspec.Struct, frozen=True, gc=False):
    """What holds of an instruction, and the megawatts that it holds with; None when nobody can say, or none do."""

    standing: Standing
    dot_mw: float | None = None


Cell = tuple[Standing, Megawatts]
_IN_FORCE: Cell = (Standing.IN_FORCE, Megawatts.INSTRUCTED)
_AS_ACCEPTED: Cell = (Standing.IN_FORCE, Megawatts.ACCEPTED)
_OUT: Cell = (Standing.NOT_IN_FORCE, Megawatts.NONE)
_DOUBT: Cell = (Standing.IN_DOUBT, Megawatts.INSTRUCTED)
_DOUBT_AS_ACCEPTED: Cell = (Standing.IN_DOUBT, Megawatts.ACCEPTED)
_DOUBT_WITHOUT: Cell = (Standing.IN_DOUBT, Megawatts.NONE)
_MINIMUM_OR_NOTHING: Cell = (Standing.IN_DOUBT, Megawatts.MINIMUM)


def _row(none: Cell, accepted: Cell, partly: Cell, declined: Cell, unclear: Cell) -> Mapping[Answer, Cell]:
    return MappingProxyType(dict(zip(Answer, (none, accepted, partly, declined, unclear), strict=True)))


_STANDS = _row(_IN_FORCE, _AS_ACCEPTED, _AS_ACCEPTED, _OUT, _DOUBT)
_GONE = _row(_OUT, _OUT, _OUT, _OUT, _OUT)
_UNKNOWN = _row(_DOUBT, _DOUBT_AS_ACCEPTED, _DOUBT_AS_ACCEPTED, _DOUBT_WITHOUT, _DOUBT)
_TIMED_OUT = _row(_MINIMUM_OR_NOTHING, _AS_ACCEPTED, _AS_ACCEPTED, _OUT, _DOUBT_WITHOUT)
_OPERATOR_DECIDES = _row(_DOUBT, _AS_ACCEPTED, _DOUBT_AS_ACCEPTED, _DOUBT_WITHOUT, _DOUBT)

_ANY_TYPE: Mapping[int | None, Mapping[Answer, Cell]] = {
    None: _STANDS,  # nothing is said against it
    Status.NEW: _GONE,  # not sent yet; becoming Active raises its revision
    Status.ACTIVE: _STANDS,
    Status.CLOSED: _STANDS,
    Status.CANCELLED: _GONE,
    Status.DEFERRED: _GONE,
}
_OTHER_TYPE = {**_ANY_TYPE, Status.TIMED_OUT: _UNKNOWN, Status.OPERATOR_RESPONSE: _UNKNOWN}
"""Neither status is of another type than hourly (section 6), so nobody says what it means there."""
TABLE: Mapping[int | None, Mapping[int | None, Mapping[Answer, Cell]]] = MappingProxyType(
    {
        **dict.fromkeys(BatchType, _OTHER_TYPE),
        BatchType.HOURLY: {**_ANY_TYPE, Status.TIMED_OUT: _TIMED_OUT, Status.OPERATOR_RESPONSE: _OPERATOR_DECIDES},
    }
)
"""Batch type, status and answer to what holds. A type that is not in it is as most are, a status that is not in it in doubt."""

_DOT = 0
_MINIMUM_ACCEPTED, _FORCED_DECLINE = 15, 16
_STRICTER = (Standing.IN_FORCE, Standing.IN_DOUBT, Standing.NOT_IN_FORCE)
_WORDS: Mapping[str, Answer] = MappingProxyType(
    {
        **dict.fromkeys(("accept", "accepted"), Answer.ACCEPTED),
        **dict.fromkeys(("decline", "declined", "reject", "rejected"), Answer.DECLINED),
        **dict.fromkeys(("partial", "partial accept", "partialaccept", "partial accepted"), Answer.PARTLY),
        **dict.fromkeys(("partially accepted", "partly accepted"), Answer.PARTLY),
    }
)
"""Whole words, in any case, apart by spaces, hyphens or underscores."""
_ANSWER = frozenset({"acceptStatus", "acceptDot", "reasonCode"})
_OPERATORS_ANSWER = frozenset({"oprAcceptStatus", "oprAcceptDot", "oprReasonCode"})
"""By CAISO's names: in `extra` are those that are there and cannot be read."""
_BETWEEN_WORDS = re.compile(r"[\s_-]+")

_WORDS_REMEMBERED = 1000


def is_nothing_by_status(status: int | None) -> bool:
    """Whether a status alone says that nothing of a batch is in force, whatever its type and the answers."""
    return _ANY_TYPE.get(status) is _GONE


class _Answered(msgspec.Struct, frozen=True, gc=False):
    answer: Answer
    dot_mw: float | None


_NO_ANSWER = _Answered(Answer.NONE, None)


def holding(batch_type: int | None, batch_status: int | None, instruction: Instruction) -> Holding:
    """What holds of an instruction. The megawatts are those of its `dot`, which is the limit of a constraint.

    A DOT without megawatts may be any, so that it is in doubt; a start-up or an award needs no `dot` to be in force.
    """
    rows = TABLE.get(batch_type, _OTHER_TYPE)
    answered = _answered(instruction, batch_type)
    by_batch = _held(rows.get(batch_status, _UNKNOWN)[answered.answer], answered, instruction)
    if instruction.status_code is None or instruction.status_code == batch_status:
        return by_batch
    by_itself = _held(rows.get(instruction.status_code, _UNKNOWN)[answered.answer], answered, instruction)
    return max(by_batch, by_itself, key=lambda each: _STRICTER.index(each.standing))


def _held(cell: Cell, answered: _Answered, instruction: Instruction) -> Holding:
    standing, which = cell
    if which is Megawatts.MINIMUM:  # without a minimum both ends of a time-out come to the same
        return Holding(standing if instruction.min_accept_mw else Standing.NOT_IN_FORCE)
    dot_mw = instruction.dot_mw  # what was accepted of nothing is no DOT
    if dot_mw is not None and which is not Megawatts.INSTRUCTED:
        dot_mw = answered.dot_mw if which is Megawatts.ACCEPTED else None
    if standing is Standing.IN_FORCE and dot_mw is None and instruction.instruction_type == _DOT:
        standing = Standing.IN_DOUBT
    return Holding(standing, dot_mw)


def answer_to(batch_type: int | None, instruction: Instruction) -> Answer:
    """What was answered to an instruction."""
    return _answered(instruction, batch_type).answer


def _answered(instruction: Instruction, batch_type: int | None) -> _Answered:
    unread = instruction.extra.keys()
    is_operators = instruction.opr_accept_status is not None or instruction.opr_accept_dot_mw is not None
    if is_operators or not unread.isdisjoint(_OPERATORS_ANSWER):
        said = (instruction.opr_accept_status, instruction.opr_accept_dot_mw, instruction.opr_reason_code)
        names = _OPERATORS_ANSWER
    else:
        said = (instruction.accept_status, instruction.accept_dot_mw, instruction.reason_code)
        names = _ANSWER
    if not unread.isdisjoint(names):
        return _Answered(Answer.UNCLEAR, None)
    word, dot_mw, reason = said
    if word is not None:
        return _by_word(word, dot_mw, instruction)
    if reason is not None:
        return _by_reason(reason, dot_mw, instruction)
    if dot_mw is None or batch_type != BatchType.HOURLY:
        return _NO_ANSWER
    if dot_mw == instruction.dot_mw:
        return _Answered(Answer.ACCEPTED, dot_mw)
    return _Answered(Answer.PARTLY if dot_mw else Answer.DECLINED, dot_mw)


def _by_word(word: str, dot_mw: float | None, instruction: Instruction) -> _Answered:
    answer = _answer_in(word)
    if answer is not Answer.ACCEPTED:
        return _Answered(answer, dot_mw)
    if dot_mw == 0 and instruction.dot_mw:
        return _Answered(Answer.UNCLEAR, dot_mw)  # accepted, and yet nothing of it
    return _Answered(answer, instruction.dot_mw if dot_mw is None else dot_mw)


@lru_cache(_WORDS_REMEMBERED)
def _answer_in(word: str) -> Answer:
    return _WORDS.get(_BETWEEN_WORDS.sub(" ", word).strip().lower(), Answer.UNCLEAR)


def _by_reason(reason: int, dot_mw: float | None, instruction: Instruction) -> _Answered:
    """A reason is given for what was declined or accepted in part only."""
    if reason == _FORCED_DECLINE:
        return _Answered(Answer.DECLINED, None)
    if reason == _MINIMUM_ACCEPTED:
        return _Answered(Answer.PARTLY, instruction.min_accept_mw if dot_mw is None else dot_mw)
    return _Answered(Answer.PARTLY if dot_mw else Answer.DECLINED, dot_mw)
