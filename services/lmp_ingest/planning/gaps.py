"""Gaps: times of a market of which prices are missing for good, unless OASIS gives them later. Pure.

While an interval lies within the lookback, it is asked for with every wide window. What leaves the lookback without a price is
a gap: it is told, it survives a restart beside the cursor, and it is asked for again while nothing else is due. It ends when
OASIS gives the prices, or is given up: see `missing.gap_answered`.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from caiso.oasis import REPORTS, Market, floor, midnight, trade_day

MOST_GAPS = 50
"""More are joined, the oldest first, what lies between them included: asking for too much tells nothing twice."""

NONE = "none"
_MINUTE = "%Y-%m-%dT%H:%MZ"


class Span(NamedTuple):
    """A time from `start`, inclusive, to `end`."""

    start: datetime
    end: datetime

    def __str__(self) -> str:
        return f"{self.start:{_MINUTE}}/{self.end:{_MINUTE}}"


def cursor_name(market: Market) -> str:
    """The name beside the cursors under which a market's gaps are kept and shown."""
    return f"{market} missing"


def piece_of(market: Market, at: datetime) -> Span:
    """What one request for a group of nodes is answered with: the trade day or the hour that holds a time."""
    report = REPORTS[market]
    if report.is_daily:
        day = trade_day(at)
        return Span(midnight(day), midnight(day + timedelta(days=1)))
    start = floor(at, report.span)
    return Span(start, start + report.span)


def joined(spans: Iterable[Span]) -> tuple[Span, ...]:
    """The same time in the fewest spans, in order; what overlaps or touches is one."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.start <= found[-1].end:
            found[-1] = Span(found[-1].start, max(found[-1].end, span.end))
        elif span.start < span.end:
            found.append(span)
    while len(found) > MOST_GAPS:
        found[:2] = [Span(found[0].start, found[1].end)]
    return tuple(found)


def without(spans: Iterable[Span], filled: Sequence[Span]) -> tuple[Span, ...]:
    """What of some spans is left when others are filled."""
    left = list(spans)
    for gone in filled:
        before = (Span(one.start, min(one.end, gone.start)) for one in left)
        after = (Span(max(one.start, gone.end), one.end) for one in left)
        left = [one for one in (*before, *after) if one.start < one.end]
    return joined(left)


def common(spans: Iterable[Span], others: Sequence[Span]) -> tuple[Span, ...]:
    """What of some spans is in others, too."""
    both = (Span(max(one.start, other.start), min(one.end, other.end)) for one in spans for other in others)
    return joined(span for span in both if span.start < span.end)


def write(spans: Sequence[Span]) -> str:
    """The gaps of a market as its outbox and its status name them."""
    return " ".join(map(str, spans)) or NONE


def read(text: str) -> tuple[Span, ...]:
    """The gaps that `write` wrote; what it did not write is passed over."""
    return joined(span for part in text.split() if (span := _span(part)))


def _span(text: str) -> Span | None:
    start, _, end = text.partition("/")
    try:
        return Span(datetime.strptime(start, _MINUTE).replace(tzinfo=UTC), datetime.strptime(end, _MINUTE).replace(tzinfo=UTC))
    except ValueError:
        return None
