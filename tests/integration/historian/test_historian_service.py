"""The historian as a process, between a real Mosquitto and a real PostgreSQL, fed by a real outbox and courier.

Nothing that a source committed is lost or doubled, whoever is killed.
"""

import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import msgspec
import psycopg2
import pytest
import requests
from historian_parts import stored as rows_of
from historian_process import Process
from real_mosquitto import Mosquitto, free_port
from waiting import eventually

from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import Environment, ServiceStatus
from dotbus.contracts.topics import Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.runtime.outbox.courier import Courier
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings
from dotbus.testing import samples

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[3]
TOPICS = Topics()
INGEST = Identity("ads_ingest", "a", Environment.SIMULATOR, datetime(2026, 1, 1, tzinfo=UTC))


class Source:
    """An ingest without CAISO: its outbox, its courier and its status."""

    def __init__(self, port: int, folder: Path) -> None:
        self.outbox = Outbox(folder / "outbox.sqlite", max_age_s=3600, max_bytes=10**9)
        self.bus = Bus(BusSettings(port=port), "source", clock=utc_now, will=INGEST.will(TOPICS))
        self.courier = Courier(self.bus, self.outbox, TOPICS, INGEST, clock=utc_now)
        self.presence = Presence(
            self.bus,
            TOPICS,
            INGEST,
            lambda now: INGEST.status(now, outbox=self.outbox.span()),
            clock=utc_now,
            every_s=0.2,
        )

    def start(self) -> None:
        self.bus.start()
        self.courier.start()
        self.presence.start()

    def stop(self) -> None:
        self.courier.stop()
        self.presence.stop()
        self.bus.stop()
        self.outbox.close()

    def say(self, first: int, last: int) -> None:
        """Commit dispatches numbered so; the courier publishes them."""
        for number in range(first, last + 1):
            self.outbox.commit(utc_now(), events=[(TOPICS.dispatch("sierra", "TEST_RESOURCE_1"), dispatch(number))])
        self.courier.wake()


def dispatch(number: int):
    batch = msgspec.structs.replace(samples.dispatch().batch, batch_uid=f"B{number}")
    return msgspec.structs.replace(samples.dispatch(), id=f"id-{number}", seq=0, stream="", batch=batch)


@pytest.fixture
def source(broker: Mosquitto, tmp_path: Path) -> Iterator[Source]:
    source = Source(broker.port, tmp_path / "source")
    yield source
    source.stop()


@pytest.fixture
def historian(broker: Mosquitto, database: str, tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, broker.port, database)
    yield process
    process.clean_up()


def stored(database: str) -> list[int]:
    """The numbers of the dispatches that are in the database."""
    try:
        rows = rows_of(database, "SELECT substr(batch_uid, 2)::int FROM instruction_history ORDER BY 1")
    except psycopg2.Error:  # not migrated yet, or being killed
        return []
    return [number for (number,) in rows]


def holds(database: str, first: int, last: int):
    return lambda: stored(database) == list(range(first, last + 1))


def test_what_a_source_says_is_in_the_database(historian, source, database):
    historian.start()
    source.start()
    source.say(1, 50)
    eventually(holds(database, 1, 50))
    states = "SELECT DISTINCT service, online FROM service_state ORDER BY service"
    eventually(lambda: rows_of(database, states) == [("ads_ingest", True), ("historian", True)])
    assert historian.end(signal.SIGTERM) == 0


def test_what_was_said_before_the_historian_was_there_is_asked_for(historian, source, database):
    source.start()
    source.say(1, 1500)  # nobody subscribes yet; more than one request may ask for
    eventually(lambda: source.outbox.span().unpublished == 0)
    historian.start()
    eventually(holds(database, 1, 1500), within_s=30)
    assert rows_of(database, "SELECT received::text FROM source_sequence") == [("{[1,1501)}",)]
    assert rows_of(database, "SELECT count(*) FROM lost_events") == [(0,)]


def test_upkeep_that_fails_keeps_nobody_from_asking_for_what_is_missing(historian, source, database):
    assert historian.run("migrate").returncode == 0
    rows_of(database, "ALTER TABLE dead_letter RENAME COLUMN payload TO elsewhere")
    source.start()
    source.say(1, 50)
    eventually(lambda: source.outbox.span().unpublished == 0)
    historian.start()
    eventually(lambda: historian.said("the database takes nothing"))
    source.say(51, 60)
    eventually(holds(database, 1, 60), within_s=30)


