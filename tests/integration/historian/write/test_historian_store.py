"""The store against a real PostgreSQL: nothing doubled, nothing dropped, nothing stopped by one bad message."""

import json
import threading
from collections.abc import Iterator
from datetime import timedelta

import msgspec
import pytest
import sqlalchemy as sa
from historian_parts import (
    NOW,
    arrival,
    counts,
    dispatch,
    dispatches,
    letters,
    named,
    ready,
    received,
    replace,
    stored,
    topic_of,
)
from real_postgres import query

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmState
from dotbus.contracts.topics import Topics
from dotbus.testing import samples
from historian.database import Database, StoreUnavailable
from historian.upkeep.dead_letters import retry_letters
from historian.write.reading.arrivals import Arrival, Written
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration


@pytest.fixture
def open_database(database: str) -> Iterator[Database]:
    with ready(database) as opened:
        yield opened


@pytest.fixture
def store(open_database: Database) -> Store:
    return Store(open_database)


def test_an_event_is_the_same_rows_however_often_it_comes(database, store):
    of_caiso = (samples.dispatch(), samples.trajectory_batch(), samples.prices(), samples.upstream_gap())
    events = [arrival(message) for message in (*of_caiso, samples.answered(), samples.written(), samples.alarm_changed())]
    assert store.write(events, NOW).events == 7
    once = counts(database)
    assert len(store.write([*events, *events], NOW).repeats) == 14
    renumbered = [replace(m, stream="of another outbox", seq=77) for m in (samples.dispatch(), samples.prices())]
    assert len(store.write([arrival(message) for message in renumbered], NOW).repeats) == 2
    assert counts(database) == once
    assert once == {
        "dispatch_batch": 1,
        "instruction": 1,
        "instruction_detail": 2,
        "trajectory_batch": 1,
        "dop": 2,
        "compliance": 1,
        "instruction_response": 1,
        "point_write": 1,
        "upstream_gap": 1,
        "alarm_event": 1,
        "price_report": 1,
        "price": 2,
    }
    assert letters(database) == []


def test_every_value_of_an_answer_comes_back_as_it_was_said(database, store):
    message = samples.answered()
    store.write([arrival(message)], NOW)
    (row,) = named(database, "SELECT * FROM instruction_response_latest")
    said = msgspec.structs.asdict(message) | {"event_id": message.id, "received_at": NOW}
    for unknown in ("version", "id", "response_seq"):
        del said[unknown]
    assert {name: row[name] for name in said} == said


def test_the_last_word_on_an_answer_is_its_result_and_not_that_it_was_being_sent(database, store):
    result = samples.answered()
    sending = replace(result, id="response/sending", seq=1, outcome="sending", result_code=None, time=result.time)
    lost = replace(sending, id="response/lost", seq=2, command_id="another")
    store.write([arrival(message) for message in (result, sending, lost)], NOW)
    latest = stored(database, "SELECT command_id, outcome FROM instruction_response_latest ORDER BY seq")
    assert latest == [("another", "sending"), (result.command_id, "taken")]
    assert len(stored(database, "SELECT 1 FROM instruction_response_history")) == 3


def test_an_answer_of_one_id_that_says_something_else_is_a_contradiction(database, store):
    store.write([arrival(samples.answered())], NOW)
    written = store.write([arrival(replace(samples.answered(), outcome="refused"))], NOW)
    assert [rejection.kind for rejection in written.rejections] == ["contradiction"]
    assert stored(database, "SELECT outcome FROM instruction_response") == [("taken",)]


def test_every_value_of_an_alarms_event_comes_back_as_it_was_said(database, store):
    message = samples.alarm_changed()
    store.write([arrival(message)], NOW)
    (row,) = named(database, "SELECT * FROM alarm_event_history")
    said = msgspec.structs.asdict(message) | {"event_id": message.id, "received_at": NOW}
    for unknown in ("version", "id", "alarm_seq"):
        del said[unknown]
    assert {name: row[name] for name in said} == said


