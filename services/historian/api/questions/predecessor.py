"""The predecessor's questions (caiso_connector, an HTTP API over one table of prices): how many, from when to when, of what.

It called a price `mw`, as OASIS calls that column of its reports; it was USD/MWh all the time. Its prices were day-ahead ones.
"""

from historian.api.asked.times import PACIFIC, Range
from historian.api.questions.question import Column, Kind, Question

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
COUNT = Question(
    "SELECT count(*) AS row_count FROM price JOIN price_report USING (report_no)"
    " WHERE environment = %(environment)s::environment",
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


def prices_of_node(environment: str, market: str, node: str, times: Range | None) -> Question:
    """The question for all prices of a node as they are known now, by time."""
    sql = f"""
        SELECT interval_start AS "time", node, lmp_usd_per_mwh AS mw, lmp_usd_per_mwh FROM price_latest
        WHERE {_of_node(times)}"""  # noqa: S608  # words of ours
    return Question(sql, _bound(environment, market, node, times), PRICE_COLUMNS, key=("time",))


def mean_of_weekday(environment: str, market: str, node: str, weekday: str, times: Range | None) -> Question:
    """The question for the mean price of a node over all trade dates of a weekday."""
    sql = f"""
        SELECT sum(lmp_usd_per_mwh * seconds) / sum(seconds) AS mean_lmp, coalesce(sum(seconds), 0) AS covered_s FROM (
          SELECT lmp_usd_per_mwh, extract(epoch FROM interval_end - interval_start)::double precision AS seconds
          FROM price_latest
          WHERE {_of_node(times)} AND lmp_usd_per_mwh IS NOT NULL
            AND extract(isodow FROM interval_start AT TIME ZONE '{PACIFIC.key}') = %(weekday)s
        ) AS told"""  # noqa: S608  # words of ours
    bound = {**_bound(environment, market, node, times), "weekday": WEEKDAYS.index(weekday) + 1}
    return Question(sql, bound, MEAN_COLUMNS)


def _of_node(times: Range | None) -> str:
    between = "AND interval_start >= %(start)s AND interval_start < %(end)s" if times else ""
    return f"environment = %(environment)s::environment AND market = %(market)s AND node = %(node)s {between}"


def _bound(environment: str, market: str, node: str, times: Range | None) -> dict[str, object]:
    between: dict[str, object] = {"start": times.start, "end": times.end} if times else {}
    return {"environment": environment, "market": market, "node": node, **between}
