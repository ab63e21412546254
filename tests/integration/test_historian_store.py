"""The store against a real PostgreSQL: nothing doubled, nothing dropped, nothing stopped by one bad message."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from historian.dead_letters import retry_letters
from historian.record import Stream, record
from historian.schema import EVENT_TABLES, metadata
from historian.store import Arrival, Store, StoreUnavailable
from real_postgres import query
from waiting import eventually

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Event
from dotbus.contracts.topics import Topics
from dotbus.runtime.sequence import SequenceRanges
from dotbus.testing import samples
from historian.migrations import LOCK

pytestmark = pytest.mark.integration

TOPICS = Topics()
DRIVER = "postgresql+psycopg2"
NOW = datetime(2026, 10, 13, 14, 9, 30, tzinfo=UTC)
ADS = Stream("simulator", "ads_ingest/a", samples.STREAM)


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    store = Store(database)
    store.migrate()
    yield store
    store.close()


def topic_of(message) -> str:
    match type(message).__name__:
        case "Dispatch":
            return TOPICS.dispatch(message.plant, message.resource_id)
        case "TrajectoryBatch":
            return TOPICS.trajectory_batch(message.plant, message.resource_id)
        case "Prices":
            return TOPICS.prices(message.market)
        case _:
            return TOPICS.service(message.service, message.instance)


def arrival(message, topic: str | None = None) -> Arrival:
    payload = message if isinstance(message, bytes) else encode(message)
    topic = topic or topic_of(message)
    return Arrival(topic, payload, NOW, record(TOPICS, topic, payload, NOW))


def dispatch(seq: int, *, batch_uid: str = "BATCH", revision_no: int | None = 1, dot_mw: float = 12.0, **changes) -> Event:
    sample = samples.dispatch()
    instruction = msgspec.structs.replace(samples.instruction(), dot_mw=dot_mw, **changes)
    batch = msgspec.structs.replace(sample.batch, batch_uid=batch_uid, revision_no=revision_no)
    return msgspec.structs.replace(sample, id=f"id-{seq}", seq=seq, batch=batch, instructions=(instruction,))


def counts(database: str) -> dict[str, int]:
    return {table.name: query(database, f"SELECT count(*) FROM {table.name}")[0][0] for table in EVENT_TABLES}


def test_a_step_may_take_longer_than_a_statement_of_every_day(database, monkeypatch):
    """Such as a new index on a table of years; here the step waits for another historian's."""
    monkeypatch.setattr("historian.store.STATEMENT_TIMEOUT_S", 1)
    other = threading.Thread(target=query, args=(database, f"SELECT pg_advisory_xact_lock({LOCK}), pg_sleep(2)"))
    other.start()
    held = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND granted"
    eventually(lambda: query(database, held))
    store = Store(database)
    assert store.migrate()
    with (
        store._engine.connect() as connection,
        pytest.raises(sa.exc.OperationalError, match="statement timeout"),
    ):  # how its connections are set up
        connection.execute(sa.text("SELECT pg_sleep(2)"))
    store.close()
    other.join()


def test_the_migrations_make_exactly_the_tables_of_the_schema(database, store):
    with sa.create_engine(sa.make_url(database).set(drivername=DRIVER)).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
    views = query(database, "SELECT viewname FROM pg_views WHERE schemaname = 'public' ORDER BY 1")
    assert views == [("dispatch_batch_latest",), ("dot_latest",), ("instruction_latest",), ("price_latest",)]