def test_what_the_source_no_longer_has_is_written_down_as_lost_and_not_asked_for_again(historian, source, database):
    source.start()
    source.say(1, 20)
    eventually(lambda: source.outbox.span().unpublished == 0)
    source.outbox.prune(utc_now() + timedelta(hours=2))
    source.say(21, 30)
    historian.start()
    eventually(holds(database, 21, 30))
    lost = "SELECT source, first_seq, last_seq FROM lost_events JOIN origin USING (origin_no)"
    eventually(lambda: rows_of(database, lost) == [("ads_ingest/a", 1, 20)])
    asked = len(historian.said("events are missing; asking for them"))
    source.say(31, 40)
    eventually(holds(database, 21, 40))
    eventually(lambda: rows_of(database, "SELECT lost::text FROM source_sequence") == [("{[1,21)}",)])
    assert len(historian.said("events are lost")) == 1
    assert len(historian.said("events are missing; asking for them")) == asked


def test_a_stream_that_its_source_began_anew_is_lost_where_it_has_gaps(historian, source, database):
    historian.start()
    eventually(lambda: historian.is_ready)
    gone = msgspec.structs.replace(dispatch(7), stream="of an outbox that is gone", seq=3)
    source.start()
    eventually(lambda: source.bus.connected)
    source.bus.publish([Outgoing(TOPICS.dispatch("sierra", "TEST_RESOURCE_1"), encode(gone))])
    lost = "SELECT stream, first_seq, last_seq FROM lost_events JOIN origin USING (origin_no)"
    eventually(lambda: rows_of(database, lost) == [("of an outbox that is gone", 1, 2)])


def test_a_database_that_is_killed_costs_nothing(historian, source, database, postgres):
    historian.start()
    source.start()
    source.say(1, 200)
    eventually(lambda: len(stored(database)) > 0)
    postgres.kill()
    try:
        source.say(201, 400)
        eventually(lambda: historian.said("the database takes nothing"))
        eventually(lambda: source.outbox.span().unpublished == 0)
    finally:
        postgres.start()
    eventually(holds(database, 1, 400), within_s=60)
    eventually(lambda: historian.said("the database is back"))
    causes = [entry["cause"] for entry in historian.said("the database takes nothing")]
    assert all(one != next_one for one, next_one in pairwise(causes)), "a cause is logged when it is new"
    assert rows_of(database, "SELECT received::text FROM source_sequence") == [("{[1,401)}",)]
    assert rows_of(database, "SELECT count(*) FROM dead_letter") == [(0,)]


def test_a_database_that_fails_shows_in_the_status(historian, broker, database):
    words: list[ServiceStatus] = []
    listener = Bus(BusSettings(port=broker.port), "listener", clock=utc_now)
    listener.subscribe([TOPICS.service("historian", "h")], lambda d: words.append(decode_as(d.payload, ServiceStatus)))
    listener.start()
    historian.start()
    eventually(lambda: words and words[-1].upstreams and words[-1].upstreams[0].ok)
    rows_of(database, "ALTER TABLE source_sequence RENAME TO elsewhere")
    eventually(lambda: words[-1].upstreams and not words[-1].upstreams[0].ok)
    assert "source_sequence" in (words[-1].upstreams[0].last_error or "")
    rows_of(database, "ALTER TABLE elsewhere RENAME TO source_sequence")
    eventually(lambda: words[-1].upstreams and words[-1].upstreams[0].ok, within_s=40)
    historian.end(signal.SIGKILL)
    eventually(lambda: not words[-1].online, within_s=40)
    listener.stop()


def test_a_database_that_answers_and_takes_no_row_is_not_well_until_it_takes_them(historian, source, database):
    """Such as with a full disk or without a right to insert: what only reads goes on all the while."""
    port = historian.environment["HISTORIAN_HEALTH_PORT"] = str(free_port())
    historian.start()
    source.start()
    source.say(1, 1)
    eventually(holds(database, 1, 1))
    assert served(port, "ready")[0] == 200
    rows_of(
        database,
        """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
          $$ BEGIN RAISE 'No space left on device' USING ERRCODE = 'disk_full'; END $$;
        CREATE TRIGGER takes_no_row BEFORE INSERT ON dispatch_batch FOR EACH ROW EXECUTE FUNCTION refuse()""",
    )
    source.say(2, 3)
    # As often as this the look for what is missing had its answers meanwhile.
    eventually(lambda: metric(port, "historian_store_failures_total") >= 5, within_s=40)
    code, told = served(port, "ready")
    assert (code, json.loads(told)["database"]) == (503, False)
    eventually(lambda: metric(port, "historian_lag_seconds") > 2)
    assert [len(historian.said(words)) for words in ("the database takes nothing", "the database is back")] == [1, 0]
    rows_of(database, "DROP TRIGGER takes_no_row ON dispatch_batch")
    eventually(holds(database, 1, 3), within_s=10)
    eventually(lambda: served(port, "ready")[0] == 200)
    eventually(lambda: metric(port, "historian_lag_seconds") == 0)


