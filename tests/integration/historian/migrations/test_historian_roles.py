"""Who may do what in a real PostgreSQL: an owner, a writer and readers; and no roles at all, where one user owns everything."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import psycopg2
import pytest
import sqlalchemy as sa
from historian_database import (
    OWNER,
    READERS,
    WRITER,
    Addresses,
    addresses,
    fill,
    make_roles,
    opened,
    prepared,
    write,
)
from historian_parts import NOW, arrival
from real_postgres import Postgres, query

from dotbus.testing import samples
from historian.database import Database, StoreUnavailable
from historian.migrations import Roles, bring_up_to_date, upgrade
from historian.tables import DIVIDED
from historian.upkeep.months import add_months, month_of, part_name
from historian.upkeep.retention import Retention, drop_old

pytestmark = pytest.mark.integration

LONG_AGO = datetime(2024, 2, 20, 8, tzinfo=UTC)
OF_ROLES = {"owner": OWNER, "writer": WRITER}
RELATIONS = (
    "SELECT c.oid::regclass::text FROM pg_class AS c "
    "WHERE c.relnamespace = 'dotbus'::regnamespace AND c.relkind IN ('r', 'p', 'v') "
    "AND c.relname <> 'api_key'"  # the owner's alone: tests/integration/historian/api/test_api_keys.py
)
OLD_INSTRUCTION = """
    INSERT INTO instruction (environment, batch_uid, revision_key, revision_no, instruction_uid, plant, resource_id, start_at,
      dot_mw, instruction_type, source, stream, seq, event_id, time, received_at)
    VALUES ('simulator', 'OLD', '1.1', 1, 'OLD-I0', 'sierra', 'R', '2026-01-05T10:02:30Z', 7.5, 0, 'ads_ingest/a', 's', 1,
      'dispatch/OLD/1.1/R', now(), now())"""
OLD_BATCH = """
    INSERT INTO dispatch_batch (environment, batch_uid, revision_key, revision_no, batch_type, batch_status, start_at, source,
      stream, seq, event_id, time, received_at)
    VALUES ('simulator', 'OLD', '1.1', 1, 0, 1, '2026-01-05T10:00:00Z', 'ads_ingest/a', 's', 1, 'dispatch/OLD/1.1/R', now(),
      now())"""


@pytest.fixture
def at(postgres: Postgres, database: str, tmp_path: Path) -> Addresses:
    """A database with the roles of an installation, and no tables yet."""
    return make_roles(postgres, database, tmp_path)


@pytest.fixture
def kept(at: Addresses) -> Iterator[Database]:
    """The same with its tables, and one event of each kind."""
    with prepared(at.historian, **OF_ROLES, reader=READERS) as database:
        fill(database, samples.dispatch(), samples.trajectory_batch(), samples.prices(), samples.service_status())
        yield database


def refused(database: Database, statement: str, *, as_owner: bool = False) -> bool:
    """Whether PostgreSQL says that this is not for us to do."""
    try:
        with database.transaction(as_owner=as_owner) as connection:
            connection.execute(sa.text(statement))
    except StoreUnavailable as error:
        return bool(re.search("permission denied|must be owner", str(error)))
    return False


def of_long_ago():
    """A report of prices whose month has no part yet."""
    times = {"interval_start": LONG_AGO, "interval_end": LONG_AGO + timedelta(minutes=5)}
    return msgspec.structs.replace(samples.prices(), id="of-long-ago", seq=9, **times)


def test_the_historian_acts_as_the_writer_and_owns_nothing(kept: Database):
    with kept.transaction() as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == WRITER
    with kept.transaction(as_owner=True) as connection:
        assert connection.scalar(sa.text("SELECT current_user")) == OWNER
        owners = connection.scalars(
            sa.text("SELECT DISTINCT pg_get_userbyid(relowner) FROM pg_class WHERE relnamespace = 'dotbus'::regnamespace")
        )
        assert owners.all() == [OWNER]


def test_the_writer_can_neither_drop_nor_alter_nor_delete_anything(kept: Database):
    with kept.transaction() as connection:
        tables = connection.scalars(sa.text(RELATIONS + " AND c.relkind <> 'v'")).all()
    assert len(tables) > 20
    for table in tables:
        for forbidden in ("DROP TABLE {}", "ALTER TABLE {} ADD COLUMN more int", "DELETE FROM {}", "TRUNCATE {}"):
            assert refused(kept, forbidden.format(table)), forbidden.format(table)
    for forbidden in ("CREATE TABLE dotbus.more (x int)", "CREATE TABLE public.more (x int)", "DROP SCHEMA dotbus CASCADE"):
        assert refused(kept, forbidden), forbidden


def test_not_even_the_writer_changes_what_an_event_said(kept: Database):
    for table, column in {"instruction": "dot_mw = 0", "price": "lmp_usd_per_mwh = 0", "dispatch_batch": "seq = 0"}.items():
        assert refused(kept, f"UPDATE {table} SET {column}")
    assert refused(kept, "UPDATE alembic_version SET version_num = '9999'")


def test_the_writer_writes_whatever_comes_months_of_long_ago_included(kept: Database):
    assert fill(kept, of_long_ago()).events == 1
    assert len(write(kept, [arrival(b"no message", "dotbus/v1/market/RTM/prices")]).rejections) == 1
    fill(kept, msgspec.structs.replace(samples.service_status(), time=NOW + timedelta(seconds=5)))
    with kept.transaction() as connection:
        part = part_name("price", month_of(LONG_AGO))
        assert connection.scalar(sa.text(f"SELECT count(*) FROM {part}")) == 2


@pytest.mark.parametrize(
    "what",
    [
        "SELECT lo_create(0)",
        "SELECT lo_from_bytea(0, 'x')",
        "CREATE TABLE public.more (x int)",
        "CREATE TEMP TABLE more (x int)",
    ],
)
def test_a_reader_leaves_nothing_behind_even_where_it_asks_to_write(at: Addresses, what: str):
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        query(at.reader, f"BEGIN READ WRITE; {what}; COMMIT")


def test_a_reader_reads_everything_there_is_and_what_is_made_later(at: Addresses, kept: Database):
    fill(kept, of_long_ago())
    with kept.transaction(as_owner=True) as connection:
        add_months(connection, [datetime(2031, 5, 1, tzinfo=UTC)])
    relations = [row[0] for row in query(at.reader, RELATIONS)]
    assert {part_name(table.name, datetime(2031, 5, 1, tzinfo=UTC)) for table in DIVIDED} <= set(relations)
    for relation in relations:
        query(at.reader, f"SELECT * FROM {relation} LIMIT 1")
    assert query(at.reader, "SELECT standing_mw FROM dot_history") == [(12.0,)]


def test_a_question_of_a_reader_is_not_compiled_for_longer_than_it_takes(at: Addresses, kept: Database):
    assert query(at.reader, "SHOW jit") == [("off",)]


def test_a_reader_changes_nothing_and_reads_nothing_else(at: Addresses, kept: Database):
    query(at.superuser, "CREATE TABLE public.payroll (who text)")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        query(at.reader, "SELECT * FROM public.payroll")
    writing = f"{at.reader}?options=-c%20default_transaction_read_only%3Doff"
    with kept.transaction() as connection:
        tables = connection.scalars(sa.text(RELATIONS + " AND c.relkind <> 'v'")).all()
    for table in tables:
        for forbidden in (f"INSERT INTO {table} DEFAULT VALUES", f"DELETE FROM {table}", f"DROP TABLE {table}"):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                query(writing, forbidden)
    making = ("CREATE TABLE more (x int)", "CREATE TEMPORARY TABLE more (x int)")
    for forbidden in (*making, f"SET ROLE {OWNER}", f"SET ROLE {WRITER}"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            query(writing, forbidden)


def test_a_person_becomes_a_reader_with_one_grant(at: Addresses, kept: Database):
    name = f"anna_{at.superuser[-8:]}"
    query(at.superuser, f"CREATE ROLE {name} LOGIN PASSWORD 'x'")
    query(at.superuser, f"GRANT {READERS} TO {name}")
    assert query(re.sub("reader:.*@", f"{name}:x@", at.reader), "SELECT count(*) FROM dot_latest") == [(1,)]


def test_the_owner_makes_room(kept: Database):
    later = NOW + timedelta(days=400)
    gone = list(drop_old(kept, Retention(dispatch_days=31, prices_days=31), later))
    assert part_name("price", month_of(NOW)) in gone
    with kept.transaction() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM dot_history")) == 0


def test_without_any_roles_one_user_owns_everything(at: Addresses, database: str):
    with prepared(database) as one:
        assert fill(one, samples.dispatch(), of_long_ago()).events == 2
        assert part_name("price", month_of(NOW)) in list(drop_old(one, Retention(prices_days=31), NOW + timedelta(days=400)))


def test_a_role_that_does_not_exist_is_told_and_is_granted_nothing(database: str):
    with opened(database) as one:
        assert bring_up_to_date(one, Roles("nobody_there"), NOW) == ("nobody_there",)


# An installation of before these roles: `historian` owns the database and the tables of 0002 in `public`, `reader` reads them.


def of_before(postgres: Postgres, superuser: str) -> Addresses:
    """A database as an earlier version left it, with a dispatch in it."""
    query(superuser, f'ALTER DATABASE "{superuser.rpartition("/")[2]}" OWNER TO historian')
    query(superuser, "GRANT USAGE, CREATE ON SCHEMA public TO historian")
    at = addresses(postgres, superuser)
    with opened(at.historian, schema="public") as database, database.transaction() as connection:
        upgrade(connection, "0002")
        connection.execute(sa.text("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader"))
        connection.execute(sa.text("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO reader"))
        connection.execute(sa.text(OLD_INSTRUCTION))
        connection.execute(sa.text(OLD_BATCH))
    return at


def still_there(at: Addresses) -> bool:
    return query(at.reader, "SELECT dot_mw FROM dotbus.instruction_history WHERE batch_uid = 'OLD'") == [(7.5,)]


def test_an_installation_of_before_is_brought_to_the_roles_by_running_the_script(
    postgres: Postgres, at: Addresses, database: str, tmp_path: Path
):
    of_before(postgres, database)
    make_roles(postgres, database, tmp_path)
    with prepared(at.historian, **OF_ROLES, reader=READERS) as kept:
        assert still_there(at)
        assert fill(kept, samples.dispatch()).events == 1
        assert refused(kept, "DELETE FROM instruction")
        assert not refused(kept, "DELETE FROM instruction", as_owner=True)


def test_an_earlier_historian_goes_on_after_the_script(postgres: Postgres, at: Addresses, database: str, tmp_path: Path):
    """It knows of no roles, and does what it did as a member of the owner."""
    of_before(postgres, database)
    make_roles(postgres, database, tmp_path)
    query(at.historian, "UPDATE public.dispatch_batch SET seq = 2")
    assert query(at.reader, "SELECT seq FROM public.dispatch_batch") == [(2,)]


def test_a_historian_that_is_told_of_roles_that_are_not_made_says_what_to_run(at: Addresses):
    with opened(at.historian, owner=OWNER, writer="not_made") as early, pytest.raises(StoreUnavailable, match=r"10-roles\.sh"):
        bring_up_to_date(early, Roles(), NOW)
    with opened(at.reader, owner=OWNER, writer=WRITER) as other, pytest.raises(StoreUnavailable, match=r"10-roles\.sh"):
        bring_up_to_date(other, Roles(), NOW)


def test_a_new_historian_without_roles_takes_over_and_the_script_makes_them_later(
    postgres: Postgres, at: Addresses, database: str, tmp_path: Path
):
    of_before(postgres, database)
    with prepared(at.historian, reader="reader") as kept:
        fill(kept, of_long_ago())
        assert still_there(at)
    make_roles(postgres, database, tmp_path)
    with prepared(at.historian, **OF_ROLES, reader=READERS) as kept:
        assert fill(kept, samples.dispatch()).events == 1
        assert part_name("price", month_of(LONG_AGO)) in list(drop_old(kept, Retention(prices_days=31), NOW))
        assert still_there(at)
        assert refused(kept, "DELETE FROM price")


def test_the_script_changes_passwords_and_may_be_run_again_in_use(
    postgres: Postgres, at: Addresses, kept: Database, tmp_path: Path
):
    query(at.superuser, "ALTER ROLE historian PASSWORD 'another'")
    with pytest.raises(psycopg2.OperationalError):
        query(at.historian, "SELECT 1")
    make_roles(postgres, at.superuser, tmp_path)
    assert query(at.historian, "SELECT 1") == [(1,)]
    assert fill(kept, of_long_ago()).events == 1
