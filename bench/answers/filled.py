"""A database as full as the figures ask for: a month of five-minute prices, and a year of instructions of a thousand resources.

Put there with SQL, since what is measured is how it is read. Prices have five decimals, as CAISO's have.
"""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg2
import sqlalchemy as sa

from historian.database import Database
from historian.upkeep.months import add_months, month_of

NODES, NODES_A_REPORT = 1120, 100
BEGIN = datetime(2026, 10, 1, 7, tzinfo=UTC)
"""Pacific midnight."""
INTERVALS = 31 * 288
PRICES = NODES * INTERVALS
STEPS = 31
"""Transactions, one a day."""
_REPORTS_AN_INTERVAL = -(-NODES // NODES_A_REPORT)
_NODES = f"INSERT INTO node (node) SELECT 'NODE_' || n || '_N001' FROM generate_series(1, {NODES}) AS n"
_ORIGIN = "INSERT INTO origin (environment, source, stream) VALUES ('production', 'lmp_ingest/x', 'x') RETURNING origin_no"
_INTERVALS = "generate_series(CAST(:first AS int), CAST(:last AS int)) AS i"
_AT = "CAST(:begin AS timestamptz) + i * interval '5 minutes'"
_REPORTS = f"""
    INSERT INTO price_report (report_no, environment, market, interval_start, interval_end, fetched_at, first_node_no, node_nos,
      origin_no, seq, event_id, time, received_at)
    SELECT i * {_REPORTS_AN_INTERVAL} + part + 1, 'production', 'RTM', at, at + interval '5 minutes', at + interval '2 minutes',
      part * {NODES_A_REPORT} + 1,
      int4multirange(int4range(part * {NODES_A_REPORT} + 1, least((part + 1) * {NODES_A_REPORT}, {NODES}) + 1)),
      :origin, i * {_REPORTS_AN_INTERVAL} + part + 1, 'prices/' || i || '/' || part, at + interval '2 minutes',
      at + interval '2 minutes'
    FROM (SELECT i, part, {_AT} AS at FROM {_INTERVALS}, generate_series(0, {_REPORTS_AN_INTERVAL - 1}) AS part) AS reports"""
_PRICES = f"""
    INSERT INTO price (interval_start, report_no, node_no, lmp_usd_per_mwh, energy_usd_per_mwh, congestion_usd_per_mwh,
      loss_usd_per_mwh, ghg_usd_per_mwh)
    SELECT {_AT}, i * {_REPORTS_AN_INTERVAL} + (n - 1) / {NODES_A_REPORT} + 1, n,
      (n * 7919 + i * 104729) % 9999999 / 100000.0, i * 7907 % 5000000 / 100000.0, n * i % 999983 / 100000.0 - 5,
      -(n * 31 + i * 17) % 200003 / 100000.0, 0
    FROM {_INTERVALS}, generate_series(1, {NODES}) AS n ORDER BY i, n"""


def fill_prices(database: Database) -> None:
    """A month of prices of the real-time market, in the order that they come in."""
    with database.transaction(as_owner=True) as connection:
        add_months(connection, [month_of(BEGIN), month_of(BEGIN + timedelta(days=32))])
        connection.execute(sa.text(_NODES))
        origin = connection.scalar(sa.text(_ORIGIN))
    each = INTERVALS // STEPS
    for step in range(STEPS):
        span = {"first": step * each, "last": (step + 1) * each - 1, "begin": BEGIN, "origin": origin}
        with database.transaction(as_owner=True) as connection:
            connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
            connection.execute(sa.text(_REPORTS), span)
            connection.execute(sa.text(_PRICES), span)


def settle(address: str) -> None:
    """As autovacuum leaves tables that grew slowly: without it the first reader writes every page."""
    with closing(psycopg2.connect(address.replace("+psycopg2", ""))) as connection:
        connection.autocommit = True
        connection.cursor().execute("VACUUM (ANALYZE)")
