"""Whoever invents names (streams, sources, services) makes nobody wait: what the database is asked does not grow with them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa
from historian_parts import ADS, NOW, arrival, dispatch, letters, ready, received, replace, stored
from hypothesis import given, settings
from hypothesis import strategies as st
from real_postgres import Postgres, new_database

from dotbus.contracts.messages import OutboxSpan
from dotbus.testing import samples
from historian.database import Database
from historian.write.reading.arrivals import Arrival, Written
from historian.write.reading.record import Stream
from historian.write.sequences.accounts import Accounts
from historian.write.sequences.gaps import RANGES_AT_ONCE, Gaps
from historian.write.storing.numbers import MAX_STREAMS_OF_KIND, MAX_STREAMS_OF_SOURCE, NO_MORE, SILENT_DAYS
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration


@pytest.fixture
def open_database(database: str) -> Iterator[Database]:
    with ready(database) as opened:
        yield opened


@contextmanager
def counting() -> Iterator[Callable[[], int]]:
    """Counts what databases are asked meanwhile."""
    asked = 0

    def count(*_: object) -> None:
        nonlocal asked
        asked += 1

    sa.event.listen(sa.Engine, "before_cursor_execute", count)
    try:
        yield lambda: asked
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", count)


def of_new_streams(count: int, source: str = "ads_ingest/a", first: int = 1) -> list[Arrival]:
    """Events of which each is of a stream of its own."""
    numbers = range(first, first + count)
    return [
        arrival(replace(dispatch(7, batch_uid=f"{source}-{n}"), source=source, stream=f"{source}-{n}", id=f"{source}-{n}"))
        for n in numbers
    ]


def status(second: int, **changes: object) -> Arrival:
    said = {"time": NOW + timedelta(seconds=second), "outbox": None} | changes
    return arrival(replace(samples.service_status(), **said), received_at=NOW + timedelta(seconds=second))


def announced(source: str, stream: str) -> Arrival:
    service, instance = source.split("/")
    outbox = OutboxSpan(stream=stream, first_seq=1, last_seq=9, unpublished=0)
    return status(0, source=source, service=service, instance=instance, outbox=outbox)


def test_many_new_streams_cost_no_more_statements_than_a_few(open_database):
    asked = []
    for source, count in (("ads_ingest/few", 5), ("ads_ingest/many", 400)):
        store = Store(open_database)
        with counting() as so_far:
            assert store.write(of_new_streams(count, source), NOW).events == count
            assert len(store.write(of_new_streams(count, source), NOW).repeats) == count
        asked.append(so_far())
    assert asked[1] <= asked[0] + 5


def test_statuses_of_many_services_cost_no_more_statements_than_those_of_a_few(open_database):
    asked = []
    for name, count in (("few", 3), ("many", 300)):
        statuses = [status(n % 7, instance=f"{name}{n}", source=f"ads_ingest/{name}{n}") for n in range(count)]
        with counting() as so_far:
            Store(open_database).write_statuses(statuses, Written())
        asked.append(so_far())
    assert asked[1] == asked[0]


def test_what_changes_with_each_status_of_a_service_is_a_row_each_and_costs_no_statement_each(database, open_database):
    statuses = [status(second, online=bool(second % 2)) for second in range(300)]
    with counting() as so_far:
        Store(open_database).write_statuses(statuses, Written())
    assert so_far() < 20
    rows = stored(database, "SELECT online FROM service_state ORDER BY id")
    assert rows == [(bool(second % 2),) for second in range(300)]


def test_a_look_for_gaps_costs_no_more_statements_for_many_streams_than_for_one(open_database):
    store, gaps, accounts = Store(open_database), Gaps(5.0, 300.0, lambda: 0.0), Accounts(open_database)
    gaps.heard_status(announced("ads_ingest/a", "mine").meaning)
    asked = []
    for first, count in ((1, 1), (2, 300)):
        store.write(of_new_streams(count, first=first), NOW)
        with counting() as so_far:
            accounts.missing(gaps, RANGES_AT_ONCE)
        asked.append(so_far())
    assert asked[0] == asked[1]


def test_what_is_missing_of_each_of_many_streams_is_told_in_its_order(database, open_database):
    """Else a request would end before it begins, and nobody would be asked for anything."""
    holes = "'{[5,6),[2,3),[11,12),[8,9),[20,21),[30,31),[40,41)}'"
    names = "SELECT 'simulator', 'ads_ingest/a', n FROM generate_series(1, 900) AS n"
    stored(database, f"INSERT INTO origin (environment, source, stream) {names}")
    stored(database, f"INSERT INTO source_sequence (origin_no, received) SELECT origin_no, {holes} FROM origin")
    stored(database, "CLUSTER origin USING origin_environment_source_stream")
    gaps = Gaps(5.0, 300.0, lambda: 0.0)
    gaps.heard_status(announced("ads_ingest/a", "mine").meaning)
    missing = Accounts(open_database).missing(gaps, RANGES_AT_ONCE)
    assert len(missing) == 901
    assert all(list(ranges) == sorted(ranges) for ranges in missing.values())


def test_streams_of_a_source_that_was_never_heard_are_not_looked_at(open_database):
    store, gaps, accounts = Store(open_database), Gaps(5.0, 300.0, lambda: 0.0), Accounts(open_database)
    store.write([*of_new_streams(3, "ads_ingest/silent"), arrival(dispatch(3))], NOW)
    assert accounts.missing(gaps, RANGES_AT_ONCE) == {}, "whom nobody hears nobody can ask"
    gaps.heard_status(status(0, source=ADS.source).meaning)
    assert accounts.missing(gaps, RANGES_AT_ONCE) == {ADS: ((1, 2),)}


def test_a_source_has_so_many_streams_and_what_is_of_another_is_a_dead_letter(database, open_database):
    store = Store(open_database)
    most = MAX_STREAMS_OF_SOURCE
    assert store.write(of_new_streams(most), NOW).events == most
    others = [*of_new_streams(2, first=most + 1), *of_new_streams(1, "ads_ingest/other"), arrival(b"[", "dotbus/v1/x")]
    again = of_new_streams(1)[0]
    old = replace(dispatch(8, batch_uid="of the first"), stream="ads_ingest/a-1", id="of the first")
    written = Store(open_database).write([*others, again, arrival(old)], NOW)
    assert (written.events, len(written.repeats), len(written.rejections)) == (2, 1, 3)
    assert [reason for _kind, reason in letters(database) if "streams" in reason] == [
        f"ads_ingest/a has {most} streams{NO_MORE}"
    ] * 2
    assert stored(database, "SELECT count(*) FROM origin") == [(most + 1,)]
    assert written.strangers == 2


def test_a_stream_that_its_source_names_is_taken_however_many_others_named(database, open_database):
    store = Store(open_database)
    store.write(of_new_streams(MAX_STREAMS_OF_SOURCE), NOW)
    mine = arrival(replace(dispatch(1, batch_uid="mine"), stream="mine", id="mine"))
    assert len(store.write([mine], NOW).rejections) == 1
    assert store.write([announced("ads_ingest/a", "mine"), mine], NOW).events == 1
    assert received(database, Stream(ADS.environment, ADS.source, "mine"))[0] == "{[1,2)}"


def test_a_refused_event_of_a_stream_beyond_the_bound_is_a_dead_letter_all_the_same(database, open_database):
    store = Store(open_database)
    store.write(of_new_streams(MAX_STREAMS_OF_SOURCE), NOW)
    odd = arrival(replace(dispatch(1), stream="another"))
    refused = arrival(odd.payload.replace(b'"version":1', b'"version":7'), odd.topic)
    written = store.write([refused, arrival(dispatch(2, batch_uid="B2")), *of_new_streams(1)], NOW)
    assert len(written.rejections) == 2
    assert sum("version 7" in reason for _kind, reason in letters(database)) == 1


def of_one_kind(database: str, kind: str, count: int = MAX_STREAMS_OF_KIND) -> None:
    """As many sources with a stream each, all of which were heard just now."""
    names = f"SELECT 'stage', '{kind}x' || n, 's' FROM generate_series(1, {count}) AS n"
    stored(database, f"INSERT INTO origin (environment, source, stream) {names}")
    stored(database, "INSERT INTO source_sequence (origin_no) SELECT origin_no FROM origin ON CONFLICT DO NOTHING")


def test_sources_of_a_kind_have_so_many_streams_together_and_take_no_room_of_another_kind(database, open_database):
    of_one_kind(database, "ads_ingest/")
    store, mine = Store(open_database), arrival(dispatch(1))
    written = store.write([mine, arrival(samples.prices()), *of_new_streams(1, "scada/a")], NOW)
    assert (written.events, written.strangers) == (2, 1)
    assert [reason for _kind, reason in letters(database)] == [
        f"sources ads_ingest/... have {MAX_STREAMS_OF_KIND} streams together{NO_MORE}"
    ]
    assert store.write([announced(ADS.source, ADS.stream), mine], NOW).events == 1, "whoever names it himself has room"


def test_not_even_in_statuses_can_sources_be_named_without_end(database, open_database):
    of_one_kind(database, "ads_ingest/", 2 * MAX_STREAMS_OF_KIND)
    assert Store(open_database).write([announced(ADS.source, ADS.stream), arrival(dispatch(1))], NOW).strangers == 1


def test_streams_that_are_silent_for_long_leave_their_room_to_others(database, open_database):
    of_one_kind(database, "ads_ingest/")
    stored(database, f"UPDATE source_sequence SET updated_at = now() - interval '{SILENT_DAYS + 1} days'")
    assert Store(open_database).write([arrival(dispatch(1))], NOW).events == 1


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[tuple[str, Database]]:
    url = new_database(postgres)
    with ready(url) as opened:
        yield url, opened


said = st.builds(
    lambda service, second, late, online, version, ok: (service, second, late, online, version, ok),
    *(st.sampled_from("ab"), st.integers(0, 20), st.integers(0, 30), st.booleans(), st.sampled_from("12"), st.booleans()),
)


@settings(max_examples=100)
@given(st.lists(said, max_size=14), st.integers(1, 14))
def test_statuses_of_a_batch_leave_the_same_rows_as_one_by_one(shared, words, first):
    url, opened = shared

    def written(batches: list[list[Arrival]]) -> list[tuple]:
        stored(url, "TRUNCATE service_state")
        for batch in batches:
            Store(opened).write_statuses(batch, Written())
        columns = "environment, service, instance, online, software_version, upstreams, time, heard_at, received_at, cursors"
        return stored(url, f"SELECT {columns} FROM service_state ORDER BY instance, id")

    arrivals = []
    for place, (instance, second, late, online, version, ok) in enumerate(words):
        upstream = replace(samples.service_status().upstreams[0], ok=ok)
        arrivals.append(
            status(
                second,
                instance=instance,
                source=f"ads_ingest/{instance}",
                online=online,
                software_version=version,
                upstreams=(upstream,),
                cursors={"place": str(place)},
            )
        )
        arrivals[-1] = replace(arrivals[-1], received_at=NOW + timedelta(seconds=late))
    assert written([arrivals[:first], arrivals[first:]]) == written([[each] for each in arrivals])
