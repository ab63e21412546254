"""Whatever database the historian finds, it makes the tables of this version, and nothing that was kept is lost or doubled."""

import threading
from datetime import timedelta

import historian_before
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from historian_parts import (
    NOW,
    arrival,
    counts,
    dispatch,
    opened,
    ready,
    replace,
    stored,
)
from real_postgres import query
from waiting import eventually

from dotbus.testing import samples
from historian.database import StoreUnavailable
from historian.migrations import LOCK, Roles, bring_up_to_date
from historian.tables import DIVIDED, metadata
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

NEVER = 2**63 - 1
VIEWS = {
    *("dispatch_batch_history", "dispatch_batch_latest", "instruction_history", "instruction_latest", "dot_history"),
    *("dot_latest", "dop_history", "compliance_history", "price_history", "price_latest", "stream_sequence"),
    *("instruction_response_history", "instruction_response_latest", "upstream_gap_history"),
    *("alarm_now", "alarm_event_history"),
    *("telemetry_history", "telemetry_latest", "point_write_history", "actual_vs_dot"),
    *("trade_day", "dot_five_minute", "set_point_minute", "price_hourly"),
}
PUBLIC_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"


def test_the_migrations_make_exactly_the_tables_of_the_schema(database):
    def is_whole(name, kind, _parents):
        return kind != "table" or name == "alembic_version" or name in metadata.tables

    options = {"compare_type": True, "compare_server_default": True, "include_name": is_whole, "target_metadata": metadata}
    with ready(database) as opened_database, opened_database.transaction() as connection:
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
        connection.execute(sa.text("COMMENT ON COLUMN price.node_no IS 'something else'"))
        assert len(compare_metadata(context, metadata)) == 1, "comments are compared as well"
    assert {row[0] for row in stored(database, "SELECT viewname FROM pg_views WHERE schemaname = 'dotbus'")} == VIEWS
    parts = stored(database, "SELECT tablename FROM pg_tables WHERE schemaname = 'dotbus'")
    others = {name for (name,) in parts} - metadata.tables.keys() - {"alembic_version"}
    assert {name.rstrip("0123456789_") for name in others} == {
        name for table in DIVIDED for name in (table.name, f"{table.name}_other")
    }


def test_every_table_and_column_says_what_it_means():
    assert [table.name for table in metadata.tables.values() if not table.comment] == []
    assert [str(column) for table in metadata.tables.values() for column in table.columns if not column.comment] == []


def test_every_number_with_a_unit_says_it():
    units = {"_mw": "MW", "_usd_per_mwh": "USD/MWh", "_mwh": "MWh", "_at": "UTC"}
    columns = [column for table in metadata.tables.values() for column in table.columns]
    silent = [
        str(column)
        for column in columns
        for end, unit in units.items()
        if column.name.endswith(end) and not (end == "_mwh" and column.name.endswith("_usd_per_mwh"))
        if unit not in (column.comment or "") and column.name not in OF_OURS
    ]
    assert silent == []


OF_OURS = {"heard_at", "retried_at", "stored_at", "asked_at", "found_at"}


@pytest.mark.parametrize("revision", [None, "0001", "0002"])
def test_several_historians_may_start_at_once(database, revision):
    if revision:
        historian_before.make_tables(database, revision)
        historian_before.write(database, [dispatch(1)], NOW)
    outcomes = []

    def start():
        with opened(database) as opened_database:
            outcomes.append(bring_up_to_date(opened_database, Roles(), NOW))

    threads = [threading.Thread(target=start) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes == [()] * 3
    assert counts(database)["instruction"] == bool(revision)
    assert query(database, PUBLIC_TABLES) == [(0,)]


def test_a_step_may_take_longer_than_a_statement_of_every_day(database, monkeypatch):
    """Such as a new index on a table of years; here the step waits for another historian's."""
    monkeypatch.setattr("historian.database.STATEMENT_TIMEOUT_S", 1)
    other = threading.Thread(target=query, args=(database, f"SELECT pg_advisory_xact_lock({LOCK}), pg_sleep(2)"))
    other.start()
    eventually(lambda: query(database, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"))
    with (
        ready(database) as opened_database,
        pytest.raises(StoreUnavailable, match="statement timeout"),
        opened_database.transaction() as connection,
    ):
        connection.execute(sa.text("SELECT pg_sleep(2)"))
    other.join()


def test_each_role_may_do_its_own_and_no_more(database):
    owner, writer, reader = (f"{name}_{database[-8:]}" for name in ("owner", "writer", "reader"))
    for role in (owner, writer, reader):
        query(database, f"CREATE ROLE {role}")
    query(database, f'GRANT CREATE ON DATABASE "{database.rsplit("/", 1)[1]}" TO {owner}')
    with opened(database, owner_role=owner, writer_role=writer) as opened_database:
        assert bring_up_to_date(opened_database, Roles(reader), NOW) == ()
        event = replace(samples.prices(), interval_start=NOW - timedelta(days=1000))  # a part that is made now
        assert Store(opened_database).write([arrival(dispatch(1)), arrival(event), arrival(b"junk", "x")], NOW).events == 2
    rights = "SELECT has_table_privilege('{0}', c.oid, 'SELECT'), has_table_privilege('{0}', c.oid, '{1}')"
    of_ours = (
        " FROM pg_class c WHERE relnamespace = 'dotbus'::regnamespace AND relkind IN ('r', 'v', 'p') AND relname <> 'api_key'"
    )
    assert set(stored(database, rights.format(reader, "INSERT, UPDATE, DELETE, TRUNCATE") + of_ours)) == {(True, False)}
    assert set(stored(database, rights.format(writer, "DELETE, TRUNCATE") + of_ours)) == {(True, False)}
    owners = stored(database, "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'dotbus'")
    assert owners == [(owner,)]


def test_a_role_that_does_not_exist_is_told(database):
    with opened(database) as opened_database:
        assert bring_up_to_date(opened_database, Roles("nobody_here"), NOW) == ("nobody_here",)


def test_a_database_of_a_later_version_is_left_alone(database):
    with ready(database) as opened_database:
        stored(database, "UPDATE alembic_version SET version_num = '9999'")
        with pytest.raises(Exception, match="9999"):
            bring_up_to_date(opened_database, Roles(), NOW)