def test_several_historians_may_start_on_one_empty_database(database):
    stores = [Store(database) for _ in range(4)]
    outcomes: list[bool] = []
    threads = [threading.Thread(target=lambda store=store: outcomes.append(store.migrate())) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for store in stores:
        store.close()
    assert outcomes == [True] * 4
    assert counts(database) == dict.fromkeys((table.name for table in EVENT_TABLES), 0)


def test_the_reader_role_may_read_and_no_more(database, store):
    role = f"reader_{database[-8:]}"
    assert store.migrate(role) is False
    query(database, f"CREATE ROLE {role}")
    assert store.migrate(role) is True
    privileges = (
        "SELECT has_table_privilege('{0}', c.oid, 'SELECT'), has_table_privilege('{0}', c.oid, 'INSERT, UPDATE, DELETE')"
    )
    of_ours = " FROM pg_class c WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
    assert set(query(database, privileges.format(role) + of_ours)) == {(True, False)}


def test_an_event_is_the_same_rows_however_often_it_comes(database, store):
    events = [arrival(samples.dispatch()), arrival(samples.trajectory_batch()), arrival(samples.prices())]
    store.write(events)
    once = counts(database)
    store.write([*events, *events])
    renumbered = [
        msgspec.structs.replace(m, stream="of another outbox", seq=77) for m in (samples.dispatch(), samples.prices())
    ]
    store.write([arrival(message) for message in renumbered])
    assert counts(database) == once
    assert once == {
        "dispatch_batch": 1,
        "instruction": 1,
        "instruction_detail": 2,
        "trajectory_batch": 1,
        "dop": 2,
        "compliance": 1,
        "price": 2,
    }


def test_every_value_comes_back_as_it_was_said(database, store):
    message = samples.dispatch()
    store.write([arrival(message)])
    with sa.create_engine(sa.make_url(database).set(drivername=DRIVER)).connect() as connection:
        row = connection.execute(sa.text("SELECT * FROM instruction")).mappings().one()
    said = msgspec.structs.asdict(message.instructions[0])
    said["own_batch_uid"] = said["batch_uid"]
    del said["details"]
    assert {name: row[name] for name in said} == said
    assert (row["plant"], row["environment"], row["source"], row["seq"]) == ("sierra", "simulator", "ads_ingest/a", 1)
    assert row["received_at"] == NOW


def test_numbers_keep_every_digit(database, store):
    values = (0.1 + 0.2, -4.88685)
    store.write([arrival(msgspec.structs.replace(samples.prices(), lmp_usd_per_mwh=values))])
    assert {row[0] for row in query(database, "SELECT lmp_usd_per_mwh FROM price")} == set(values)


def test_what_is_absent_is_null_and_never_zero(database, store):
    store.write([arrival(dispatch(1, dot_mw=None, revision_number=None, end_at=None))])
    assert query(database, "SELECT dot_mw, revision_number, end_at FROM instruction") == [(None, None, None)]


@pytest.mark.parametrize("text", ["a\0b", "\t\n\\ 'quoted' \"double\" %s :name", "é 漢 😀", "", "\\u0000 as text"])
def test_extra_elements_survive_whatever_text_they_hold(database, store, text):
    store.write([arrival(dispatch(1, extra={text: text}, responder=text))])
    ((extra, responder),) = query(database, "SELECT extra, responder FROM instruction")
    visible = text.replace("\0", "␀")
    assert (extra, responder) == ({visible: visible}, visible)
    assert store.dead_letters(10) == []


@pytest.mark.parametrize("changes", [{"reason_code": 2**31}, {"status_code": -(2**40)}, {"bid_delay_min": 10**30}])
def test_a_message_that_the_database_refuses_is_a_dead_letter_and_the_others_are_stored(database, store, changes):
    events = [dispatch(seq, batch_uid=f"B{seq}") for seq in range(1, 20)]
    events[12] = dispatch(13, batch_uid="B13", **changes)
    written = store.write([arrival(event) for event in events])
    assert written.events == 18
    assert counts(database)["instruction"] == 18
    (letter,) = store.dead_letters(10)
    assert letter.payload == encode(events[12])
    assert letter.topic == TOPICS.dispatch("sierra", "TEST_RESOURCE_1")
    assert "out of range" in letter.reason
    assert store.known()[ADS].received == SequenceRanges(((1, 19),)), "a dead letter has come: it is not asked for again"


def test_a_name_too_long_for_an_index_is_a_dead_letter(database, store):
    name = "".join(chr(0x4E00 + number) for number in range(4000))  # compresses badly, as an attacker would have it
    written = store.write([arrival(dispatch(1)), arrival(dispatch(2, batch_uid=name)), arrival(dispatch(3, batch_uid="C"))])
    assert (written.events, len(written.refusals)) == (2, 1)
    assert counts(database)["dispatch_batch"] == 2


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"{", b"[" * 100_000, b'{"version": 1}', b"\x00"])
def test_what_is_no_message_is_kept_as_it_came_and_counted(store, payload):
    for _ in range(3):
        store.write([arrival(payload, "dotbus/v1/plant/sierra/R/dispatch"), arrival(dispatch(1))])
    (letter,) = store.dead_letters(10)
    assert (letter.payload, letter.seen) == (payload, 3)


