"""Answers to instructions: what an answer makes of one, what a time-out does, and a record of everything that was answered.

Pure but for the record (ADS API specification v7, sections 1.3, 3 and 6).
"""

import math
from collections import deque
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from simulators.ads.records import Instruction

REASON_CODES = range(10, 17)
_MINIMUM_ACCEPTED, _FORCED_DECLINE = 15, 16
_KEPT = timedelta(hours=24)


class ResultCode(IntEnum):
    """What the response service answers (section 1.3)."""

    SUCCESS = 0
    INVALID_RESPONSE = 1
    INVALID_RESPONSE_PERIOD = 2
    BATCH_NOT_FOUND = 3
    INSTRUCTION_NOT_FOUND = 4
    UNAUTHORIZED = 5


class AcceptStatus(StrEnum):
    """acceptStatus of an instruction. The specification does not list its values; these are the operations' own words."""

    ACCEPTED = "ACCEPT"
    DECLINED = "DECLINE"
    PARTIAL = "PARTIAL"


def accepted(each: Instruction) -> Instruction:
    """Accepted with the instructed DOT."""
    return _answered(each, AcceptStatus.ACCEPTED, each.dot_mw, None)


def declined(each: Instruction, reason: int) -> Instruction | None:
    """Declined altogether; None when the reason is none of CAISO's."""
    return _answered(each, AcceptStatus.DECLINED, 0.0, reason) if reason in REASON_CODES else None


def partly_accepted(each: Instruction, accept_dot_mw: float, reason: int) -> Instruction | None:
    """Accepted in part; None when the reason is none of CAISO's or the megawatts are outside zero and the hourly DOT.

    Since 2023-11-15 between these two (CAISO's notice of the day before); the specification says between DOT and schedule.
    """
    low_mw, high_mw = sorted((0.0, each.dot_mw or 0.0))
    if reason not in REASON_CODES or not math.isfinite(accept_dot_mw) or not low_mw <= accept_dot_mw <= high_mw:
        return None
    return _answered(each, AcceptStatus.PARTIAL, accept_dot_mw, reason)


def timed_out(each: Instruction) -> Instruction:
    """An instruction whose response period is over: without an answer its minimum is accepted, or it is declined."""
    if each.accept_status:
        return each
    if each.min_accept_mw:
        return _answered(each, AcceptStatus.PARTIAL, each.min_accept_mw, _MINIMUM_ACCEPTED)
    return _answered(each, AcceptStatus.DECLINED, 0.0, _FORCED_DECLINE)


def _answered(each: Instruction, status: AcceptStatus, accept_dot_mw: float | None, reason: int | None) -> Instruction:
    return replace(each, accept_status=status.value, accept_dot_mw=accept_dot_mw, reason_code=reason)


@dataclass(frozen=True)
class Answered:
    """A call of the response service, and its result code."""

    answered_at: datetime
    client: str
    operation: str
    batch_uid: str
    instruction_uid: str
    accept_dot_mw: float | None
    reason_code: int | None
    result_code: ResultCode


class Answers:
    """Every call of the response service of the last 24 hours, whatever came of it."""

    def __init__(self) -> None:
        self._all: deque[Answered] = deque()

    def note(self, answer: Answered) -> None:
        """It was answered."""
        self._all.append(answer)
        while self._all[0].answered_at < answer.answered_at - _KEPT:
            self._all.popleft()

    def all(self) -> list[Answered]:
        """The oldest first."""
        return list(self._all)
