"""Times: instants, trade dates and ranges out of the words of a request (pure).

A time says its zone: an offset or Z with it, or `tz` beside it. A date alone is a trade date: from midnight to midnight in
California, 23 or 25 hours long where clocks change. A range is half open: its start belongs to it, its end does not.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

from historian.api.problems import Problem, Sort, clipped

PACIFIC: Final = ZoneInfo("America/Los_Angeles")
FIRST_YEAR: Final = 1998
"""CAISO began to run its markets in it."""
LAST_YEAR: Final = 2199
_INSTANT: Final = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)[Tt ](?P<time>\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)(?P<zone>[Zz]|[+\- ]\d\d:?\d\d)?", re.ASCII
)
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DAYS_FROM_TODAY: Final = {"yesterday": -1, "today": 0, "tomorrow": 1}
_ONE_DAY: Final = timedelta(days=1)
_SUCH_AS: Final = "such as 2026-03-01T08:00Z, 2026-03-01T00:00-08:00, a trade date 2026-03-01, today or yesterday"


class Zone(StrEnum):
    """What `tz` says: how a time without zone is meant, and in which zone times are answered."""

    UTC = "UTC"
    PACIFIC = "Pacific"

    @property
    def info(self) -> ZoneInfo:
        """The zone itself."""
        return PACIFIC if self is Zone.PACIFIC else ZoneInfo("UTC")


@dataclass(frozen=True)
class Range:
    """A half open range of time, UTC."""

    start: datetime
    end: datetime

    @property
    def length(self) -> timedelta:
        """How long it is."""
        return self.end - self.start


@dataclass(frozen=True)
class Clock:
    """What the words of a request are held against.

    Attributes:
        now: UTC.
        zone: what `tz` says; None where it is not given.
    """

    now: datetime
    zone: Zone | None


def trade_day(day: date) -> Range:
    """A trade date: midnight to midnight in California."""
    return Range(_midnight(day), _midnight(day + _ONE_DAY))


def trade_date_of(instant: datetime) -> date:
    """The trade date that an instant lies in."""
    return instant.astimezone(PACIFIC).date()


def range_of(start: str, end: str | None, clock: Clock, longest: timedelta) -> Range:
    """The range that `start` and `end` name. Without an end it goes to the end of the trade date that it starts in.

    Raises:
        Problem: a time is not understood, or the range is reversed, empty or longer than may be asked for at once.
    """
    begins = instant_of("start", start, clock)
    ends = instant_of("end", end, clock) if end else trade_day(trade_date_of(begins)).end
    if ends <= begins:
        said = f"start {clipped(start)} is not before end {clipped(end or '')}: the range is from start up to end, without it"
        raise Problem(Sort.BAD_RANGE, said)
    if ends - begins > longest:
        said = f"the range is {_days(ends - begins)} days; at most {_days(longest)} can be asked for at once: ask in parts"
        raise Problem(Sort.BAD_RANGE, said)
    return Range(begins, ends)


def instant_of(name: str, text: str, clock: Clock) -> datetime:
    """The instant, UTC, that a parameter names; of a trade date its midnight.

    Raises:
        Problem: it names none, or more than one.
    """
    if text == "now":
        return clock.now
    if found := _INSTANT.fullmatch(text):
        naive = _naive(name, text, f"{found['date']}T{found['time']}")
        return _zoned(name, text, naive, found["zone"], clock.zone)
    return _midnight(date_of(name, text, clock))


def date_of(name: str, text: str, clock: Clock) -> date:
    """The trade date that a parameter names.

    Raises:
        Problem: it names none.
    """
    if text in _DAYS_FROM_TODAY:
        return trade_date_of(clock.now) + _DAYS_FROM_TODAY[text] * _ONE_DAY
    if not _DATE.fullmatch(text):
        raise Problem(Sort.BAD_TIME, f"{name}: {clipped(text)} is no time; say one {_SUCH_AS}")
    return _naive(name, text, text).date()


def first_hour_from(instant: datetime) -> datetime:
    """The first start of an hour that is not before an instant."""
    floor = instant.replace(minute=0, second=0, microsecond=0)
    return floor if floor == instant else floor + timedelta(hours=1)


def first_trade_day_from(instant: datetime) -> datetime:
    """The first start of a trade date that is not before an instant."""
    day = trade_day(trade_date_of(instant))
    return day.start if day.start == instant else day.end


def _naive(name: str, text: str, written: str) -> datetime:
    try:
        naive = datetime.fromisoformat(written)
    except ValueError as error:
        raise Problem(Sort.BAD_TIME, f"{name}: {clipped(text)} is no time: {error}; say one {_SUCH_AS}") from error
    if not FIRST_YEAR <= naive.year <= LAST_YEAR:
        raise Problem(Sort.BAD_TIME, f"{name}: {clipped(text)} is not between {FIRST_YEAR} and {LAST_YEAR}")
    return naive


def _zoned(name: str, text: str, naive: datetime, offset: str | None, zone: Zone | None) -> datetime:
    if offset:
        # A plus sign that was not encoded comes as a space.
        return _offset(name, text, naive, offset.replace(" ", "+"))
    match zone:
        case Zone.UTC:
            return naive.replace(tzinfo=UTC)
        case Zone.PACIFIC:
            return _pacific(name, text, naive)
    raise Problem(
        Sort.BAD_TIME, f"{name}: {clipped(text)} does not say its zone: end it in Z or an offset, or say tz=Pacific or tz=UTC"
    )


def _offset(name: str, text: str, naive: datetime, offset: str) -> datetime:
    try:
        return datetime.fromisoformat(f"{naive.isoformat()}{offset.upper()}").astimezone(UTC)
    except ValueError as error:
        raise Problem(Sort.BAD_TIME, f"{name}: {clipped(text)} has no such offset: {offset}") from error


def _pacific(name: str, text: str, naive: datetime) -> datetime:
    earlier, later = (naive.replace(tzinfo=PACIFIC, fold=fold).astimezone(UTC) for fold in (0, 1))
    if earlier == later:
        return earlier
    if earlier.astimezone(PACIFIC).replace(tzinfo=None) != naive:
        after = later.astimezone(PACIFIC) if later > earlier else earlier.astimezone(PACIFIC)
        said = f"{name}: {clipped(text)} does not exist in California: clocks go forward then; say {after.isoformat()}"
        raise Problem(Sort.BAD_TIME, said)
    either = " or ".join(one.astimezone(PACIFIC).isoformat() for one in (earlier, later))
    raise Problem(Sort.BAD_TIME, f"{name}: {clipped(text)} is there twice in California: clocks go back then; say {either}")


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=PACIFIC).astimezone(UTC)


def _days(length: timedelta) -> str:
    return f"{round(length / _ONE_DAY, 2):g}"


Shown = Callable[[datetime], datetime]
"""An instant in the zone that it is answered in."""


def in_utc(instant: datetime) -> datetime:
    """The same instant in UTC."""
    return instant.astimezone(UTC)


def shown_in(zone: Zone | None) -> Shown:
    """How instants are answered: in UTC unless `tz` says Pacific."""
    if zone is Zone.PACIFIC:
        return lambda instant: instant.astimezone(PACIFIC)
    return in_utc
