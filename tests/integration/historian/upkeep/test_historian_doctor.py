"""What an operator asks: what is wrong and what to do, what is missing, and to have it sent again."""

import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import Result
from historian_database import (
    OWNER,
    READERS,
    ROLE_SETTINGS,
    WRITER,
    Addresses,
    arrivals,
    environment,
    fill,
    make_roles,
    opened,
    prepared,
    write,
)
from historian_parts import NOW, arrival
from historian_source import Source, running_historian
from real_mosquitto import Mosquitto
from real_postgres import Postgres, query
from typer.testing import CliRunner
from waiting import eventually

from dotbus.contracts.messages import OutboxSpan
from dotbus.runtime.schedule import utc_now
from dotbus.testing import samples
from historian.__main__ import build_app, open_database
from historian.settings import load_configuration
from historian.upkeep.doctor import examine
from historian.upkeep.examination import STREAMS_SHOWN
from historian.upkeep.findings import Finding, Level
from historian.upkeep.months import month_of, part_name
from historian.upkeep.upstream_gaps import read_upstream_gaps

pytestmark = pytest.mark.integration

Command = Callable[..., Result]


@pytest.fixture
def at(postgres: Postgres, database: str, tmp_path: Path) -> Addresses:
    return make_roles(postgres, database, tmp_path)