def test_alarms_that_are_not_normal_are_those_whose_last_event_left_them_so(database, store):
    shelved = samples.alarm_changed()
    raised, over = (
        replace(shelved, id=what, seq=seq, what=what, state=state, changed_at=shelved.changed_at + seconds)
        for what, seq, state, seconds in (
            ("raised", 1, AlarmState.UNACKNOWLEDGED, timedelta(minutes=-2)),
            ("returned", 4, AlarmState.NORMAL, timedelta(minutes=2)),
        )
    )
    other = replace(raised, id="other", seq=5, about="TEST_RESOURCE_2")
    store.write([arrival(message) for message in (shelved, other, raised)], NOW)  # the last that happened came first
    asked = "SELECT about, state FROM alarm_now ORDER BY about"
    assert stored(database, asked) == [("TEST_RESOURCE_1", "shelved"), ("TEST_RESOURCE_2", "unacknowledged")]
    store.write([arrival(over)], NOW)
    assert stored(database, asked) == [("TEST_RESOURCE_2", "unacknowledged")]


def test_every_value_of_a_gap_comes_back_as_it_was_said(database, store):
    message = samples.upstream_gap()
    store.write([arrival(message)], NOW)
    (row,) = named(database, "SELECT * FROM upstream_gap_history")
    said = msgspec.structs.asdict(message) | {"event_id": message.id, "received_at": NOW}
    for unknown in ("version", "id"):
        del said[unknown]
    assert {name: row[name] for name in said} == said


def test_a_gap_that_is_found_again_with_other_times_is_a_contradiction(database, store):
    store.write([arrival(samples.upstream_gap())], NOW)
    written = store.write([arrival(replace(samples.upstream_gap(), missing_until=NOW))], NOW)
    assert [rejection.kind for rejection in written.rejections] == ["contradiction"]


def test_every_value_of_a_dispatch_comes_back_as_it_was_said(database, store):
    message = samples.dispatch()
    store.write([arrival(message)], NOW)
    (row,) = named(database, "SELECT * FROM instruction_history")
    said = msgspec.structs.asdict(message.instructions[0])
    said["own_batch_uid"], said["batch_uid"] = said["batch_uid"], message.batch.batch_uid
    details = said.pop("details")
    assert {name: row[name] for name in said} == said
    assert (row["plant"], row["environment"], row["source"], row["seq"]) == ("sierra", "simulator", "ads_ingest/a", 1)
    assert row["received_at"] == NOW
    (header,) = named(database, "SELECT * FROM dispatch_batch_history")
    said = msgspec.structs.asdict(message.batch)
    assert {name: header[name] for name in said} == said
    found = named(database, "SELECT * FROM instruction_detail ORDER BY position")
    for place, (row, detail) in enumerate(zip(found, details, strict=True), 1):
        assert {name: row[name] for name in detail.__struct_fields__} == msgspec.structs.asdict(detail)
        assert (row["position"], row["instruction_uid"]) == (place, message.instructions[0].instruction_uid)


def test_every_value_of_a_trajectory_comes_back_as_it_was_said(database, store):
    message = samples.trajectory_batch()
    store.write([arrival(message)], NOW)
    parts = {"dop": message.dops, "compliance": message.compliance}
    for name, structs in parts.items():
        rows = named(database, f"SELECT * FROM {name}_history ORDER BY {name}_uid")
        for row, struct in zip(rows, structs, strict=True):
            assert {name: row[name] for name in struct.__struct_fields__} == msgspec.structs.asdict(struct)
            assert (row["batch_uid"], row["resource_id"]) == (message.batch.batch_uid, message.resource_id)
    (header,) = named(database, "SELECT * FROM trajectory_batch")
    said = msgspec.structs.asdict(message.batch)
    assert {name: header[name] for name in said} == said


def test_each_node_of_a_report_has_its_own_prices(database, store):
    message = samples.prices()
    store.write([arrival(message)], NOW)
    first, second = named(database, "SELECT * FROM price_history ORDER BY lmp_usd_per_mwh DESC")
    assert (first["node"], first["lmp_usd_per_mwh"], first["ghg_usd_per_mwh"]) == ("TH_NP15_GEN-APND", 36.96, None)
    assert (second["node"], second["lmp_usd_per_mwh"], second["congestion_usd_per_mwh"]) == ("BAYSHOR2_1_N001", -4.88685, -42.0)
    assert (second["interval_start"], second["fetched_at"]) == (message.interval_start, message.fetched_at)


def test_numbers_keep_every_digit(database, store):
    values = (0.1 + 0.2, 5e-324, -999_999_999_999_999.9, -0.0)
    sample = samples.prices()
    columns = {name: values for name in sample.__struct_fields__ if name.endswith("_per_mwh")}
    store.write([arrival(replace(sample, nodes=("A", "B", "C", "D"), **columns))], NOW)
    assert [row[0] for row in stored(database, "SELECT lmp_usd_per_mwh FROM price_history ORDER BY node")] == list(values)


