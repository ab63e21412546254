"""The predecessor's questions (caiso_connector, an HTTP API over one table of prices): how many, from when to when, of what.

It called a price `mw`, as OASIS calls that column of its reports; it was USD/MWh all the time. Its prices were day-ahead ones.
"""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final

from historian.api.questions.question import Column, Kind, Question
from historian.api.request.times import PACIFIC, Range, trade_date_of

PART: Final = timedelta(days=31)
"""So much of a node's prices is sorted at once."""
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
# Reports say how many nodes they have, so that their prices need not be read; those that were stored before 0004 do not.
COUNT = Question(
    """
    SELECT coalesce(sum(upper(nodes) - lower(nodes)), 0)::bigint + (
        SELECT count(*) FROM price JOIN price_report AS old USING (report_no)
        WHERE old.environment = %(environment)s::environment AND old.node_nos IS NULL
          AND price.interval_start <= (SELECT max(interval_start) FROM price_report WHERE node_nos IS NULL)
      ) AS row_count
    FROM price_report AS report CROSS JOIN LATERAL unnest(report.node_nos) AS nodes
    WHERE report.environment = %(environment)s::environment""",
    {},
    (Column("row_count", Kind.INTEGER, "", "Prices that are kept, every revision."),),
)
RANGES = Question(
    "SELECT min(interval_start) AS oldest, max(interval_start) AS newest FROM price_report"
    " WHERE environment = %(environment)s::environment",
    {},
    (
        Column("oldest", Kind.TIME, "", "Start of the first interval of which a price is kept."),
        Column("newest", Kind.TIME, "", "Start of the last one."),
    ),
)
PRICE_COLUMNS = (
    Column("time", Kind.TIME, "", "Start of the interval."),
    Column("node", Kind.TEXT, "", "CAISO's name of the node."),
    Column("mw", Kind.NUMBER, "USD/MWh", "The price under the name that the predecessor gave it; no megawatts."),
    Column("lmp_usd_per_mwh", Kind.NUMBER, "USD/MWh", "The price."),
)
MEAN_COLUMNS = (
    Column("mean_lmp", Kind.NUMBER, "USD/MWh", "Mean of the price, weighted by the length of intervals; null without any."),
    Column("covered_s", Kind.NUMBER, "s", "How much time the mean is of."),
)


def prices_of_node(environment: str, market: str, node: str, times: Range) -> Question:
    """The question for prices of a node as they are known now, by time."""
    sql = f"""
        SELECT interval_start AS "time", node, lmp_usd_per_mwh AS mw, lmp_usd_per_mwh FROM price_latest
        WHERE {_OF_NODE}
          AND {_DAY} BETWEEN (%(start)s::timestamptz AT TIME ZONE 'UTC')::date
            AND (%(end)s::timestamptz AT TIME ZONE 'UTC')::date"""  # noqa: S608  # words of ours
    return Question(sql, _bound(environment, market, node, times), PRICE_COLUMNS, key=("time",))


def parts_of(times: Range) -> Iterator[Range]:
    """A long range in parts, so that a page does not sort all that comes after it."""
    start = times.start
    while start < times.end:
        end = min(start + PART, times.end)
        yield Range(start, end)
        start = end


def mean_of_weekday(environment: str, market: str, node: str, weekday: str, times: Range) -> Question:
    """The question for the mean price of a node over the trade dates of a weekday in a range."""
    sql = f"""
        SELECT sum(lmp_usd_per_mwh * seconds) / sum(seconds) AS mean_lmp, coalesce(sum(seconds), 0) AS covered_s FROM (
          SELECT lmp_usd_per_mwh, extract(epoch FROM interval_end - interval_start)::double precision AS seconds
          FROM price_latest
          WHERE {_OF_NODE} AND {_DAY} = ANY(%(days)s::date[]) AND lmp_usd_per_mwh IS NOT NULL
            AND extract(isodow FROM interval_start AT TIME ZONE '{PACIFIC.key}') = %(weekday)s
        ) AS told"""  # noqa: S608  # words of ours
    number = WEEKDAYS.index(weekday) + 1
    bound = {**_bound(environment, market, node, times), "weekday": number, "days": _utc_days(number, times)}
    return Question(sql, bound, MEAN_COLUMNS)


_OF_NODE = """environment = %(environment)s::environment AND market = %(market)s AND node = %(node)s
          AND interval_start >= %(start)s AND interval_start < %(end)s"""
# As the index has it that finds a node's rows by their day.
_DAY = "(interval_start AT TIME ZONE 'UTC')::date"


def _utc_days(weekday: int, times: Range) -> list[date]:
    """The days of UTC that have a part in trade dates of a weekday: each trade date has a part in two."""
    first, last = trade_date_of(times.start), trade_date_of(times.end)
    ahead = (weekday - first.isoweekday()) % 7
    found = (first + timedelta(days=number) for number in range(ahead, (last - first).days + 1, 7))
    return [day + timedelta(days=later) for day in found for later in (0, 1)]


def _bound(environment: str, market: str, node: str, times: Range) -> dict[str, object]:
    return {"environment": environment, "market": market, "node": node, "start": times.start, "end": times.end}
