"""A historian's database that is as full as one of years, put there with SQL: five-minute prices and DOTs of the last months.

Names and times are those of the questions of docs/data.md, which find something in it wherever they ask.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from historian.database import Database
from historian.tables import DIVIDED
from historian.upkeep.months import add_months, month_after, month_of

UNTIL = datetime(2026, 11, 2, 8, 0, tzinfo=UTC)
"""Midnight after the day of 25 hours."""
FIVE_MINUTES_A_DAY = 288
DIVIDED_TABLES = tuple(table.name for table in DIVIDED)
"""What a question that names a time must not read from end to end: of each month that it opens it wants a part."""
BIG_TABLES = (*DIVIDED_TABLES, "price_report", "dispatch_batch", "trajectory_batch")
"""The same in a full database: what is said once for each event is small beside its rows, and read whole in a small one."""


@dataclass(frozen=True)
class Volume:
    """How much is there.

    Attributes:
        days: how many days end with `UNTIL`.
        nodes: how many nodes each five minutes of RTM and each hour of DAM have prices of.
        resources: how many resources have a DOT in each five minutes.
    """

    days: int
    nodes: int
    resources: int

    @property
    def prices(self) -> int:
        """Rows of the five-minute market."""
        return self.days * FIVE_MINUTES_A_DAY * self.nodes

    @property
    def instructions(self) -> int:
        """DOTs."""
        return self.days * FIVE_MINUTES_A_DAY * self.resources


FULL = Volume(days=348, nodes=100, resources=20)
"""Ten million five-minute prices and two million instructions."""

_KEYS = """
    INSERT INTO node (node) SELECT 'TH_NP15_GEN-APND' UNION ALL SELECT 'BAYSHOR2_1_N001'
      UNION ALL SELECT 'NODE_' || n || '_N001' FROM generate_series(3, :nodes) AS n;
    INSERT INTO origin (environment, source, stream) VALUES
      ('simulator', 'lmp_ingest/a', 'x'), ('simulator', 'ads_ingest/a', 'x');
    INSERT INTO telemetry_point (environment, plant, resource_id, point, source)
      VALUES ('simulator', 'sierra', 'TEST_RESOURCE_1', 'actual_mw', 'modbus_gateway/sierra');"""
_REPORTS = """
    INSERT INTO price_report (report_no, environment, market, interval_start, interval_end, fetched_at, first_node_no,
      node_nos, origin_no, seq, event_id, time, received_at)
    SELECT :first_no + t, 'simulator', '{market}', at, at + interval '{minutes} min', at + interval '40 s', 1,
      int4multirange(int4range(1, :nodes + 1)), 1, :first_no + t,
      '{market}/' || t, at, at
    FROM generate_series(0, :count - 1) AS t
    CROSS JOIN LATERAL (SELECT CAST(:begin AS timestamptz) + t * interval '{minutes} min' AS at) AS x"""
_PRICES = """
    INSERT INTO price
    SELECT at, :first_no + t, n, 35 + wave + n % 7, 34 + wave, n % 7, 1, NULL
    FROM generate_series(0, :count - 1) AS t
    CROSS JOIN LATERAL (
      SELECT CAST(:begin AS timestamptz) + t * interval '{minutes} min' AS at, 40 * sin(t * {minutes} / 229.2) AS wave
    ) AS x
    CROSS JOIN generate_series(1, :nodes) AS n"""
_BATCHES = """
    INSERT INTO dispatch_batch (event_no, environment, batch_uid, revision_key, resource_id, plant, batch_type, batch_status,
      revision_no, start_at, batch_received_at, origin_no, seq, event_id, time, received_at)
    SELECT n, 'simulator', 'DISP-' || t, '1.1', 'TEST_RESOURCE_' || r, 'sierra', 0, 1, 1, at, at - interval '150 s', 2, n,
      'dispatch/' || t || '/' || r, at - interval '140 s', at - interval '140 s' FROM {dots}"""
_INSTRUCTIONS = """
    INSERT INTO instruction (event_no, resource_id, instruction_uid, interval_start, interval_end, target_at, standing,
      standing_mw, is_newest, start_at, dot_mw, instruction_type)
    SELECT n, 'TEST_RESOURCE_' || r, 'I' || t, at, at + interval '300 s', at + interval '150 s', 'in force', mw, true,
      at + interval '150 s', mw, 0 FROM {dots}"""
_DOTS = """(
      SELECT t, r, 1000000 + t::bigint * 1000 + r AS n, 50 + r + 40 * sin(t / 60.0) AS mw,
        CAST(:begin AS timestamptz) + t * interval '300 s' AS at
      FROM generate_series(0, :count - 1) AS t CROSS JOIN generate_series(1, :resources) AS r
    ) AS x"""
_ACTUAL = """
    INSERT INTO telemetry (point_no, time, measured_at, valid_until, value, unit, quality, reasons, received_at)
    SELECT 1, at, at, at + interval '90 s', 50 + 40 * sin(t / 300.0), 'MW', 192, '{}', at
    FROM generate_series(0, :minutes - 1) AS t
    CROSS JOIN LATERAL (SELECT CAST(:until AS timestamptz) - t * interval '60 s' AS at) AS x"""


def fill_to(database: Database, volume: Volume) -> None:
    """Fill a database that has its tables and nothing in them."""
    begin = UNTIL - timedelta(days=volume.days)
    with database.transaction(as_owner=True) as connection:
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        months = (UNTIL.year - begin.year) * 12 + UNTIL.month - begin.month
        add_months(connection, [month_after(month_of(begin), number) for number in range(months + 1)])
        connection.execute(sa.text(_KEYS), {"nodes": volume.nodes})
        intervals = volume.days * FIVE_MINUTES_A_DAY
        for market, minutes, first_no in (("RTM", 5, 1), ("DAM", 60, intervals + 1)):
            words = {"first_no": first_no, "count": intervals * 5 // minutes, "begin": begin, "nodes": volume.nodes}
            connection.execute(sa.text(_REPORTS.format(market=market, minutes=minutes)), words)
            connection.execute(sa.text(_PRICES.format(minutes=minutes)), words)
        words = {"count": intervals, "begin": begin, "resources": volume.resources}
        for statement in (_BATCHES, _INSTRUCTIONS):
            connection.execute(sa.text(statement.format(dots=_DOTS)), words)
        connection.execute(sa.text(_ACTUAL), {"minutes": min(volume.days, 30) * 24 * 60, "until": UNTIL})
    analyze(database)


def analyze(database: Database) -> None:
    """Have the planner know it, as autovacuum does in time."""
    with database.transaction(as_owner=True) as connection:
        connection.execute(sa.text("SET LOCAL statement_timeout = 0"))
        connection.execute(sa.text("ANALYZE"))


def read_from_end_to_end(connection: sa.Connection, statement: str, tables: tuple[str, ...] = BIG_TABLES) -> list[str]:
    """The tables, or their months, that a statement reads whole though they have more than a page or two."""
    (plan,) = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}").scalar_one()
    names = sorted({name for name in _scanned(plan["Plan"]) if re.sub(r"_(\d{4}_\d\d|other)$", "", name) in tables})
    pages = dict(connection.execute(sa.text("SELECT relname, relpages FROM pg_class")).all())
    return [name for name in names if pages[name] > 2]


def _scanned(node: dict) -> list[str]:
    below = [name for part in node.get("Plans", ()) for name in _scanned(part)]
    return below + ([node["Relation Name"]] if node["Node Type"] == "Seq Scan" else [])
