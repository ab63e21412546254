"""Spans: which time a command line asks for. Days are trade days, which are Pacific; times name their zone. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from caiso.oasis import REPORTS, Market, interval_starts, midnight, newest_from, trade_day, window_end
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Span:
    """From `start`, inclusive, to `end`; `is_latest` when only the newest price of each node in it is wanted."""

    start: datetime
    end: datetime
    is_latest: bool = False


@dataclass(frozen=True)
class Wanted:
    """What the command line says of the time."""

    latest: bool = False
    today: bool = False
    day: str | None = None
    start: str | None = None
    end: str | None = None

    def span(self, market: Market, now: datetime) -> Span:
        """The time that is asked for; today where nothing is said.

        Raises:
            ConfigurationRefused: more than one way is used, or a text is no time.
        """
        given = [self.latest, self.today, self.day is not None, self.start is not None or self.end is not None]
        if sum(given) > 1:
            raise _refused("--latest", "stands alone, and so do --today, --date, and --from with --to")
        if self.latest:
            return Span(newest_from(market, now), window_end(market, now), is_latest=True)
        if self.day is not None:
            return _of_day(_day("--date", self.day))
        if self.start is None and self.end is None:
            return _of_day(trade_day(now))
        if self.start is None:
            raise _refused("--from", "is missing: --to says only where it ends")
        start = _time("--from", self.start)
        end = _time("--to", self.end) if self.end is not None else window_end(market, now)
        if end <= start:
            raise _refused("--to", f"{end:%Y-%m-%dT%H:%MZ} is not after {start:%Y-%m-%dT%H:%MZ}")
        if not interval_starts(start, end, REPORTS[market].interval):
            raise _refused("--to", f"no interval of {market} begins between {start:%Y-%m-%dT%H:%MZ} and {end:%Y-%m-%dT%H:%MZ}")
        return Span(start, end)


def _of_day(day: date) -> Span:
    return Span(midnight(day), midnight(day + _DAY))


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise _refused(option, f"{text!r} is no day as 2026-11-01") from error


def _time(option: str, text: str) -> datetime:
    """A day, which begins at Pacific midnight, or a time with its zone."""
    try:
        return midnight(date.fromisoformat(text))
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise _refused(option, f"{text!r} is neither a day (2026-11-01) nor a time (2026-11-01T08:00Z)") from error
    if at.tzinfo is None:
        raise _refused(option, f"{text!r} names no zone: write {text}Z for UTC, or {text}-08:00")
    return at.astimezone(UTC)


def _refused(option: str, reason: str) -> ConfigurationRefused:
    return ConfigurationRefused([Mistake("command line", option, reason)])
