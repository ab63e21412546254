"""Prices: of nodes in a market, as they are known now or were at a moment: by interval, or means of hours and trade dates.

A mean is weighted by the length of intervals. It is told with how much of its time has a price, and where one interval lacks a
component there is no mean of that component.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from historian.api.questions.hours import HOURS, OF_OTHER_HOURS, kept_hours
from historian.api.questions.question import Column, Kind, Question
from historian.api.request.times import PACIFIC, Range, first_hour_from, first_trade_day_from
from historian.tables.means import mean_columns

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
_FETCHED = Column(
    "fetched_at",
    Kind.TIME,
    "",
    "When OASIS gave the price; the newest one of a mean's intervals. Null where it came out of a file, which does not say it.",
)
_IMPORTED_FROM = Column(
    "imported_from", Kind.TEXT, "", "The NAME that a file was imported by; null where an ingest had the price of OASIS."
)
_COVERED = Column("covered_s", Kind.NUMBER, "s", "How much of the interval has a price.")
_LENGTH = Column("length_s", Kind.NUMBER, "s", "How long the interval is: a trade date has 23 or 25 hours where clocks change.")
_IMPORTED = Column("imported_s", Kind.NUMBER, "s", "How much of covered_s has a price that came out of a file.")
_KEY = ("node", "interval_start")
COMPONENTS = tuple(component.column for component in Component)
RAW_COLUMNS = (_START, _END, _NODE, _MARKET, *COMPONENTS, _FETCHED, _IMPORTED_FROM)
MEAN_COLUMNS = (_START, _END, _NODE, _MARKET, *COMPONENTS, _COVERED, _LENGTH, _FETCHED, _IMPORTED)
_TOLD = ", ".join(
    [
        "price.interval_start",
        "report.interval_end",
        "report.market",
        *(column.name for column in COMPONENTS),
        "report.told_at AS fetched_at",
        "report.imported_from",
    ]
)
_NEWEST = "report.fetched_at DESC, report.report_no"
"""Which of several prices of one interval counts, as price_latest says. One out of a file stands in the table as the first."""
# Implied by the range, and said since the index that finds a node's rows by time has their day.
_DAYS = """(price.interval_start AT TIME ZONE 'UTC')::date BETWEEN
            (%(start)s::timestamptz AT TIME ZONE 'UTC')::date AND (%(end)s::timestamptz AT TIME ZONE 'UTC')::date"""


@dataclass(frozen=True)
class PricesWanted:
    """What is asked for.

    Attributes:
        nodes: by name; none is all of them.
        times: intervals that start in it.
        as_of: as OASIS had told by then, which nobody knows of a price out of a file; None is as it is known now.
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
        return _raw(wanted)
    return _means(wanted)


def _raw(wanted: PricesWanted) -> Question:
    columns = (_START, _END, _NODE, _MARKET, *_columns(wanted.components), _FETCHED, _IMPORTED_FROM)
    told = f"SELECT {', '.join(column.name for column in columns)} FROM"  # names of ours
    return Question(f"{told} {_by_node(wanted, _of_node(wanted))}", _parameters(wanted), columns, _KEY, _soonest(wanted, told))


def _means(wanted: PricesWanted) -> Question:
    first = first_hour_from if wanted.resolution is Resolution.HOUR else first_trade_day_from
    whole = replace(wanted, times=Range(first(wanted.times.start), first(wanted.times.end)))
    columns = tuple(column for column in MEAN_COLUMNS if column not in COMPONENTS or column in _columns(wanted.components))
    told = f"SELECT {', '.join(column.name for column in columns)} FROM"  # names of ours
    if wanted.resolution is Resolution.HOUR and wanted.as_of is None:
        sql = f"{HOURS} {told} {_by_node(whole, _kept_or_made(whole))}"
    else:
        sql = f"{told} {_by_node(whole, _mean_rows(whole, '', f'({_of_node(whole)})'))}"
    soonest = _soonest(whole, "SELECT * FROM")
    soonest = soonest and _mean_rows(whole, "node, ", f"({soonest})")
    return Question(sql, _parameters(whole), columns, _KEY, soonest and f"{told} ({soonest}) AS mean")


def _kept_or_made(wanted: PricesWanted) -> str:
    """Hours that are kept, and those that are not, of their prices."""
    of_others = f"({_of_node(wanted, OF_OTHER_HOURS)})"
    return (
        f"{kept_hours(component.column.name for component in wanted.components)} UNION ALL {_mean_rows(wanted, '', of_others)}"
    )


