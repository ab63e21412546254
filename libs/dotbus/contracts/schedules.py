"""Schedules: which of CAISO's schedules a DOT is of, by its batch's type, and which is in force. The one place that says so."""

from collections.abc import Iterable
from datetime import UTC, datetime
from enum import IntEnum, StrEnum

from dotbus.contracts.messages import DotInterval

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Schedule(StrEnum):
    """Which of CAISO's schedules a resource follows. The other one is shown as a quantity of its own and never stands in."""

    FIVE_MINUTE = "five-minute"
    HOURLY = "hourly"


class BatchType(IntEnum):
    """What a batch is for (batchType). Out-of-sequence is exceptional dispatch; 10 and 12 are of later API versions."""

    FIVE_MINUTE = 0
    HOURLY = 1
    COMMITMENT = 2
    AS_AWARD = 3
    OUT_OF_SEQUENCE = 4
    HOURLY_AS_AWARD = 5
    FLEX_RAMP_AWARD = 10
    AS_TEST = 12


DOT_BATCH_TYPES = frozenset({BatchType.FIVE_MINUTE, BatchType.HOURLY, BatchType.OUT_OF_SEQUENCE})
"""The types whose instructions carry DOTs."""


_BOTH, _FIVE_MINUTE, _HOURLY = frozenset(Schedule), frozenset({Schedule.FIVE_MINUTE}), frozenset({Schedule.HOURLY})


def schedules_of(batch_type: int | None) -> frozenset[Schedule]:
    """The schedules that the DOTs of a batch belong to: an out-of-sequence dispatch replaces those of both."""
    if batch_type == BatchType.OUT_OF_SEQUENCE:
        return _BOTH
    return _HOURLY if batch_type == BatchType.HOURLY else _FIVE_MINUTE


def of_schedule(intervals: Iterable[DotInterval], schedule: Schedule) -> list[DotInterval]:
    """The DOTs of one schedule."""
    return [interval for interval in intervals if schedule in schedules_of(interval.batch_type)]


def in_force(intervals: Iterable[DotInterval], at: datetime) -> DotInterval | None:
    """The DOT whose interval covers a time (its end does not belong to it), None when there is none."""
    covering = [interval for interval in intervals if interval.interval_start <= at < interval.interval_end]
    return max(covering, key=precedence, default=None)


def precedence(interval: DotInterval) -> tuple[datetime, int, str]:
    """Of several DOTs that cover a time the greatest counts: by its rank; of equals, which are in doubt, the greater UID."""
    return *rank(interval), interval.instruction_uid


def rank(interval: DotInterval) -> tuple[datetime, int]:
    """What decides between DOTs of one time: the batch that ADS received last, then the higher revision; none counts as 0."""
    return interval.batch_received_at or _LONG_AGO, interval.revision_no or 0
