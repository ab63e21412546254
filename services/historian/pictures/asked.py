"""What every picture is asked with, and the words that are said below all of them (pure)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

from historian.api.request.times import PACIFIC, Range
from historian.pictures.lines import Row, last_of, missing

Api: TypeAlias = Any
"""dotbus.client.Client, which comes with an extra of its own."""


@dataclass(frozen=True)
class Asked:
    """What every picture is asked with.

    Attributes:
        out: the file.
        start, end: the range, in the words of the API.
        zone: Pacific or UTC.
    """

    out: Path
    start: str = "today"
    end: str | None = None
    zone: str = "Pacific"

    @property
    def said(self) -> dict[str, Any]:
        """The same to the API."""
        return {"start": self.start, "end": self.end, "tz": self.zone}

    @property
    def info(self) -> ZoneInfo:
        """The zone."""
        return PACIFIC if self.zone == "Pacific" else ZoneInfo("UTC")

    @property
    def note(self) -> str:
        """In which zone times are."""
        return f"Times are {'Pacific (America/Los_Angeles)' if self.zone == 'Pacific' else 'UTC'}."


def stretch(start: datetime, end: datetime, gone: timedelta, asked: Asked) -> str:
    """A range, and how much of it is missing."""
    of_it = f", of which {gone} is missing" if gone else ""
    return f"from {at_in_words(start, asked)} to {at_in_words(end, asked)}{of_it}"


def at_in_words(at: datetime | None, asked: Asked) -> str:
    """A time as it is shown."""
    return "no time" if at is None else at.astimezone(asked.info).strftime("%Y-%m-%d %H:%M")


def price_note(
    what: str, rows: Sequence[Row], asked: Asked, column: str = "lmp_usd_per_mwh", times: Range | None = None
) -> str:
    """How far prices go, what of them is missing (of their range, if it is named), and how old they are."""
    if not rows:
        return f"{what}: no price in this range."
    start, end = (times.start, times.end) if times else (rows[0]["interval_start"], rows[-1]["interval_end"])
    fetched = last_of(rows, "fetched_at")
    heard = f"OASIS gave the last at {at_in_words(fetched, asked)}" if fetched else "all of them came out of files"
    return f"{what}: prices {stretch(start, end, missing(rows, column, start, end), asked)}; {heard}."
