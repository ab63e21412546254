"""What stopped the historian once, or made it forget, against a real PostgreSQL: none of it stops or hides anything now."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from historian_parts import (
    ADS,
    NOW,
    TOPICS,
    arrival,
    counts,
    dispatch,
    dispatches,
    letters,
    ready,
    received,
    replace,
    stored,
    topic_of,
)

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Dispatch, OutboxSpan
from dotbus.testing import samples
from historian.database import Database
from historian.write.reading.arrivals import Written
from historian.write.reading.record import Recorded, Stream
from historian.write.sequences.accounts import Accounts
from historian.write.sequences.gaps import RANGES_AT_ONCE, Gaps, requests_of
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

OUTBOXES = [
    OutboxSpan(stream=samples.STREAM, first_seq=2**65, last_seq=10, unpublished=0),
    OutboxSpan(stream=samples.STREAM, first_seq=1, last_seq=10**300, unpublished=0),
    OutboxSpan(stream=samples.STREAM, first_seq=1, last_seq=2**63 - 1, unpublished=0),
    OutboxSpan(stream=samples.STREAM, first_seq=1, last_seq=10, unpublished=-(10**300)),
    OutboxSpan(stream="s" * 40_000, first_seq=1, last_seq=10, unpublished=0),
]


@pytest.fixture
def open_database(database: str) -> Iterator[Database]:
    with ready(database) as opened:
        yield opened


@pytest.fixture
def store(open_database: Database) -> Store:
    return Store(open_database)


@pytest.fixture
def accounts(open_database: Database) -> Accounts:
    return Accounts(open_database)


def status(outbox=None, **changes):
    return replace(samples.service_status(), outbox=outbox, **changes)


def looked(gaps, accounts, second):
    """What is done about each stream at a look so many seconds from the start."""
    missing = accounts.missing(gaps, RANGES_AT_ONCE)
    actions = [gaps.look(stream, ranges, NOW + timedelta(seconds=second)) for stream, ranges in missing.items()]
    return [action for action in actions if action]


def test_a_status_beyond_all_bounds_is_a_dead_letter_and_every_stream_is_looked_after(database, store, accounts):
    gaps = Gaps(5.0, 300.0, lambda: 0.0)
    gaps.heard_status(status(OutboxSpan(stream=samples.STREAM, first_seq=1, last_seq=10, unpublished=0)))
    bad = [arrival(status(outbox, instance=f"i{n}", source=f"ads_ingest/i{n}")) for n, outbox in enumerate(OUTBOXES)]
    assert store.write([*bad, *dispatches(1, 8)], NOW).events == 8
    assert [kind for kind, _ in letters(database)] == ["refused"] * len(OUTBOXES)
    assert looked(gaps, accounts, 0) == []
    assert [(action.stream, action.ask) for action in looked(gaps, accounts, 5)] == [(ADS, ((9, 10),))]


def test_of_several_streams_each_has_what_is_missing_of_it_in_order(store, accounts):
    """An order that the database is not asked for it may change with its plan; a request out of order ended the historian."""
    gaps = Gaps(5.0, 300.0, lambda: 0.0)
    gaps.heard_status(status(OutboxSpan(stream=samples.STREAM, first_seq=1, last_seq=401, unpublished=0)))
    for stream in ("z", "c", samples.STREAM, "a", "y", "b"):
        store.write([arrival(replace(dispatch(seq), stream=stream)) for seq in range(1, 402, 2)], NOW)
    missing = accounts.missing(gaps, RANGES_AT_ONCE)
    assert [ranges for _, ranges in sorted(missing.items())] == [tuple((seq, seq) for seq in range(2, 401, 2))] * 6


def test_a_message_of_61_megabytes_is_a_dead_letter_of_bounded_size_and_what_follows_is_stored(database, store):
    name = "prices"
    nodes = tuple(f"NODE_{number:07}" for number in range(900_000))
    columns = {column: (1.0,) * len(nodes) for column in samples.prices().__struct_fields__ if column.endswith("_per_mwh")}
    huge = arrival(replace(samples.prices(), id=name, nodes=nodes, **columns))
    assert len(huge.payload) > 25_000_000
    whole = b" " * (61_000_000 - len(huge.payload)) + huge.payload
    store.write([arrival(whole, huge.topic), *dispatches(1, 3)], NOW)
    store.write(dispatches(4, 5), NOW)
    assert counts(database)["instruction"] == 5
    assert stored(database, "SELECT payload_bytes, length(payload) FROM dead_letter") == [(61_000_000, 1024 * 1024)]


def test_a_message_of_a_whole_network_is_stored_in_one_go(database, store):
    nodes = tuple(f"NODE_{number:07}" for number in range(99_000))
    columns = {column: (1.25,) * len(nodes) for column in samples.prices().__struct_fields__ if column.endswith("_per_mwh")}
    assert store.write([arrival(replace(samples.prices(), nodes=nodes, **columns))], NOW).events == 1
    assert stored(database, "SELECT count(*), sum(lmp_usd_per_mwh) FROM price") == [(99_000, 123_750.0)]


def test_a_status_is_believed_of_nobody_but_who_has_its_topic(database, store):
    liar = status(OutboxSpan(stream=samples.STREAM, first_seq=10**6, last_seq=10**6, unpublished=0))
    lie = replace(liar, service="modbus_gateway", instance="g")
    written = store.write([arrival(lie), *dispatches(1, 2)], NOW)
    assert (written.events, len(written.rejections)) == (2, 1)
    assert "names another source" in letters(database)[0][1]
    assert received(database) == ("{[1,3)}", "{}")


def test_what_was_noted_lost_and_comes_after_all_is_taken_back(database, store, accounts):
    store.write(dispatches(1, 2), NOW)
    assert accounts.give_up(ADS, [(3, 6)], "gone", NOW) == ((3, 6),)
    assert received(database) == ("{[1,3)}", "{[3,7)}")
    store.write(dispatches(4, 5), NOW)
    assert received(database) == ("{[1,3),[4,6)}", "{[3,4),[6,7)}")
    store.write([*dispatches(3, 3), *dispatches(6, 6)], NOW)
    assert received(database) == ("{[1,7)}", "{}")
    assert stored(database, "SELECT first_seq, last_seq, found_at IS NOT NULL FROM lost_events") == [(3, 6, True)]


def test_what_a_source_says_that_it_has_is_not_lost_whoever_said_so_before(database, store, accounts):
    store.write(dispatches(1, 2), NOW)
    accounts.give_up(ADS, [(3, 2**62)], "gone", NOW)
    store.write(dispatches(5, 5), NOW)
    accounts.give_up(ADS, [(2**62 + 2, 2**62 + 3)], "gone", NOW)
    assert accounts.take_back({ADS: 4, replace(ADS, stream="unknown"): 1}) == [ADS]
    assert received(database) == ("{[1,3),[5,6)}", "{[3,4)}")
    noted = stored(database, "SELECT first_seq, last_seq, found_at IS NOT NULL FROM lost_events ORDER BY id")
    assert noted == [(3, 3, False), (2**62 + 2, 2**62 + 3, True)]
    assert accounts.take_back({ADS: 4}) == [], "it is no news any more"


def test_what_is_lost_is_written_once_and_what_came_is_not_lost(database, store, accounts):
    store.write(dispatches(5, 5), NOW)
    assert accounts.give_up(ADS, [(1, 8)], "gone", NOW) == ((1, 4), (6, 8))
    assert accounts.give_up(ADS, [(1, 9)], "gone", NOW) == ((9, 9),)
    lost = stored(database, "SELECT first_seq, last_seq, reason FROM lost_events ORDER BY id")
    assert lost == [(1, 4, "gone"), (6, 8, "gone"), (9, 9, "gone")]
    assert received(database) == ("{[5,6)}", "{[1,5),[6,10)}")


@pytest.mark.parametrize("environment", ["simulator", "mars", "sim\\u0000"])
def test_one_refused_event_with_a_number_far_ahead_hides_nothing(database, store, accounts, environment):
    gaps = Gaps(5.0, 300.0, lambda: 0.0)
    gaps.heard_status(status(OutboxSpan(stream=samples.STREAM, first_seq=1, last_seq=10, unpublished=0)))
    text = json.dumps({**json.loads(encode(dispatch(2**62))), "version": 9, "environment": "E"}).replace(
        '"E"', f'"{environment}"'
    )
    written = store.write([arrival(text.encode(), topic_of(samples.dispatch())), *dispatches(1, 8)], NOW)
    assert (written.events, len(written.rejections)) == (8, 1)
    looked(gaps, accounts, 0)
    assert [action.ask for action in looked(gaps, accounts, 5)] == [((9, 10),)]


def test_a_status_from_the_future_does_not_outlast_those_that_follow(database, store):
    later = NOW + timedelta(minutes=1)
    store.write_statuses([arrival(status(time=NOW.replace(year=2036)))], Written())
    store.write_statuses([arrival(status(time=later, software_version="2"), received_at=later)], Written())
    rows = stored(database, "SELECT software_version, heard_at FROM service_state ORDER BY id")
    assert rows == [("0.1.0", NOW), ("2", later)]


@pytest.mark.parametrize("started_at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00+14:00"])
def test_a_status_of_any_time_lets_the_next_be_kept(database, store, started_at):
    document = {**json.loads(encode(status(time=NOW))), "started_at": started_at}
    store.write_statuses([arrival(json.dumps(document).encode(), topic_of(status()))], Written())
    later = NOW + timedelta(minutes=1)
    store.write_statuses([arrival(status(time=later), received_at=later)], Written())
    assert stored(database, "SELECT heard_at FROM service_state ORDER BY id DESC LIMIT 1") == [(later,)]


@pytest.mark.parametrize("together", [True, False])
def test_the_same_key_with_another_value_is_kept_as_a_contradiction_and_the_first_stays(database, store, together):
    first, other = dispatch(1, dot_mw=12.0), replace(dispatch(2, dot_mw=99.0), id="id-2")
    batches = [[first, other]] if together else [[first], [other]]
    written = [store.write([arrival(event) for event in batch], NOW) for batch in batches]
    assert stored(database, "SELECT dot_mw FROM instruction") == [(12.0,)]
    ((kind, reason),) = letters(database)
    assert (kind, "says something else than what came first as dispatch_batch/" in reason) == ("contradiction", True)
    assert [(each.kind, each.reason) for each in written[-1].rejections] == [(kind, reason)]
    assert received(database)[0] == "{[1,3)}"


def test_however_many_contradict_one_event_they_are_held_against_it_together(database, open_database, store, monkeypatch):
    """Each in a transaction of its own, a few thousand would keep all that waits behind them from the database for minutes."""
    store.write([arrival(dispatch(1, dot_mw=1.0))], NOW)
    begin, begun = open_database.transaction, []
    monkeypatch.setattr(open_database, "transaction", lambda **asked: begun.append(asked) or begin(**asked))
    written = store.write([arrival(dispatch(seq, dot_mw=float(seq % 100))) for seq in range(2, 302)], NOW)
    assert {rejection.kind for rejection in written.rejections} == {"contradiction"}
    assert (len(written.rejections), len(written.repeats)) == (297, 3)
    assert len(begun) < 10
    assert received(database)[0] == "{[1,302)}"


def unnamed(seq: int) -> Dispatch:
    """The same revision as it is told by a source whose account does not see the resource."""
    event = dispatch(seq)
    return replace(event, id=f"{event.id}/unnamed", source="ads_ingest/b", instructions=())


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("named_first", [True, False])
def test_a_revision_that_one_source_is_not_named_the_resource_in_contradicts_none_that_names_it(
    database, store, named_first, together
):
    events = [dispatch(1, dot_mw=12.0), unnamed(2), unnamed(3)]
    events = events if named_first else events[1:] + events[:1]
    for batch in [events] if together else [[event] for event in events]:
        assert store.write([arrival(event) for event in batch], NOW).rejections == []
    assert letters(database) == []
    assert stored(database, "SELECT dot_mw FROM instruction_latest") == [(12.0,)]
    assert stored(database, "SELECT count(*) FROM dispatch_batch") == [(1 if named_first or together else 2,)]
    assert store.write([arrival(event) for event in events], NOW).events == 0, "all of it was said before"


def test_of_several_under_one_key_the_first_that_can_be_stored_stays(database, store):
    unstorable, first, again, other = (dispatch(seq, dot_mw=mw) for seq, mw in ((1, 1.0), (2, 2.0), (3, 2.0), (4, 4.0)))
    unstorable = replace(unstorable, instructions=(replace(unstorable.instructions[0], reason_code=2**31),))
    written = store.write([arrival(event) for event in (unstorable, first, again, other)], NOW)
    assert stored(database, "SELECT dot_mw FROM instruction") == [(2.0,)]
    assert [kind for kind, _ in sorted(letters(database))] == ["contradiction", "refused"]
    assert (written.events, len(written.repeats)) == (1, 1)


def test_what_repeats_the_first_is_none_of_the_contradiction_before_it(database, store):
    store.write([arrival(dispatch(1, dot_mw=1.0))], NOW)
    written = store.write([arrival(dispatch(2, dot_mw=2.0)), arrival(dispatch(3, dot_mw=1.0))], NOW)
    assert (len(written.rejections), len(written.repeats)) == (1, 1)


def test_what_caiso_stamps_later_is_a_repetition(database, store):
    stamps = {"validated_at": NOW, "validated_by": "another", "api_validated_at": None}
    written = store.write([arrival(dispatch(1)), arrival(dispatch(2, **stamps))], NOW)
    assert (written.events, len(written.repeats), letters(database)) == (1, 1, [])


@pytest.mark.parametrize("together", [True, False])
def test_numbers_that_come_again_with_other_events_are_seen_and_the_events_stored(database, store, together):
    before = dispatches(1, 5)
    after = [arrival(dispatch(seq, batch_uid=f"AFTER-{seq}")) for seq in range(4, 8)]
    batches = [before + after] if together else [before, after]
    written = [store.write(batch, NOW) for batch in batches]
    assert counts(database)["instruction"] == 9
    assert list(written[-1].renumbered) == [ADS]
    assert written[-1].renumbered[ADS] in ("{[4,6)}", "{[4,4],[5,5]}")
    assert received(database)[0] == "{[1,8)}"


def test_a_cleared_status_is_nothing_to_keep(database, store):
    written = store.write([arrival(b"", TOPICS.service("ads_ingest", "a")), *dispatches(1, 1)], NOW)
    assert (written.events, written.rejections, letters(database)) == (1, [], [])


def test_scattered_gaps_heal_in_rounds_of_bounded_requests(database, store, accounts):
    last = 60_000
    gaps = Gaps(5.0, 300.0, lambda: 0.0)
    gaps.heard_status(status(OutboxSpan(stream=samples.STREAM, first_seq=1, last_seq=last, unpublished=0)))
    sample = arrival(dispatch(2))
    stored(
        database,
        f"""
        INSERT INTO origin (environment, source, stream) VALUES ('{ADS.environment}', '{ADS.source}', '{ADS.stream}');
        INSERT INTO source_sequence (origin_no, received)
        SELECT origin_no, (SELECT range_agg(int8range(n, n, '[]')) FROM generate_series(2, {last}, 2) AS n) FROM origin""",
    )
    rounds, second = [], 0
    while received(database)[0] != f"{{[1,{last + 1})}}" and second < 60:
        for action in looked(gaps, accounts, second):
            rounds.append(len(action.ask))
            assert all(len(request) <= 10_000 for request in requests_of(action.ask))
            came = [replaced(sample, seq) for first, end in action.ask for seq in range(first, end + 1)]
            for start in range(0, len(came), 5000):
                store.write(came[start : start + 5000], NOW)
        second += 1
    assert rounds == [RANGES_AT_ONCE, 10_000]


def replaced(sample, seq):
    """A repetition of the sample under another number: what takes long is not what this is about."""
    meaning = sample.meaning
    assert isinstance(meaning, Recorded)
    return replace(sample, meaning=replace(meaning, position=replace(meaning.position, seq=seq)))


def test_a_stream_that_nobody_speaks_of_counts_up_to_the_highest_that_came(store, accounts):
    gaps = Gaps(5.0, 300.0, lambda: 0.0)
    other = Stream("simulator", "ads_ingest/a", "an earlier one")
    event = replace(dispatch(7), stream=other.stream)
    store.write([arrival(event)], NOW)
    gaps.heard_status(status(OutboxSpan(stream=samples.STREAM, first_seq=None, last_seq=None, unpublished=0)))
    looked(gaps, accounts, 0)
    assert [(action.stream, action.ask) for action in looked(gaps, accounts, 5)] == [(other, ((1, 6),))]
