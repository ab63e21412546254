"""Hours: means of prices that the historian keeps (`price_hour`), and which hours have to be asked of their prices (pure).

An hour is kept where it was made and has had no prices since: see `historian.tables.price_hours`. All other hours are asked of
their prices, so that an answer is the same whatever is kept.
"""

from collections.abc import Iterable
from typing import Final

HOURS: Final = """
    WITH kept AS MATERIALIZED (
      SELECT made.hour_start, made.hour_no FROM price_hour_made AS made
      WHERE made.environment = %(environment)s::environment AND made.market = %(market)s
        AND made.hour_start >= %(start)s AND made.hour_start < %(end)s
        AND NOT EXISTS (
          SELECT FROM price_hour_due AS due
          WHERE due.hour_start = made.hour_start AND due.market = made.market AND due.environment = made.environment
        )
    ), others AS MATERIALIZED (
      SELECT coalesce(array_agg(DISTINCT (hour_start AT TIME ZONE 'UTC')::date), '{}') AS days
      FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz - interval '1 hour', interval '1 hour') AS hour_start
      WHERE hour_start NOT IN (SELECT kept.hour_start FROM kept)
    )"""
"""Said before what asks: the hours of a range that are kept, and the days of UTC with hours that are not."""
OF_OTHER_HOURS: Final = """
          AND (price.interval_start AT TIME ZONE 'UTC')::date = ANY((SELECT others.days FROM others)::date[])
          AND date_trunc('hour', price.interval_start AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' NOT IN (
            SELECT kept.hour_start FROM kept
          )"""
"""A condition on prices: their hour is not kept. The days are said since the index has them."""


def kept_hours(columns: Iterable[str]) -> str:
    """Hours of one node that are kept, as means of prices are told."""
    means = ", ".join(f"hour.{column}" for column in columns)
    return f"""
        SELECT hour.hour_start AS interval_start, hour.hour_start + interval '1 hour' AS interval_end, %(market)s AS market,
          3600::double precision AS length_s, {means}, hour.covered_s, hour.fetched_at, hour.imported_s
        FROM price_hour AS hour JOIN kept USING (hour_no, hour_start)
        WHERE hour.node_no = node.node_no AND hour.hour_start >= %(start)s AND hour.hour_start < %(end)s
          AND (hour.hour_start AT TIME ZONE 'UTC')::date BETWEEN
            (%(start)s::timestamptz AT TIME ZONE 'UTC')::date AND (%(end)s::timestamptz AT TIME ZONE 'UTC')::date"""  # noqa: S608  # names of ours