def test_what_is_absent_is_null_and_never_zero(database, store):
    store.write([arrival(dispatch(1, dot_mw=None, revision_number=None, end_at=None))], NOW)
    assert stored(database, "SELECT dot_mw, revision_number, end_at FROM instruction") == [(None, None, None)]


@pytest.mark.parametrize(
    "text",
    [
        "a\0b",
        "\t\n\r\\ 'quoted' \"double\" %s :name",
        "é 漢 😀",
        "",
        "\\u0000 as text",
        "\\N",
        "null",
        "\\.",
        "a\n\\.\nb",
        "]\n[",
        '{"',
    ],
)
def test_texts_survive_whatever_they_hold(database, store, text):
    store.write([arrival(dispatch(1, extra={text: text}, responder=text)), arrival(dispatch(2, batch_uid=f"B{text}"))], NOW)
    visible = text.replace("\0", "␀")
    found = stored(database, "SELECT extra, responder FROM instruction_history ORDER BY seq LIMIT 1")
    assert found == [({visible: visible}, visible)]
    assert stored(database, "SELECT batch_uid FROM dispatch_batch ORDER BY seq") == [("BATCH",), (f"B{visible}",)]
    assert letters(database) == []


def test_a_message_that_the_database_refuses_is_a_dead_letter_and_the_others_are_stored(database, store):
    query(database, "ALTER TABLE dotbus.instruction ADD CONSTRAINT of_this_test CHECK (responder <> 'refused')")
    events = [dispatch(seq, batch_uid=f"B{seq}") for seq in range(1, 20)]
    events[12] = dispatch(13, batch_uid="B13", responder="refused")
    assert store.write([arrival(event) for event in events], NOW).events == 18
    assert counts(database)["instruction"] == 18
    (letter,) = named(database, "SELECT * FROM dead_letter")
    assert (bytes(letter["payload"]), letter["topic"]) == (encode(events[12]), topic_of(events[12]))
    assert "of_this_test" in letter["reason"]
    assert received(database)[0] == "{[1,20)}", "a dead letter has come: it is not asked for again"


def test_a_name_beyond_bounds_is_a_dead_letter(database, store):
    events = [dispatch(1), dispatch(2, batch_uid="n" * 201), dispatch(3, batch_uid="漢" * 200)]
    written = store.write([arrival(event) for event in events], NOW)
    assert (written.events, len(written.rejections)) == (2, 1)
    assert counts(database)["dispatch_batch"] == 2


@pytest.mark.parametrize("payload", [b"", b"\xff\xfe", b"{", b"[" * 100_000, b'{"version": 1}', b"\x00"])
def test_what_is_no_message_is_kept_as_it_came_and_counted(database, store, payload):
    for _ in range(3):
        store.write([arrival(payload, "dotbus/v1/plant/sierra/R/dispatch"), arrival(dispatch(1))], NOW)
    assert [(bytes(row[0]), row[1]) for row in stored(database, "SELECT payload, seen FROM dead_letter")] == [(payload, 3)]


def test_a_dead_letter_of_less_than_a_page_is_not_compressed_which_would_be_most_of_what_it_costs(database, store):
    store.write([arrival(b"junk" * 1000, "elsewhere"), arrival(b"junk" * 100_000, "elsewhere")], NOW)
    sizes = "SELECT length(payload) < pg_column_size(payload) FROM dead_letter ORDER BY id"
    assert stored(database, sizes) == [(True,), (False,)]


def test_dead_letters_of_one_batch_keep_their_order_and_each_comes_once(database, store):
    words = [b"b", b"a", b"b", b"\\.\n", b'\x00\xff"', b"a", b"b"]
    store.write([arrival(word, topic_of(samples.dispatch())) for word in words], NOW)
    store.write([arrival(word, topic_of(samples.dispatch())) for word in (b"c", b"a")], NOW)
    kept = stored(database, "SELECT payload, seen FROM dead_letter ORDER BY id")
    assert [(bytes(word), seen) for word, seen in kept] == [
        *((b"b", 3), (b"a", 3), (b"\\.\n", 1), (b'\x00\xff"', 1)),
        (b"c", 1),
    ]


def test_an_unknown_version_is_a_dead_letter_whose_number_has_come(database, store):
    document = {**json.loads(encode(dispatch(5))), "version": 2}
    store.write([arrival(json.dumps(document).encode(), topic_of(samples.dispatch()))], NOW)
    assert received(database)[0] == "{[5,6)}"
    assert "version 2" in letters(database)[0][1]