@pytest.fixture
def historian(at: Addresses, broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The `historian` command of an installation with roles; its tables are there."""
    for name, text in environment(tmp_path, at.historian, broker.port, **ROLE_SETTINGS).items():
        monkeypatch.setenv(name, text)

    def command(*arguments: str) -> Result:
        return CliRunner().invoke(build_app(), arguments)

    assert command("migrate").exit_code == 0
    return command


def findings(now: datetime | None = None) -> list[Finding]:
    return list(examine(load_configuration, open_database, (lambda: now) if now else utc_now))


def wrongs(found: list[Finding]) -> dict[str, str]:
    """What is wrong, by what it is about, with what to do."""
    return {finding.about: f"{finding.says} -> {finding.do}" for finding in found if finding.level is Level.WRONG}


def test_of_an_installation_in_order_everything_is_ok(historian: Command):
    told = historian("doctor")
    assert told.exit_code == 0, told.output
    assert "WRONG" not in told.output
    subjects = {line.split()[1] for line in told.output.splitlines() if line.startswith(("ok", "note"))}
    assert {
        "configuration",
        "connection",
        "roles",
        "migrations",
        "months",
        "sequences",
        "dead",
        "disk",
        "clock",
        "broker",
    } <= subjects


def test_every_fault_is_told_at_once_each_with_what_to_do(at: Addresses, historian: Command, broker: Mosquitto):
    now = utc_now()
    with opened(at.historian, owner=OWNER, writer=WRITER) as database:
        ahead = OutboxSpan(stream=samples.STREAM, first_seq=1, last_seq=9, unpublished=0)
        fill(database, samples.dispatch(), msgspec.structs.replace(samples.service_status(), outbox=ahead))
    query(at.superuser, f"DROP TABLE dotbus.{part_name('price', month_of(now))}")
    query(at.superuser, f"REVOKE SELECT ON dotbus.dot_latest FROM {READERS}")
    query(at.superuser, f"REVOKE INSERT ON dotbus.price FROM {WRITER}")
    query(at.superuser, "UPDATE dotbus.alembic_version SET version_num = '9999'")
    broker.kill()
    told = historian("doctor")
    assert told.exit_code == 1
    wrong = [line for line in told.output.splitlines() if line.startswith("WRONG")]
    for about, part in {
        "migrations": "later version",
        "months": "price_",
        "sequences": "8 events are missing (2-9)",
        "broker": "cannot be reached: Connection refused",
    }.items():
        assert any(about in line and part in line for line in wrong), (about, told.output)
    assert any("may not read dot_latest" in line for line in wrong)
    assert any(f"{WRITER} lacks INSERT of price" in line for line in wrong)
    assert told.output.count("->") >= len(wrong)


def test_a_database_that_is_away_hides_nothing_else(
    historian: Command, at: Addresses, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HISTORIAN_DATABASE_URL", "postgresql://historian@127.0.0.1:1/dotbus")
    found = findings()
    assert set(wrongs(found)) == {"connection"}
    assert [finding.level for finding in found if finding.about == "broker"] == [Level.OK]


def test_roles_that_were_not_made_are_named_with_what_to_run(historian: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HISTORIAN_WRITER_ROLE", "not_made")
    told = wrongs(findings())
    assert "10-roles.sh" in told["connection"]
    assert told["roles"] == "there is no role not_made -> run deploy/postgres/10-roles.sh (docs/deployment.md, Roles)"


def test_a_user_who_is_no_member_is_told_so(at: Addresses, historian: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HISTORIAN_DATABASE_URL", at.reader)
    assert f"our user may not act as {OWNER}" in historian("doctor").output


def test_mistakes_of_the_configuration_are_findings(historian: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HISTORIAN_DATABASE_URL", "mysql://h/d")
    monkeypatch.setenv("HISTORIAN_QUEUE_SIZE", "0")
    told = historian("doctor")
    assert told.exit_code == 1
    assert told.output.count("WRONG") == 2


def test_without_tables_it_says_how_to_make_them(
    database: str, broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, text in environment(tmp_path, database, broker.port).items():
        monkeypatch.setenv(name, text)
    told = wrongs(findings())
    assert "historian migrate" in told["migrations"]


def test_a_clock_that_differs_is_wrong(historian: Command):
    told = wrongs(findings(utc_now() + timedelta(seconds=30)))
    assert any(f"-{second}." in told["clock"] for second in (30, 29, 28, 27)), "some of it went by while the machine was busy"


@pytest.mark.parametrize(
    ("sequence", "table", "column"),
    [
        ("event_number", "dispatch_batch", "event_no"),
        ("report_number", "price_report", "report_no"),
        ("origin_origin_no_seq", "origin", "origin_no"),
        ("node_node_no_seq", "node", "node_no"),
    ],
)
def test_numbers_that_the_database_would_give_twice_are_wrong(
    at: Addresses, historian: Command, sequence: str, table: str, column: str
):
    """As after a restore that left out the sequences: each event would be refused for its number."""
    with opened(at.historian, owner=OWNER, writer=WRITER) as database:
        fill(database, samples.dispatch(), samples.prices())
    assert "numbers" not in wrongs(findings())
    query(at.superuser, f"UPDATE dotbus.{table} SET {column} = {column} + 5000")
    told = wrongs(findings())["numbers"]
    (mend,) = re.findall(rf"SELECT setval\('({sequence}', \d+)\)", told)
    query(at.superuser, f"SELECT setval('dotbus.{mend})")
    assert "numbers" not in wrongs(findings())


def test_of_thousands_of_invented_streams_with_gaps_the_first_are_named(at: Addresses, historian: Command):
    many = "FROM generate_series(1, 3000) AS n"
    query(at.superuser, f"INSERT INTO dotbus.origin (environment, source, stream) SELECT 'simulator', 'x/y', n {many}")
    query(at.superuser, "INSERT INTO dotbus.source_sequence SELECT origin_no, '{[7,8)}' FROM dotbus.origin")
    told = [finding for finding in findings() if finding.about == "sequences"]
    assert len(told) == STREAMS_SHOWN + 2
    assert told[-1].says == f"{3000 - STREAMS_SHOWN} more streams have gaps"
    assert len(historian("gaps").output.splitlines()) == 3000


def test_what_waits_as_dead_letter_is_a_note(at: Addresses, historian: Command):
    with opened(at.historian, owner=OWNER, writer=WRITER) as database:
        first, *rest = samples.dispatch().instructions
        other = msgspec.structs.replace(samples.dispatch(), instructions=(msgspec.structs.replace(first, dot_mw=-1.0), *rest))
        write(database, [arrival(b"{", "dotbus/v1/market/RTM/prices"), *arrivals(samples.dispatch(), other)])
    told = {finding.says for finding in findings() if finding.about == "dead letters"}
    assert told == {"1 wait", "1 say something else than what came first under the same key"}


def test_a_later_version_of_the_tables_is_refused_in_one_line(at: Addresses, historian: Command):
    query(at.superuser, "UPDATE dotbus.alembic_version SET version_num = '9999'")
    told = historian("migrate")
    assert told.exit_code == 1
    assert "of a later version of dotbus" in told.output


# Gaps and replay.


@pytest.fixture
def source(broker: Mosquitto, tmp_path: Path) -> Iterator[Source]:
    with Source(broker.port, tmp_path / "source").running() as source:
        yield source


def stored(at: Addresses) -> list[int]:
    return [seq for (seq,) in query(at.reader, "SELECT seq FROM dotbus.dispatch_batch ORDER BY seq")]


def test_gaps_tells_of_each_stream_what_came_what_is_missing_since_when_and_what_is_lost(at: Addresses, historian: Command):
    span = OutboxSpan(stream=samples.STREAM, first_seq=1, last_seq=9, unpublished=0)
    with opened(at.historian, owner=OWNER, writer=WRITER) as database:
        fill(database, *(msgspec.structs.replace(samples.trajectory_batch(), id=f"t{seq}", seq=seq) for seq in (2,)))
        fill(database, samples.dispatch(), msgspec.structs.replace(samples.service_status(), outbox=span))
    query(at.superuser, "UPDATE dotbus.source_sequence SET lost = '{[8,9]}'")
    query(
        at.superuser,
        "INSERT INTO dotbus.lost_events (origin_no, first_seq, last_seq, reason, noticed_at) "
        "SELECT origin_no, 8, 9, 'gone', '2026-10-13T15:00:00Z' FROM dotbus.origin",
    )
    told = historian("gaps")
    assert told.exit_code == 0
    assert told.output.strip() == (
        f"ads_ingest/a, simulator, stream {samples.STREAM}: 2 received, 5 missing (3-7) since {NOW:%Y-%m-%dT%H:%M:%SZ}, "
        "2 lost since 2026-10-13T15:00:00Z"
    )


def test_gaps_tells_what_sources_could_not_have_of_caiso_the_newest_first(at: Addresses, historian: Command):
    sample = samples.upstream_gap()
    gaps = [
        msgspec.structs.replace(
            sample, id=f"gap/{n}", seq=n, account=account, missing_from=NOW + timedelta(days=n), detail=f"{n}"
        )
        for n, account in ((1, None), (2, "north"))
    ]
    with opened(at.historian, owner=OWNER, writer=WRITER) as database:
        fill(database, *gaps)
        with database.transaction() as connection:
            assert read_upstream_gaps(connection, shown=1)[1:] == ["and 1 older gaps of upstreams: see upstream_gap_history"]
    assert historian("gaps").output.splitlines()[1:] == [
        "ads_ingest/a, simulator, ads_dispatch of account north: 2",
        "ads_ingest/a, simulator, ads_dispatch: 1",
    ]


def test_replay_asks_for_all_that_is_missing_and_it_is_there(
    at: Addresses, historian: Command, source: Source, broker: Mosquitto
):
    source.say(1, 5)
    outbox = "SELECT outbox->>'last_seq', outbox->>'unpublished' FROM dotbus.service_state"
    said = f"{outbox} WHERE service = 'ads_ingest' ORDER BY id DESC LIMIT 1"
    with running_historian(dict(os.environ)):
        eventually(lambda: stored(at) == [1, 2, 3, 4, 5] and query(at.reader, said) == [("5", "0")])
    # As after a table was restored from before: rows and numbers are gone.
    query(at.superuser, "DELETE FROM dotbus.dispatch_batch WHERE seq IN (2, 3, 5)")
    query(at.superuser, "UPDATE dotbus.source_sequence SET received = '{[1,2),[4,5)}'")
    assert "3 missing (2-3, 5)" in historian("gaps").output
    told = historian("replay", "ads_ingest/a")
    assert told.exit_code == 0, told.output
    assert "sent again" in told.output
    with running_historian(dict(os.environ)):
        eventually(lambda: stored(at) == [1, 2, 3, 4, 5])
    assert historian("replay", "ads_ingest/a").output.strip() == "nothing is missing of ads_ingest/a"


def test_replay_of_numbers_is_asked_for_whether_they_are_missing_or_not(at: Addresses, historian: Command, source: Source):
    source.say(1, 5)
    with running_historian(dict(os.environ)):
        eventually(lambda: stored(at) == [1, 2, 3, 4, 5])
        told = historian("replay", "ads_ingest/a", "2", "4")
    assert told.exit_code == 0, told.output
    assert "3 sent again" in told.output


def test_a_source_that_does_not_answer_is_told(at: Addresses, historian: Command):
    span = OutboxSpan(stream=samples.STREAM, first_seq=1, last_seq=9, unpublished=0)
    with opened(at.historian, owner=OWNER, writer=WRITER) as database:
        fill(database, samples.dispatch(), msgspec.structs.replace(samples.service_status(), outbox=span))
    told = historian("replay", "ads_ingest/a", "--within-s", "1")
    assert told.exit_code == 1
    assert "asking ads_ingest/a, waiting up to 1 s" in told.output
    assert "did not answer in time" in told.output
    assert historian("replay", "ads_ingest/nobody").exit_code == 1


def test_numbers_that_are_no_range_are_asked_of_nobody(at: Addresses, historian: Command):
    with opened(at.historian, owner=OWNER, writer=WRITER) as database:
        fill(database, samples.dispatch())
    told = historian("replay", "ads_ingest/a", "5", "1")
    assert (told.exit_code, told.output) == (1, "5 to 1 is no range: LAST is below FIRST\n")
    assert isinstance(told.exception, SystemExit)


# Dead letters.


def test_dead_letters_are_listed_shown_exported_and_tried_again(at: Addresses, historian: Command, tmp_path: Path):
    good, topic = arrivals(samples.dispatch())[0], "dotbus/v1/market/RTM/prices"
    with opened(at.historian, owner=OWNER, writer=WRITER) as database:
        write(database, [arrival(b'{"kind": "prices"}', topic), arrival(b"\xff", topic)])
        # As if an earlier version had not understood it.
        text = good.payload.decode().replace("'", "''")
        known = f"payload = convert_to('{text}', 'UTF8'), payload_bytes = {len(good.payload)}, topic = '{good.topic}'"
        query(at.superuser, f"UPDATE dotbus.dead_letter SET {known} WHERE id = 1")
    listed = historian("dead-letters", "list")
    assert listed.output.splitlines()[-1] == "2 dead letters; refused: 2"
    assert "2 dead letters, of which the oldest 1 are shown" in historian("dead-letters", "list", "--limit", "1").output
    assert samples.BATCH_UID in historian("dead-letters", "show", "1").output
    assert historian("dead-letters", "show", "99").exit_code == 1

    file = tmp_path / "letters.jsonl"
    assert historian("dead-letters", "export", str(file)).exit_code == 0
    entries = [json.loads(line) for line in file.read_text().splitlines()]
    assert [entry["topic"] for entry in entries] == [good.topic, topic]

    again = historian("dead-letters", "retry")
    assert again.exit_code == 1
    assert again.output.splitlines()[0] == "1: stored"
    assert "2: still refused" in again.output
    assert query(at.reader, "SELECT count(*) FROM dotbus.instruction") == [(1,)]
    assert historian("dead-letters", "list").output.splitlines()[-1] == "1 dead letters; refused: 1"


@pytest.mark.parametrize("command", [["show"], ["retry"], ["export", "-"]])
def test_a_dead_letter_that_there_is_not_is_told(historian: Command, command: list[str]):
    told = historian("dead-letters", *command, "0")
    assert (told.exit_code, "no dead letter waits under 0" in told.output) == (1, True)


def test_where_no_dead_letter_waits_a_retry_says_so(historian: Command):
    told = historian("dead-letters", "retry")
    assert (told.exit_code, told.output) == (0, "no dead letter waits\n")


def test_a_status_that_is_understood_at_last_is_stored_with_the_others(at: Addresses, historian: Command):
    status = arrivals(samples.service_status())[0]
    with opened(at.historian, owner=OWNER, writer=WRITER) as database:
        write(database, [arrival(b"{}", status.topic)])
    text = status.payload.decode().replace("'", "''")
    known = f"payload = convert_to('{text}', 'UTF8'), payload_bytes = {len(status.payload)}"
    query(at.superuser, f"UPDATE dotbus.dead_letter SET {known}")
    assert historian("dead-letters", "retry").output == "1: stored\n"
    assert query(at.reader, "SELECT service, online FROM dotbus.service_state") == [("ads_ingest", True)]


def test_a_month_of_long_ago_makes_no_finding(at: Addresses, historian: Command):
    with prepared(at.historian, owner=OWNER, writer=WRITER) as database:
        long_ago = {"interval_start": datetime(2020, 1, 1, tzinfo=UTC), "interval_end": datetime(2020, 1, 1, 1, tzinfo=UTC)}
        fill(database, msgspec.structs.replace(samples.prices(), **long_ago))
    assert "months" not in wrongs(findings())