def _by_node(wanted: PricesWanted, of_node: str) -> str:
    """Node after node in the order of their names, so that a page reads the nodes that are on it and no others."""
    named = "WHERE node.node = ANY(%(nodes)s)" if wanted.nodes else ""
    return f"node CROSS JOIN LATERAL ({of_node}) AS told {named}"


def _of_node(wanted: PricesWanted, which: str = "") -> str:
    """Prices of one node as they are known, or were then; those that fulfil a condition (`AND ...`), where there is one."""
    return f"""
        SELECT DISTINCT ON (price.interval_start) {_TOLD}
        FROM price JOIN ({_reports(wanted)}) AS report USING (report_no)
        WHERE price.node_no = node.node_no AND price.interval_start >= %(start)s AND price.interval_start < %(end)s
          AND {_DAYS}{which}
        ORDER BY price.interval_start, {_NEWEST}"""  # noqa: S608  # names of ours


def _soonest(wanted: PricesWanted, told: str) -> str:
    """Prices of all nodes as they are stored, which is by time; what may have been revised comes last, sorted."""
    if wanted.nodes:
        return ""
    found = """
        FROM reports AS report JOIN price USING (report_no) JOIN node USING (node_no)
        WHERE price.interval_start >= %(start)s AND price.interval_start < %(end)s AND"""
    return f"""
        {told} (
          WITH reports AS MATERIALIZED (
            SELECT *, min(fetched_at) OVER same <> max(fetched_at) OVER same AS may_be_revised
            FROM ({_reports(wanted)}) AS report
            WHERE interval_start >= %(start)s AND interval_start < %(end)s
            WINDOW same AS (PARTITION BY interval_start)
          )
          SELECT node, {_TOLD} {found} NOT report.may_be_revised
          UNION ALL (
            SELECT DISTINCT ON (price.node_no, price.interval_start) node, {_TOLD} {found} report.may_be_revised
            ORDER BY price.node_no, price.interval_start, {_NEWEST}
          )
        ) AS told"""  # noqa: S608  # names of ours


def _reports(wanted: PricesWanted) -> str:
    """The reports that may count. `told_at` is when OASIS gave it as far as anybody knows, and so what may be told."""
    known = "AND report.fetched_at <= %(as_of)s AND NOT of_file" if wanted.as_of else ""
    return f"""
        SELECT report_no, interval_start, interval_end, market, fetched_at,
          CASE WHEN NOT of_file THEN fetched_at END AS told_at, CASE WHEN of_file THEN substr(source, 8) END AS imported_from
        FROM price_report AS report JOIN origin USING (origin_no)
        CROSS JOIN LATERAL (SELECT starts_with(source, 'import/') AS of_file) AS kind
        WHERE report.environment = %(environment)s::environment AND market = %(market)s {known}"""  # noqa: S608  # names of ours


def _parameters(wanted: PricesWanted) -> dict[str, object]:
    parameters: dict[str, object] = {
        "environment": wanted.environment,
        "market": wanted.market,
        "start": wanted.times.start,
        "end": wanted.times.end,
    }
    parameters |= {"nodes": list(wanted.nodes)} if wanted.nodes else {}
    return parameters | ({"as_of": wanted.as_of} if wanted.as_of else {})


def _mean_rows(wanted: PricesWanted, by: str, raw: str) -> str:
    """A row for each hour or trade date, and for each of what it is grouped `by` beside them."""
    zone = "UTC" if wanted.resolution is Resolution.HOUR else PACIFIC.key
    begins = f"date_trunc('{wanted.resolution}', interval_start AT TIME ZONE '{zone}')"
    ends = f"(begins + interval '1 {wanted.resolution}') AT TIME ZONE '{zone}'"
    return f"""
        SELECT {by}begins AT TIME ZONE '{zone}' AS interval_start, {ends} AS interval_end, %(market)s AS market,
          date_part('epoch', {ends} - begins AT TIME ZONE '{zone}') AS length_s,
          {mean_columns(component.column.name for component in wanted.components)}
        FROM (
          SELECT *, {begins} AS begins, date_part('epoch', interval_end - interval_start) AS seconds, fetched_at AS told_at
          FROM {raw} AS told WHERE lmp_usd_per_mwh IS NOT NULL
        ) AS weighed
        GROUP BY {by}begins"""  # noqa: S608  # names of ours


def _columns(components: tuple[Component, ...]) -> tuple[Column, ...]:
    return tuple(component.column for component in components)
