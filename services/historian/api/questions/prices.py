"""Prices: of nodes in a market, as they are known now or were at a moment: by interval, or means of hours and trade dates.

A mean is weighted by the length of intervals. It is told with how much of its time has a price, and where one interval lacks a
component there is no mean of that component.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from historian.api.asked.times import Range, first_hour_from, first_trade_day_from
from historian.api.questions.question import Column, Kind, Question

UNIT = "USD/MWh"


class Resolution(StrEnum):
    """What a row is of."""

    RAW = "raw"
    HOUR = "hour"
    DAY = "day"


class Component(StrEnum):
    """What a price is made of, as its column begins."""

    LMP = "lmp"
    ENERGY = "energy"
    CONGESTION = "congestion"
    LOSS = "loss"
    GHG = "ghg"

    @property
    def column(self) -> Column:
        """The column that tells it."""
        return Column(f"{self}_usd_per_mwh", Kind.NUMBER, UNIT, _MEANINGS[self])


_MEANINGS = {
    Component.LMP: "Locational marginal price.",
    Component.ENERGY: "Its energy component.",
    Component.CONGESTION: "Its congestion component.",
    Component.LOSS: "Its loss component.",
    Component.GHG: "Its greenhouse gas component.",
}
_START = Column("interval_start", Kind.TIME, "", "Start of the interval.")
_END = Column("interval_end", Kind.TIME, "", "End of the interval, which does not belong to it.")
_NODE = Column("node", Kind.TEXT, "", "CAISO's name of the pricing node, hub or aggregation point.")
_MARKET = Column("market", Kind.TEXT, "", "Market: DAM, RUC, HASP, RTPD or RTM.")
_FETCHED = Column("fetched_at", Kind.TIME, "", "When OASIS gave the price; the newest one of a mean's intervals.")
_COVERED = Column("covered_s", Kind.NUMBER, "s", "How much of the interval has a price.")
_LENGTH = Column("length_s", Kind.NUMBER, "s", "How long the interval is: a trade date has 23 or 25 hours where clocks change.")
COMPONENTS = tuple(component.column for component in Component)
RAW_COLUMNS = (_START, _END, _NODE, _MARKET, *COMPONENTS, _FETCHED)
MEAN_COLUMNS = (_START, _END, _NODE, _MARKET, *COMPONENTS, _COVERED, _LENGTH, _FETCHED)


@dataclass(frozen=True)
class PricesWanted:
    """What is asked for.

    Attributes:
        nodes: by name; none is all of them.
        times: intervals that start in it.
        as_of: as OASIS had told by then; None is as it is known now.
    """

    environment: str
    market: str
    nodes: tuple[str, ...]
    times: Range
    resolution: Resolution = Resolution.RAW
    components: tuple[Component, ...] = tuple(Component)
    as_of: datetime | None = None


def prices(wanted: PricesWanted) -> Question:
    """The question for prices. Its rows are ordered by node, then time."""
    if wanted.resolution is Resolution.RAW:
        return _raw(wanted, wanted.components)
    return _means(wanted)


def _raw(wanted: PricesWanted, components: tuple[Component, ...]) -> Question:
    columns = (_START, _END, _NODE, _MARKET, *(component.column for component in components), _FETCHED)
    names = ", ".join(column.name for column in columns)
    of_nodes = "AND node = ANY(%(nodes)s)" if wanted.nodes else ""
    known = "AND fetched_at <= %(as_of)s" if wanted.as_of else ""
    conditions = f"""environment = %(environment)s::environment AND market = %(market)s {of_nodes}
          AND interval_start >= %(start)s AND interval_start < %(end)s {known}"""
    # The rule of price_latest, among what was known by then.
    newest = "DISTINCT ON (node, interval_start)" if wanted.as_of else ""
    order = "ORDER BY node, interval_start, fetched_at DESC, report_no" if wanted.as_of else ""
    view = "price_history" if wanted.as_of else "price_latest"
    sql = f"SELECT {newest} {names} FROM {view} WHERE {conditions} {order}"  # noqa: S608  # names of ours
    parameters: dict[str, object] = {
        "environment": wanted.environment,
        "market": wanted.market,
        "start": wanted.times.start,
        "end": wanted.times.end,
    }
    parameters |= {"nodes": list(wanted.nodes)} if wanted.nodes else {}
    parameters |= {"as_of": wanted.as_of} if wanted.as_of else {}
    return Question(sql, parameters, columns, key=("node", "interval_start"))


def _means(wanted: PricesWanted) -> Question:
    first = first_hour_from if wanted.resolution is Resolution.HOUR else first_trade_day_from
    whole = Range(first(wanted.times.start), first(wanted.times.end))
    raw = _raw(replace(wanted, times=whole), tuple(dict.fromkeys((Component.LMP, *wanted.components))))
    zone = "UTC" if wanted.resolution is Resolution.HOUR else "America/Los_Angeles"
    begins = f"date_trunc('{wanted.resolution}', interval_start AT TIME ZONE '{zone}')"
    columns = tuple(column for column in MEAN_COLUMNS if column not in COMPONENTS or column in _columns(wanted.components))
    means = "".join(f", {_mean(component)}" for component in wanted.components)
    sql = f"""
        SELECT begins AT TIME ZONE '{zone}' AS interval_start, (begins + interval '1 {wanted.resolution}') AT TIME ZONE '{zone}'
          AS interval_end, node, market{means}, sum(seconds) AS covered_s,
          extract(epoch FROM (begins + interval '1 {wanted.resolution}') AT TIME ZONE '{zone}' - begins AT TIME ZONE '{zone}')
          ::double precision AS length_s, max(fetched_at) AS fetched_at
        FROM (
          SELECT *, {begins} AS begins, extract(epoch FROM interval_end - interval_start)::double precision AS seconds
          FROM ({raw.sql}) AS told WHERE lmp_usd_per_mwh IS NOT NULL
        ) AS weighed
        GROUP BY node, market, begins"""  # noqa: S608  # names of ours
    return Question(sql, raw.parameters, columns, key=raw.key)


def _columns(components: tuple[Component, ...]) -> tuple[Column, ...]:
    return tuple(component.column for component in components)


def _mean(component: Component) -> str:
    name = component.column.name
    return f"CASE WHEN count({name}) = count(*) THEN sum({name} * seconds) / sum(seconds) END AS {name}"