def test_a_dead_letter_is_stored_once_the_reason_is_gone(database, store, open_database, capsys):
    stored(database, "ALTER TABLE instruction ADD CONSTRAINT narrow CHECK (dot_mw < 100)")
    store.write([arrival(dispatch(1, dot_mw=120.0)), arrival(b"junk", topic_of(samples.dispatch()))], NOW)
    assert retry_letters(open_database, Topics(), (), 10) == 2
    stored(database, "ALTER TABLE instruction DROP CONSTRAINT narrow")
    assert retry_letters(open_database, Topics(), (), 10) == 1
    assert stored(database, "SELECT dot_mw FROM instruction") == [(120.0,)]
    waiting = stored(database, "SELECT payload FROM dead_letter WHERE stored_at IS NULL")
    assert [bytes(payload) for (payload,) in waiting] == [b"junk"]
    assert ": stored" in capsys.readouterr().out


def test_a_reason_that_quotes_what_a_text_cannot_hold_keeps_no_other_letter_from_its_turn(database, store, open_database):
    strange = encode(dispatch(1)).replace(b'"sierra"', b'"si\\u0000erra"')
    store.write([arrival(strange, topic_of(samples.dispatch())), arrival(b"junk", topic_of(samples.dispatch()))], NOW)
    assert "␀" in letters(database)[0][1]
    assert retry_letters(open_database, Topics(), (), 10) == 2
    assert stored(database, "SELECT count(*) FROM dead_letter WHERE retried_at IS NOT NULL") == [(2,)]


def test_a_letter_that_fails_as_nobody_foresaw_keeps_no_other_from_its_turn(database, store, open_database, capsys):
    store.write([arrival(word, topic_of(samples.dispatch())) for word in (b"one", b"two")], NOW)
    stored(database, "ALTER TABLE dead_letter ADD CONSTRAINT unmarked CHECK (id <> 1 OR retried_at IS NULL)")
    assert retry_letters(open_database, Topics(), (), 10) == 2
    assert [line[:17] for line in capsys.readouterr().out.splitlines()] == ["1: still refused:", "2: still refused:"]
    assert stored(database, "SELECT id FROM dead_letter WHERE retried_at IS NOT NULL") == [(2,)]


