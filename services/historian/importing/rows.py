"""Rows: what a line of a file says of a price, or why it says none. Pure."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from dotbus.contracts.messages import Environment
from historian.api.problems import Problem
from historian.api.request.times import Clock, Zone, instant_of
from historian.write.reading.digest import PRICE_COLUMNS
from historian.write.reading.events import MAX_NAME, MAX_QUANTITY
from historian.write.storing.price_times import Values

INTERVALS: Final[Mapping[str, timedelta]] = {
    "DAM": timedelta(hours=1),
    "RUC": timedelta(hours=1),
    "HASP": timedelta(minutes=15),
    "RTPD": timedelta(minutes=15),
    "RTM": timedelta(minutes=5),
}
"""How long the intervals of each market are."""
TIMES: Final = ("interval_start", "interval_end")
FIELDS: Final = ("node", "market", "environment", *TIMES, *PRICE_COLUMNS)
"""What a file may have a column of. The names are those of price_latest, and of what `lmp-ingest get` writes."""
_NUMBER: Final = re.compile(r"\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?\s*", re.ASCII)
"""As files write numbers. Python's own words are more: 1_000, and digits of every script."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class RowRefused(Exception):
    """What a line says is no price; the message says why."""


@dataclass(frozen=True)
class Assumed:
    """What holds of every line of a file that has no column for it.

    Attributes:
        environment: which CAISO's prices they are.
        market: of which market they are.
        zone: how times without a zone are meant; None refuses them.
    """

    environment: Environment
    market: str | None = None
    zone: Zone | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A price of a node in an interval, with the line that says it."""

    line: int
    environment: str
    market: str
    interval_start: datetime
    node: str
    values: Values

    @property
    def interval_end(self) -> datetime:
        """When the interval is over."""
        return self.interval_start + INTERVALS[self.market]


def row_of(line: int, fields: Mapping[str, object], assumed: Assumed) -> Row:
    """What a line says.

    Args:
        line: its number in the file.
        fields: by the names of FIELDS, what the file has of them; None, or an empty text, is absent.
        assumed: what holds of those that it has not.

    Raises:
        RowRefused: it says no price.
    """
    market = _text("market", fields.get("market")) or assumed.market or ""
    if market not in INTERVALS:
        said = f"market is {market!r}" if market else "market is missing, and no --market says it"
        raise RowRefused(f"{said}; it is one of {', '.join(INTERVALS)}")
    node = _text("node", fields.get("node"))
    if not node or len(node) > MAX_NAME:
        raise RowRefused("node is missing" if not node else f"node has {len(node)} characters, which no node of CAISO's has")
    start = _time("interval_start", fields.get("interval_start"), assumed.zone)
    if start is None:
        raise RowRefused("interval_start is missing")
    _require_interval(market, start, _time("interval_end", fields.get("interval_end"), assumed.zone))
    values = tuple(_number(name, fields.get(name)) for name in PRICE_COLUMNS)
    if values[0] is None:
        raise RowRefused(f"{PRICE_COLUMNS[0]} is missing")
    return Row(line, _environment(fields.get("environment"), assumed), market, start, node, values)


def _require_interval(market: str, start: datetime, end: datetime | None) -> None:
    length = INTERVALS[market]
    if (start - _EPOCH) % length:
        raise RowRefused(f"{start:%Y-%m-%dT%H:%M:%SZ} begins no interval of {market}, which lasts {length // _MINUTE} minutes")
    if end is not None and end != start + length:
        raise RowRefused(f"interval_end is {end:%Y-%m-%dT%H:%M:%SZ}; an interval of {market} lasts {length // _MINUTE} minutes")


_MINUTE: Final = timedelta(minutes=1)


def _environment(value: object, assumed: Assumed) -> str:
    text = _text("environment", value)
    try:
        return str(Environment(text)) if text else str(assumed.environment)
    except ValueError as error:
        raise RowRefused(f"environment is {text!r}; it is one of {', '.join(Environment)}") from error


def _text(name: str, value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise RowRefused(f"{name} is {value!r}, which is no text")
    return value.strip()


def _number(name: str, value: object) -> float | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    number = math.nan
    if (isinstance(value, int | float) and not isinstance(value, bool)) or (
        isinstance(value, str) and _NUMBER.fullmatch(value)
    ):
        number = float(value)
    if not math.isfinite(number):
        raise RowRefused(f"{name} is {value!r}, which is no number")
    if abs(number) > MAX_QUANTITY:
        raise RowRefused(f"{name} is {value!r}; no price is beyond {MAX_QUANTITY:g}")
    return number


def _time(name: str, value: object, zone: Zone | None) -> datetime | None:
    if value is None or value == "":
        return None
    text = value.isoformat() if isinstance(value, datetime) else value
    if not isinstance(text, str):
        raise RowRefused(f"{name} is {value!r}, which is no time")
    if len(text) <= len("2026-01-01"):
        raise RowRefused(f"{name} is {text!r}, which has no time of day")
    try:
        return instant_of(name, text.strip(), Clock(_EPOCH, zone))
    except Problem as problem:
        raise RowRefused(str(problem)) from problem
