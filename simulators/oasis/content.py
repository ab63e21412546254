"""What the files of a reply have rows of, and the texts of its prices. Pure.

Texts are made by column: of all nodes in an interval together, since a day of the whole network is two million rows.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

from simulators.chance import fraction
from simulators.oasis.calendar import trade_date
from simulators.oasis.prices import PriceColumns, Prices
from simulators.oasis.reports import LMP, Component, Report


@dataclass(frozen=True)
class Content:
    """What a reply has rows of.

    Attributes:
        report: that it is.
        starts: of its intervals, in the order of their times.
        nodes: in the order of their rows.
        left_out: components that it has no rows of, though its report has.
        lmp_text_of: by node, what stands in place of its LMPs.
        times: how often each row stands there.
    """

    report: Report
    starts: tuple[datetime, ...]
    nodes: tuple[str, ...]
    left_out: frozenset[Component] = frozenset()
    lmp_text_of: Mapping[str, str] = field(default_factory=dict)
    times: int = 1

    def components_on(self, start: datetime) -> tuple[Component, ...]:
        """Those that an interval has rows of."""
        return tuple(each for each in self.report.components_on(start) if each not in self.left_out)


Change = Callable[[Content], Content]


@dataclass(frozen=True)
class DayColumn:
    """The rows of one component on one trade date.

    Attributes:
        starts: of the intervals, in the order of the rows, which is not that of their times.
        texts: by node, the number in each of these intervals.
    """

    day: date
    component: Component
    starts: tuple[datetime, ...]
    texts: Sequence[tuple[str, ...]]


def columns_of(content: Content, prices: Prices) -> Iterator[list[DayColumn]]:
    """The rows of each trade date, by component."""
    market = content.report.market
    for day, group in groupby(content.starts, trade_date):
        starts = tuple(group)
        columns = [prices.columns(market, content.nodes, start) for start in starts]
        yield [_day_column(content, day, each, starts, columns) for each in content.components_on(starts[0])]


def _day_column(
    content: Content, day: date, component: Component, starts: tuple[datetime, ...], columns: Sequence[PriceColumns]
) -> DayColumn:
    texts = [numbers(getattr(each, component.field)) for each in columns]
    if component is LMP and content.lmp_text_of:
        texts = [list(map(content.lmp_text_of.get, content.nodes, of_start)) for of_start in texts]
    order = _order(starts, content.report, component) * content.times
    ordered = [texts[place] for place in order]
    return DayColumn(
        day, component, tuple(starts[place] for place in order), list(zip(*ordered, strict=True)) or [()] * len(content.nodes)
    )


def _order(starts: tuple[datetime, ...], report: Report, component: Component) -> list[int]:
    """Rows as recorded: day-ahead in no order at all, elsewhere all first intervals of the hours, then all second ones."""
    places = range(len(starts))
    if report.is_daily:
        return sorted(places, key=lambda place: fraction(component.lmp_type, starts[place].isoformat()))
    return sorted(places, key=lambda place: (in_hour(starts[place], report), place))


def in_hour(start: datetime, report: Report) -> int:
    """The number of an interval in its hour, from 1."""
    return start.minute * 60 // report.interval.seconds + 1


def numbers(usd_per_mwh: Sequence[float]) -> list[str]:
    """Up to five decimals, no exponent, no trailing zeros, as OASIS writes numbers."""
    if len(set(usd_per_mwh)) == 1:
        return [_trimmed(f"{usd_per_mwh[0]:.5f}")] * len(usd_per_mwh)
    texts = ("%.5f " * len(usd_per_mwh) % tuple(usd_per_mwh)).split()
    return [_trimmed(text) if text[-1] == "0" else text for text in texts]


def _trimmed(text: str) -> str:
    trimmed = text.rstrip("0").rstrip(".")
    return "0" if trimmed == "-0" else trimmed


def is_aggregate(node: str) -> bool:
    """Whether a node is an aggregated one (a hub, a load area, a plant of several units)."""
    return node.endswith("-APND")