def test_an_unknown_version_is_a_dead_letter_whose_number_has_come(store):
    document = {**json.loads(encode(dispatch(5))), "version": 2}
    store.write([arrival(json.dumps(document).encode(), topic_of(samples.dispatch()))])
    assert store.known()[ADS].received == SequenceRanges(((5, 5),))
    assert "version 2" in store.dead_letters(10)[0].reason


def test_a_dead_letter_is_stored_once_the_reason_is_gone(database, store, capsys):
    query(database, "ALTER TABLE instruction ADD CONSTRAINT narrow CHECK (dot_mw < 100)")
    store.write([arrival(dispatch(1, dot_mw=120.0)), arrival(b"junk", topic_of(samples.dispatch()))])
    assert retry_letters(store, TOPICS, (), 10) == 2
    query(database, "ALTER TABLE instruction DROP CONSTRAINT narrow")
    assert retry_letters(store, TOPICS, (), 10) == 1
    assert query(database, "SELECT dot_mw FROM instruction") == [(120.0,)]
    assert [letter.payload for letter in store.dead_letters(10)] == [b"junk"]
    assert ": stored" in capsys.readouterr().out


def test_every_revision_is_kept_and_the_newest_is_shown(database, store):
    revisions = [dispatch(1, revision_no=2, dot_mw=20.0), dispatch(2, revision_no=10, dot_mw=30.0), dispatch(3, revision_no=1)]
    store.write([arrival(event) for event in revisions])
    assert counts(database)["instruction"] == 3
    assert query(database, "SELECT dot_mw, revision_no FROM instruction_latest") == [(30.0, 10)]
    assert query(database, "SELECT revision_no FROM dispatch_batch_latest") == [(10,)]


def test_an_instruction_that_a_newer_revision_does_not_name_is_shown_no_more(database, store):
    named = dispatch(1, revision_no=1)
    left_out = msgspec.structs.replace(dispatch(2, revision_no=2), instructions=())
    store.write([arrival(named), arrival(left_out)])
    assert query(database, "SELECT revision_no FROM instruction") == [(1,)]
    assert query(database, "SELECT * FROM instruction_latest") == []
    store.write([arrival(dispatch(3, revision_no=3, dot_mw=30.0))])
    assert query(database, "SELECT dot_mw, revision_no FROM instruction_latest") == [(30.0, 3)]


def test_a_cancellation_without_instructions_that_did_not_raise_the_revision_takes_them_away(database, store):
    sent = dispatch(1, revision_no=1)
    batch, later = msgspec.structs.replace(sent.batch, batch_status=4), sent.time + timedelta(minutes=1)
    cancelled = msgspec.structs.replace(sent, id="id-2", seq=2, time=later, batch=batch, instructions=())
    store.write([arrival(sent), arrival(cancelled)])
    assert query(database, "SELECT * FROM instruction_latest") == []


def test_a_cancellation_that_did_not_raise_the_revision_is_kept_and_shown(database, store):
    sent = dispatch(1, revision_no=1)
    cancelled = msgspec.structs.replace(sent, id="id-2", seq=2, batch=msgspec.structs.replace(sent.batch, batch_status=4))
    store.write([arrival(sent), arrival(cancelled)])
    assert query(database, "SELECT batch_status FROM dispatch_batch_latest") == [(4,)]
    assert query(database, "SELECT count(*) FROM dispatch_batch") == [(2,)]


def test_unnumbered_revisions_are_told_apart_by_their_events(database, store):
    first, second = dispatch(1, revision_no=None), dispatch(2, revision_no=None, dot_mw=13.0)
    store.write([arrival(first), arrival(second), arrival(first), arrival(second)])
    assert counts(database)["instruction"] == 2
    assert query(database, "SELECT dot_mw, revision_no FROM instruction_latest") == [(13.0, None)]


def test_a_corrected_price_is_a_revision(database, store):
    sample = samples.prices()
    later = msgspec.structs.replace(
        sample, id="later", seq=4, fetched_at=sample.fetched_at + timedelta(days=3), lmp_usd_per_mwh=(40.0, None)
    )
    store.write([arrival(later), arrival(sample)])
    assert counts(database)["price"] == 4
    latest = "SELECT node, lmp_usd_per_mwh FROM price_latest ORDER BY node"
    assert query(database, latest) == [("BAYSHOR2_1_N001", None), ("TH_NP15_GEN-APND", 40.0)]


