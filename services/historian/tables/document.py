"""The document of the database, docs/data.md: the questions to begin from, every view and table with every column."""

import textwrap
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from historian.tables.columns import SCHEMA, Kind, metadata
from historian.tables.questions import QUESTIONS
from historian.tables.views import VIEWS

_UNITS = (
    ("_usd_per_mwh", "USD/MWh"),
    ("_mw_per_min", "MW/min"),
    ("_mwh", "MWh"),
    ("_mw", "MW"),
    ("_days_left", "days"),
    ("_bytes", "bytes"),
    ("_min", "min"),
)
_WIDTH = 128
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy has none there


def render_database() -> str:
    """The whole document."""
    parts = [_HEAD, *_questions(), "## Views\n", *_views(), _TABLES, *_tables()]
    return "\n".join(parts) + "\n"


def unit_of(name: str, kind: Kind) -> str:
    """What a column's values are counted in; empty where that is no question."""
    if isinstance(kind, sa.DateTime):
        return "UTC" if kind.timezone else "Pacific"
    return next((unit for ending, unit in _UNITS if name.endswith(ending)), "")


def meaning_of(comment: str) -> str:
    """The comment of a column without the unit at its end, which has a place of its own."""
    for unit in (" USD/MWh", " MW/min", " MWh", " MW", " min"):
        comment = comment.removesuffix(unit)
    return comment


def _questions() -> Iterable[str]:
    for question in QUESTIONS:
        yield f"### {question.title}\n\n{textwrap.fill(question.says, _WIDTH)}\n\n```sql{question.sql}\n```\n"


def _views() -> Iterable[str]:
    for view in VIEWS:
        yield _section(view.name, view.comment, [(column.name, column.kind, column.comment) for column in view.columns])


def _tables() -> Iterable[str]:
    for table in sorted(metadata.tables.values(), key=lambda table: table.name):
        divided = "; divided by months" if table.dialect_options["postgresql"]["partition_by"] else ""
        key = f" Key: {', '.join(f'`{column.name}`' for column in table.primary_key)}{divided}." if table.primary_key else ""
        key = key or f" Without a key{divided}."
        columns = [(column.name, column.type, column.comment or "") for column in table.columns]
        yield _section(table.name, (table.comment or "") + key, columns)


def _section(name: str, comment: str, columns: Iterable[tuple[str, Kind, str]]) -> str:
    rows = [f"| `{column}` | {_type(kind)} | {unit_of(column, kind)} | {meaning_of(says)} |" for column, kind, says in columns]
    return "\n".join(
        [f"### {name}\n", f"{comment}\n", "| column | type | unit | meaning |", "| --- | --- | --- | --- |", *rows, ""]
    )


def _type(kind: Kind) -> str:
    return (
        str(kind.compile(dialect=_DIALECT))
        .lower()
        .replace("timestamp with time zone", "timestamptz")
        .replace(" without time zone", "")
    )


_HEAD = f"""# Database

Generated from the code by `make docs`. What the historian keeps, and how to ask for it. Everything is in the schema `{SCHEMA}`.
In a database that `10-roles.sh` prepared its names are found without it; elsewhere say `SET search_path = {SCHEMA}`,
and `SET jit = off`, without which a question of milliseconds may be compiled for seconds.

- **Ask the views.** They show names where tables hold numbers. `..._history` shows every revision, `..._latest` what was said
  last. A filter on resource, node or time reaches the table below, so say which resource and which time.
- **Say the time.** Tables that grow are divided by months: `interval_start` (instructions, prices), `target_at` (DOPs),
  `start_at` (compliance) and `time` (telemetry, `actual_vs_dot`) tell PostgreSQL which months to open.
- **Say the trade date** (`dot_five_minute`, `set_point_minute`, `price_hourly`): `trade_date = '2026-10-13'`, or from one to
  another, tells them which rows to read; without it they read all that there is. Their `..._pacific` columns show what clocks
  in California show, `hour_ending` is CAISO's number of the hour, and a day has 23 or 25 of them where clocks change.
- **Say the schedule** (`dot_latest`, `set_point_minute`, `actual_vs_dot`): five-minute and hourly DOTs stand side by side, and
  the one never stands for the other.
- Times are UTC (`timestamptz`). Megawatts, megawatt-hours and dollars are as CAISO gave them; absent is null, never 0.
- Nothing of an event is ever changed. A revision is a row of its own, and what contradicts something that is stored is kept as
  a dead letter. So is a DOT, a DOP or a price beyond 1e15, which there cannot be: no sum or mean of it would be a number.
- `environment` says which CAISO spoke. A database that a simulator and a plant both wrote to needs it in every question.

## Questions
"""
_TABLES = """## Tables

Rows of one event share its `event_no` (prices: `report_no`) with the row of `dispatch_batch`, `trajectory_batch` or
`price_report` that says where it came from; one of `instruction_response`, `point_write`, `upstream_gap` or `alarm_event` is a
whole event, and `telemetry` is none. No foreign keys: an event is stored whole or not at all, and months are dropped without
looking at others.
"""
