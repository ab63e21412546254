"""Keys of the API over a database with the roles of an installation: who may ask, and who may see the keys."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from historian_api import NP15, asked_here
from historian_database import OWNER, READERS, ROLE_SETTINGS, WRITER, Addresses, environment, fill, make_roles, prepared
from real_postgres import Postgres, query
from typer.testing import CliRunner

from dotbus.testing import samples
from historian.__main__ import build_app
from historian.api.exchange import context
from historian.api.keys import keyring
from historian.api.keys.store import make_key, revoke_key
from historian.database import Database

pytestmark = pytest.mark.integration


@pytest.fixture
def at(postgres: Postgres, database: str, tmp_path: Path) -> Addresses:
    """A database with the roles of an installation."""
    return make_roles(postgres, database, tmp_path)


@pytest.fixture
def kept(at: Addresses) -> Iterator[Database]:
    """The same with its tables and a price."""
    with prepared(at.historian, owner=OWNER, writer=WRITER, reader=READERS) as database:
        fill(database, samples.prices())
        yield database


def made(database: Database, name: str, plant: str | None = None) -> str:
    with database.transaction(as_owner=True) as connection:
        return make_key(connection, name, plant)


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_without_a_key_nothing_is_answered_and_with_one_everything_is(at: Addresses, kept: Database):
    key = made(kept, "anna")
    with asked_here(at.api, without_keys=False) as client:
        without, wrong = client.ask("/v1/prices"), client.ask("/v1/prices", headers=bearer(key[:-1]))
        right = client.ask("/v1/prices", node=NP15, start="2026-10-13T14:00Z", headers=bearer(key))

    assert (without.status_code, without.json()["type"]) == (401, "/problems/key-needed")
    assert without.headers["www-authenticate"] == 'Bearer realm="dotbus"'
    assert (wrong.status_code, wrong.json()["type"]) == (401, "/problems/key-refused")
    assert right.status_code == 200
    assert len(right.json()["rows"]) == 1


@pytest.mark.parametrize("said", ["", "Basic YTpi", "Bearer", "Bearer ", "Bearer " + "x" * 5000, "bearer \x7f", "Bearer é"])
def test_what_is_no_key_is_a_problem_and_not_a_fault(at: Addresses, kept: Database, said: str):
    with asked_here(at.api, without_keys=False) as client:
        answer = client.ask("/v1/prices", headers={"Authorization": said.encode("utf-8")})

    assert answer.status_code == 401


def test_a_revoked_key_is_not_taken_any_more(at: Addresses, kept: Database, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(keyring, "REMEMBERED_S", 0.0)
    key = made(kept, "anna")
    with asked_here(at.api, without_keys=False) as client:
        before = client.ask("/v1/prices", headers=bearer(key)).status_code
        with kept.transaction(as_owner=True) as connection:
            assert revoke_key(connection, "anna")
        after = client.ask("/v1/prices", headers=bearer(key)).status_code

    assert (before, after) == (200, 401)


def test_one_who_tries_keys_is_slowed_down_and_one_who_has_a_key_is_not(
    at: Addresses, kept: Database, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(context, "LOOKUPS_PER_S", 0.5)
    key, never_said = made(kept, "anna"), made(kept, "ben")
    with asked_here(at.api, without_keys=False) as client:
        assert client.ask("/v1/prices", headers=bearer(key)).status_code == 200
        tried = [client.ask("/v1/prices", headers=bearer(f"guess-{number}")).status_code for number in range(20)]
        known = [client.ask("/v1/prices", headers=bearer(one)).status_code for one in (key, never_said)]

    assert tried[0] == 401
    assert tried[-1] == 429
    assert known == [200, 200]


def test_a_key_that_asks_too_often_is_told_to_wait_and_another_is_answered(at: Addresses, kept: Database):
    anna, ben = made(kept, "anna"), made(kept, "ben")
    with asked_here(at.api, without_keys=False, requests_per_s=0.2) as client:
        first, second, third = (client.ask("/v1/prices", headers=bearer(anna)) for _ in range(3))
        other = client.ask("/v1/prices", headers=bearer(ben))

    assert [first.status_code, second.status_code, third.status_code, other.status_code] == [200, 200, 429, 200]
    assert third.json()["type"] == "/problems/too-often"
    assert int(third.headers["retry-after"]) in range(1, 6)


def test_who_asks_is_who_connects_whatever_a_head_says(at: Addresses, kept: Database):
    with asked_here(at.api, requests_per_s=0.2) as client:
        codes = [client.ask("/v1/prices", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code for n in range(3)]

    assert codes == [200, 200, 429]


def test_readers_and_writers_see_no_key_and_a_reader_learns_whose_one_is_by_its_hash_alone(at: Addresses, kept: Database):
    key = made(kept, "anna", "sierra")
    digest = hashlib.sha256(key.encode()).hexdigest()

    for address in (at.reader, at.historian + "?options=-crole%3Ddotbus_writer"):
        for statement in ("SELECT * FROM dotbus.api_key", "INSERT INTO dotbus.api_key (name, key_hash) VALUES ('x', 'x')"):
            with pytest.raises(Exception, match=r"permission denied for table api_key|read-only transaction"):
                query(address, statement)
    assert query(at.reader, f"SELECT name, plant FROM dotbus.api_key_of('\\x{digest}')") == [("anna", "sierra")]
    assert query(at.reader, "SELECT * FROM dotbus.api_key_of('\\x00')") == []
    assert query(at.superuser, f"SELECT count(*) FROM dotbus.api_key WHERE key_hash = '\\x{digest}'") == [(1,)]


def test_what_a_reader_puts_in_its_own_schema_does_not_run_with_the_owners_rights(at: Addresses, kept: Database):
    made(kept, "anna")
    query(at.superuser, f'GRANT TEMPORARY ON DATABASE "{at.superuser.rpartition("/")[2]}" TO reader')
    plot = """
        CREATE TEMP TABLE api_key AS
          SELECT 1::bigint AS key_no, 'mallory' AS name, '\\x00'::bytea AS key_hash, NULL::text AS plant,
            NULL::timestamptz AS revoked_at;
        SET search_path = pg_temp, dotbus;
        SELECT * FROM api_key_of('\\x00')"""

    assert query(f"{at.reader}?options=-cdefault_transaction_read_only%3Doff", plot) == []


def test_keys_are_made_listed_and_revoked_by_command(
    at: Addresses, kept: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, text in environment(tmp_path, at.historian, 1, **ROLE_SETTINGS).items():
        monkeypatch.setenv(name, text)
    run = CliRunner()

    def said(*words: str) -> tuple[int, str]:
        result = run.invoke(build_app(), ["api", "keys", *words])
        return result.exit_code, result.output.strip()

    code, key = said("make", "anna", "--plant", "sierra")
    assert code == 0
    assert key.startswith("dotbus_")
    assert len(key) == len("dotbus_") + 43
    assert said("make", "anna") == (1, "there is a key 'anna' already; `historian api keys revoke` takes it back")
    assert said("make", "ben", "--plant", "siera") == (1, "there is no plant 'siera' in dotbus.toml; did you mean 'sierra'?")
    assert said("make", "\n") == (1, "a name is 1 to 100 characters that can be shown")
    assert said("list")[1].startswith("anna: sierra, made 20")
    assert said("revoke", "ana") == (1, "there is no key 'ana'; did you mean 'anna'?")
    assert said("revoke", "anna") == (0, "anna: revoked")
    assert ", revoked 20" in said("list")[1]
    assert said("make", "anna")[0] == 0, "a name is free again"
    assert key not in said("list")[1]