def test_a_batch_of_several_resources_has_one_header(database, store):
    one, other = dispatch(1), dispatch(2, resource_id="OTHER", instruction_uid="I1")
    other = msgspec.structs.replace(other, resource_id="OTHER")
    store.write([arrival(one), arrival(other)])
    assert counts(database)["dispatch_batch"] == 1
    assert query(database, "SELECT resource_id FROM instruction ORDER BY 1") == [("OTHER",), ("TEST_RESOURCE_1",)]


def status(after_s: float, *, ok: bool = True, online: bool = True, error: str | None = None) -> Arrival:
    sample = samples.service_status()
    upstream = msgspec.structs.replace(sample.upstreams[0], ok=ok, last_error=error)
    time = sample.time + timedelta(seconds=after_s)
    return arrival(msgspec.structs.replace(sample, time=time, online=online, upstreams=(upstream,) if online else ()))


def test_a_service_state_is_a_row_when_it_changes_and_a_time_when_it_does_not(database, store):
    store.write(
        [status(0), status(5), status(10), status(15, ok=False, error="refused"), status(20, ok=False, error="refused")]
    )
    store.write([status(-86400, online=False)])  # the last will: its time is when the connection was made
    store.write([status(5), status(20, ok=False, error="refused")])  # the broker sends them again
    store.write([status(60)])
    begin = samples.AT
    rows = query(database, "SELECT online, upstreams #> '{0,ok}', heard_at FROM service_state ORDER BY id")
    assert rows == [
        (True, True, begin + timedelta(seconds=10)),
        (True, False, begin + timedelta(seconds=20)),
        (False, None, begin + timedelta(seconds=20)),
        (True, True, begin + timedelta(seconds=60)),
    ]


def test_historians_that_share_a_stream_keep_one_truth(database, store):
    other = Store(database)
    mine = [arrival(dispatch(seq, batch_uid=f"B{seq}")) for seq in range(1, 200, 2)]
    theirs = [arrival(dispatch(seq, batch_uid=f"B{seq}")) for seq in range(2, 200, 2)]
    threads = [
        threading.Thread(target=lambda s=s, batch=batch: [s.write(batch[at : at + 5]) for at in range(0, len(batch), 5)])
        for s, batch in ((store, mine), (other, theirs))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert store.known()[ADS].received == SequenceRanges(((1, 199),))
    assert counts(database)["instruction"] == 199


def test_what_is_lost_is_written_once_and_what_came_is_not_lost(database, store):
    store.write([arrival(dispatch(5))])
    assert store.record_lost(ADS, [(1, 8)], "gone", NOW) == ((1, 4), (6, 8))
    assert store.record_lost(ADS, [(1, 9)], "gone", NOW) == ((9, 9),)
    assert query(database, "SELECT first_seq, last_seq, reason FROM lost_events ORDER BY id") == [
        (1, 4, "gone"),
        (6, 8, "gone"),
        (9, 9, "gone"),
    ]


def test_what_is_the_databases_fault_stores_nothing_of_a_batch_and_all_of_it_afterwards(database, store):
    store.write([arrival(dispatch(1))])
    query(database, "ALTER TABLE price RENAME TO elsewhere")
    with pytest.raises(StoreUnavailable, match="price"):
        store.write([arrival(dispatch(2, batch_uid="B2")), arrival(samples.prices())])
    assert query(database, "SELECT count(*) FROM instruction") == [(1,)], "a batch is stored whole or not at all"
    query(database, "ALTER TABLE elsewhere RENAME TO price")
    query(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dotbus historian'")
    store.write([arrival(dispatch(2, batch_uid="B2")), arrival(samples.prices())])
    assert (counts(database)["instruction"], counts(database)["price"]) == (2, 2)
    assert store.known()[ADS].received == SequenceRanges(((1, 2),))


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "57P03", "40P01", "XX000"])
def test_a_fault_of_the_database_is_never_blamed_on_a_message(database, store, sqlstate):
    body = f"BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '{sqlstate}'; END"
    query(database, f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    query(database, "CREATE TRIGGER full_disk BEFORE INSERT ON dop EXECUTE FUNCTION full_disk()")
    batch = [arrival(dispatch(1)), arrival(samples.trajectory_batch())]
    with pytest.raises(StoreUnavailable, match="no space left"):
        store.write(batch)
    assert (sum(counts(database).values()), store.dead_letters(10), store.known()) == (0, [], {})
    query(database, "DROP TRIGGER full_disk ON dop")
    assert store.write(batch).events == 2
