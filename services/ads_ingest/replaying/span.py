"""Span: from when to when something of the past is played."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake


@dataclass(frozen=True)
class Span:
    """From when to when, both included; None is as far as there is anything."""

    begin: datetime | None = None
    end: datetime | None = None

    def __contains__(self, time: datetime) -> bool:
        return (self.begin is None or time >= self.begin) and (self.end is None or time <= self.end)

    @classmethod
    def told(cls, begin: str | None, end: str | None) -> "Span":
        """As the command line says it.

        Raises:
            ConfigurationRefused: one of the two is no time, or names no zone.
        """
        return cls(_time(begin, "--from"), _time(end, "--to"))

    def nothing_of(self, what: str, times: Sequence[datetime]) -> str:
        """That there is nothing in it, and between which times there is."""
        has = f"; it has {times[0]:%Y-%m-%dT%H:%M:%SZ} to {times[-1]:%Y-%m-%dT%H:%M:%SZ}" if times else ""
        return f"has no {what} of that time{has}"


def _time(text: str | None, option: str) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationRefused(
            [Mistake("command line", option, f"{text!r} is no time such as 2026-03-01T00:00Z")]
        ) from error
    if time.tzinfo is None:
        told = f"{text!r} names no zone: write a time with one, as {time:%Y-%m-%dT%H:%M}Z or with -08:00"
        raise ConfigurationRefused([Mistake("command line", option, told)])
    return time