def test_a_fault_of_the_database_stores_nothing_of_a_batch_and_all_of_it_afterwards(database, store):
    store.write([arrival(dispatch(1))], NOW)
    stored(database, "ALTER TABLE price_report RENAME TO elsewhere")
    batch = [arrival(dispatch(2, batch_uid="B2")), arrival(samples.prices())]
    with pytest.raises(StoreUnavailable, match="price_report"):
        store.write(batch, NOW)
    assert stored(database, "SELECT count(*) FROM instruction") == [(1,)], "a batch is stored whole or not at all"
    stored(database, "ALTER TABLE elsewhere RENAME TO price_report")
    stored(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dotbus historian'")
    store.write(batch, NOW)
    assert (counts(database)["instruction"], counts(database)["price"]) == (2, 2)
    assert received(database)[0] == "{[1,3)}"


@pytest.mark.parametrize("sqlstate", ["53100", "53200", "57P03", "40P01", "XX000"])
def test_a_fault_of_the_database_is_never_blamed_on_a_message(database, store, sqlstate):
    body = f"BEGIN RAISE EXCEPTION 'no space left on device' USING ERRCODE = '{sqlstate}'; END"
    stored(database, f"CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    stored(database, "CREATE TRIGGER full_disk BEFORE INSERT ON dop FOR EACH ROW EXECUTE FUNCTION full_disk()")
    batch = [arrival(dispatch(1)), arrival(samples.trajectory_batch())]
    with pytest.raises(StoreUnavailable, match="no space left"):
        store.write(batch, NOW)
    assert (sum(counts(database).values()), letters(database), received(database)) == (0, [], ("{}", "{}"))
    stored(database, "DROP TRIGGER full_disk ON dop")
    assert store.write(batch, NOW).events == 2


@pytest.fixture
def failing(database, store):
    """Makes the database fail, with a code of its own, at the one batch that is returned among good ones."""

    def make(sqlstate: str) -> list[Arrival]:
        body = f"BEGIN IF NEW.dop_mw = 666 THEN RAISE EXCEPTION 'failed' USING ERRCODE = '{sqlstate}'; END IF; RETURN NEW; END"
        stored(database, f"CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
        stored(database, "CREATE TRIGGER fails BEFORE INSERT ON dop FOR EACH ROW EXECUTE FUNCTION fails()")
        sample = samples.trajectory_batch()
        bad = replace(sample, dops=(replace(sample.dops[0], dop_mw=666.0),))
        return [*dispatches(3, 6), arrival(bad), *dispatches(7, 9)]

    return make


def test_a_message_that_is_an_internal_error_again_and_again_is_a_dead_letter_at_last(database, store, failing):
    batch = failing("XX000")
    with pytest.raises(StoreUnavailable):
        store.write(batch, NOW, failures=4)
    assert store.write(batch, NOW, failures=5).events == 7
    ((kind, reason),) = letters(database)
    assert (kind, reason.startswith("failed")) == ("refused", True)


@pytest.mark.parametrize("sqlstate", ["53200", "57014"])
def test_a_database_that_is_slow_or_short_of_memory_makes_no_dead_letter(database, store, failing, sqlstate):
    batch = failing(sqlstate)
    for failures in (4, 5, 50):
        with pytest.raises(StoreUnavailable):
            store.write(batch, NOW, failures=failures)
    assert letters(database) == []
    assert counts(database)["instruction"] > 0, "what passes by itself is stored meanwhile"
    stored(database, "DROP TRIGGER fails ON dop")
    store.write(batch, NOW)
    assert (counts(database)["instruction"], counts(database)["trajectory_batch"], letters(database)) == (7, 1, [])


def test_a_status_that_is_an_internal_error_again_and_again_is_a_dead_letter_and_the_others_are_kept(database, store):
    body = "BEGIN IF NEW.software_version = 'x' THEN RAISE EXCEPTION 'failed' USING ERRCODE = 'XX000'; END IF; RETURN NEW; END"
    stored(database, f"CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    stored(database, "CREATE TRIGGER fails BEFORE INSERT ON service_state FOR EACH ROW EXECUTE FUNCTION fails()")
    batch = [
        arrival(replace(samples.service_status(), software_version=version, time=NOW + timedelta(seconds=second)))
        for second, version in enumerate(("1", "x", "2"))
    ]
    written = Written()
    with pytest.raises(StoreUnavailable):
        store.write_statuses(batch, written, failures=4)
    store.write_statuses(batch, written, failures=5)
    assert stored(database, "SELECT software_version FROM service_state ORDER BY id") == [("1",), ("2",)]
    assert [reason.startswith("failed") for _kind, reason in letters(database)] == [True]
    assert [rejection.arrival for rejection in written.rejections] == [batch[1]]


def test_the_search_for_what_is_refused_ends_when_told_to_stop(database, open_database):
    """Thousands that are each refused take minutes, and who says stop waits for seconds."""
    body = "BEGIN RAISE EXCEPTION 'refused' USING ERRCODE = '22000'; END"
    stored(database, f"CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    stored(database, "CREATE TRIGGER refuses BEFORE INSERT ON dispatch_batch FOR EACH ROW EXECUTE FUNCTION refuses()")
    stop, tried = threading.Event(), []

    def note(*_: object) -> None:
        tried.append(1)
        if len(tried) == 3:
            stop.set()

    store, batch = Store(open_database, stop), dispatches(1, 40)
    sa.event.listen(sa.Engine, "rollback", note)
    try:
        with pytest.raises(StoreUnavailable, match="told to stop"):
            store.write(batch, NOW)
    finally:
        sa.event.remove(sa.Engine, "rollback", note)
    assert (len(tried), letters(database)) == (3, []), "the broker has all of it still"
    stop.clear()
    assert len(store.write(batch, NOW).rejections) == 40


def test_what_is_of_a_month_long_ago_or_ahead_finds_its_place(database, store):
    sample = samples.prices()
    starts = [NOW - timedelta(days=400), NOW + timedelta(days=400), NOW.replace(year=1950), NOW.replace(year=9000)]
    reports = [replace(sample, id=f"p{n}", seq=n, interval_start=start) for n, start in enumerate(starts, 1)]
    assert store.write([arrival(report) for report in reports], NOW).events == 4
    assert {row[0] for row in stored(database, "SELECT interval_start FROM price_history")} == set(starts)
    parts = "SELECT DISTINCT tableoid::regclass::text FROM price ORDER BY 1"
    assert [row[0] for row in stored(database, parts)] == ["price_2025_09", "price_2027_11", "price_other"]