def served(port: str, what: str) -> tuple[int, str]:
    """What the historian answers to whoever watches it."""
    answer = requests.get(f"http://127.0.0.1:{port}/{what}", timeout=20)
    return answer.status_code, answer.text


def metric(port: str, name: str) -> float:
    """The value of one."""
    return next(float(line.split()[1]) for line in served(port, "metrics")[1].splitlines() if line.startswith(f"{name} "))


def test_a_historian_killed_before_its_commit_gets_the_messages_again(historian, source, database):
    historian.start()
    source.start()
    source.say(1, 1)
    eventually(holds(database, 1, 1))
    blocker = psycopg2.connect(database)
    with blocker.cursor() as cursor:
        cursor.execute("LOCK TABLE dotbus.instruction IN ACCESS EXCLUSIVE MODE")
    source.say(2, 60)
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dotbus historian' AND wait_event_type = 'Lock'"
    eventually(lambda: rows_of(database, waiting)[0][0] > 0)
    historian.end(signal.SIGKILL)
    blocker.rollback()
    blocker.close()
    # Without its source: what comes now comes from the broker, because it was never acknowledged.
    eventually(lambda: source.outbox.span().unpublished == 0)
    source.bus.stop()
    historian.start()
    eventually(holds(database, 1, 60), within_s=30)


def test_a_historian_killed_again_and_again_loses_and_doubles_nothing(historian, source, database):
    source.start()
    for turn in range(4):
        historian.start()
        eventually(lambda: historian.is_ready)
        first = 1 + turn * 250
        source.say(first, first + 249)
        eventually(lambda first=first: len(stored(database)) > first)
        historian.end(signal.SIGKILL)
    historian.start()
    eventually(holds(database, 1, 1000), within_s=40)
    details = "SELECT count(*), count(DISTINCT event_no) FROM instruction_detail"
    assert rows_of(database, details) == [(2000, 1000)]


def test_a_broker_that_is_killed_costs_nothing(historian, source, broker, database):
    historian.start()
    source.start()
    source.say(1, 300)
    eventually(lambda: len(stored(database)) > 0)
    broker.kill()
    source.say(301, 400)
    broker.start()
    source.say(401, 500)
    eventually(holds(database, 1, 500), within_s=60)


def test_bad_messages_stop_nothing_behind_them_and_can_be_listed(historian, source, database):
    historian.start()
    source.start()
    eventually(lambda: historian.is_ready and source.bus.connected)
    topic = TOPICS.dispatch("sierra", "TEST_RESOURCE_1")
    source.bus.publish([Outgoing(topic, payload) for payload in (b"\xff", b"{}", encode(samples.trajectory_batch()))])
    source.say(1, 10)
    eventually(holds(database, 1, 10))
    listed = historian.run("dead-letters", "list")
    assert (listed.returncode, listed.stdout.splitlines()[-1]) == (0, "3 dead letters; refused: 3")
    retried = historian.run("dead-letters", "retry")
    assert (retried.returncode, retried.stdout.count("still refused")) == (1, 3)


def test_migrate_makes_the_tables_without_a_broker(historian, database):
    done = historian.run("migrate")
    assert (done.returncode, done.stdout) == (0, "tables: up to date\n")
    assert rows_of(database, "SELECT count(*) FROM price_latest") == [(0,)]


@pytest.fixture
def pair(broker: Mosquitto, database: str, tmp_path: Path) -> Iterator[list[Process]]:
    group = {"HISTORIAN_SHARE_GROUP": "historians"}
    pair = [Process(tmp_path / name, broker.port, database, HISTORIAN_INSTANCE=name, **group) for name in ("x", "y")]
    for process in pair:
        process.start()
    for process in pair:
        eventually(lambda process=process: process.is_ready)
    yield pair
    for process in pair:
        process.clean_up()


def test_historians_of_one_group_divide_the_events(pair, source, database):
    source.start()
    source.say(1, 500)
    eventually(holds(database, 1, 500), within_s=30)
    eventually(lambda: rows_of(database, "SELECT received::text FROM source_sequence") == [("{[1,501)}",)])


def test_a_dead_historian_of_a_group_soon_gets_nothing_any_more(pair, source, database):
    source.start()
    source.say(1, 100)
    eventually(holds(database, 1, 100), within_s=30)
    pair[0].end(signal.SIGKILL)
    said = 100

    def nothing_has_to_be_asked_for() -> bool:
        nonlocal said
        asked = len(pair[1].said("events are missing; asking for them"))
        source.say(said + 1, said + 20)
        said += 20
        eventually(holds(database, 1, said), within_s=30)
        return len(pair[1].said("events are missing; asking for them")) == asked

    eventually(nothing_has_to_be_asked_for, within_s=60)
