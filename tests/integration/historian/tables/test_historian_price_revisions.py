"""One node has one price of one interval at one time of asking: the first. Whatever else is said under them is told apart."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from itertools import count

import pytest
from historian_parts import NOW, arrival, letters, named, ready, received, replace, stored
from hypothesis import given, settings
from hypothesis import strategies as st
from real_postgres import Postgres, new_database

from dotbus.contracts.topics import Topics
from dotbus.testing import samples
from historian.database import Database
from historian.upkeep.dead_letters import retry_letters
from historian.write.reading.arrivals import Arrival
from historian.write.reading.record import Stream
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

LMP = Stream("simulator", "lmp_ingest/a", samples.STREAM)
PRICES = "SELECT node, lmp_usd_per_mwh, fetched_at FROM price_history ORDER BY node, fetched_at, lmp_usd_per_mwh"
_seqs = count(1)


def report(prices: dict[str, float | None], *, fetched_at=NOW, **changes) -> Arrival:
    """A report of these nodes, with an id of its own."""
    seq = next(_seqs)
    values = tuple(prices.values())
    columns = {name: values for name in samples.prices().__struct_fields__ if name.endswith("_per_mwh")}
    event = {"id": f"p{seq}", "seq": seq, "nodes": tuple(prices), "fetched_at": fetched_at, **columns, **changes}
    return arrival(replace(samples.prices(), **event))


def prices(url: str) -> dict[str, list[float | None]]:
    """What is stored of each node, every revision."""
    found: dict[str, list[float | None]] = {}
    for node, price, _ in stored(url, PRICES):
        found.setdefault(node, []).append(price)
    return found


@pytest.fixture
def open_database(database: str) -> Iterator[Database]:
    with ready(database) as opened:
        yield opened


@pytest.fixture
def store(open_database: Database) -> Store:
    return Store(open_database)


@pytest.mark.parametrize("together", [True, False])
def test_another_price_of_one_time_is_a_contradiction_whichever_node_stands_first(database, store, together):
    first, other = report({"A": 1.0, "C": 3.0}), report({"B": 5.0, "A": 6.0})
    for batch in [[first, other]] if together else [[first], [other]]:
        written = store.write(batch, NOW)
    assert prices(database) == {"A": [1.0], "B": [5.0], "C": [3.0]}
    assert stored(database, "SELECT lmp_usd_per_mwh FROM price_latest WHERE node = 'A'") == [(1.0,)]
    ((kind, reason),) = letters(database)
    assert (kind, [rejection.kind for rejection in written.rejections]) == ("contradiction", ["contradiction"])
    assert reason == f"other prices of A than what came first as price_report/simulator/RTM/{first.meaning.event.id}"
    seqs = [each.meaning.position.seq for each in (first, other)]
    assert received(database, LMP)[0] == f"{{[{seqs[0]},{seqs[1] + 1})}}"


def test_another_price_at_another_time_of_asking_is_a_revision(database, store):
    store.write([report({"A": 1.0}), report({"A": 2.0}, fetched_at=NOW + timedelta(seconds=1))], NOW)
    assert prices(database) == {"A": [1.0, 2.0]}
    assert stored(database, "SELECT lmp_usd_per_mwh FROM price_latest") == [(2.0,)]
    assert letters(database) == []


@pytest.mark.parametrize("together", [True, False])
def test_the_same_price_in_another_report_is_a_repetition_and_what_is_new_in_it_is_stored(database, store, together):
    reports = [report({"A": 1.0, "B": None}), report({"B": None, "A": 1.0}), report({"C": 3.0, "B": None, "A": 1.0})]
    batches = [reports] if together else [[each] for each in reports]
    written = [store.write(batch, NOW) for batch in batches]
    assert prices(database) == {"A": [1.0], "B": [None], "C": [3.0]}
    assert (sum(each.events for each in written), sum(len(each.repeats) for each in written)) == (2, 1)
    assert letters(database) == []


def test_what_contradicts_in_part_and_comes_again_adds_nothing(database, store, open_database):
    other = report({"B": 5.0, "A": 6.0})
    store.write([report({"A": 1.0})], NOW)
    for _ in range(3):
        store.write([other], NOW)
    assert retry_letters(open_database, Topics(), (), 10) == 1
    assert prices(database) == {"A": [1.0], "B": [5.0]}
    (letter,) = named(database, "SELECT kind, seen, reason FROM dead_letter WHERE stored_at IS NULL")
    assert (letter["kind"], letter["seen"]) == ("contradiction", 4)
    assert letter["reason"].startswith("other prices of A than")


def test_the_reason_names_some_nodes_and_counts_the_rest(database, store):
    nodes = [f"N{number}" for number in range(10)]
    store.write([report(dict.fromkeys(nodes, 1.0))], NOW)
    store.write([report(dict.fromkeys(nodes, 2.0))], NOW)
    assert letters(database)[0][1].startswith("other prices of N0, N1, N2 and 7 more nodes than")


def test_one_id_that_says_something_else_is_a_contradiction_and_nothing_of_it_is_stored(database, store):
    first = report({"A": 1.0})
    store.write([first], NOW)
    store.write([report({"A": 1.0, "B": 2.0}, id=first.meaning.event.id)], NOW)
    assert prices(database) == {"A": [1.0]}
    assert "says something else than what came first as price_report/" in letters(database)[0][1]


def test_reports_of_before_their_nodes_were_noted_count_as_well(database, store):
    store.write([report({"A": 1.0, "B": 2.0})], NOW)
    stored(database, "UPDATE price_report SET node_nos = NULL")
    store.write([report({"A": 7.0, "C": 3.0})], NOW)  # the same first node, which is the key of those of before
    assert prices(database) == {"A": [1.0], "B": [2.0], "C": [3.0]}
    assert len(letters(database)) == 1


def test_of_two_historians_that_write_at_once_one_is_first(database):
    rounds, outcomes = 30, []
    with ready(database) as one, ready(database) as other:
        together = threading.Barrier(2)

        def write(store: Store, value: float) -> None:
            for number in range(rounds):
                mine = {f"own {value} {number}": value, f"both {number}": value}
                batch = [report(mine, fetched_at=NOW + timedelta(seconds=number))]
                together.wait()
                outcomes.append(store.write(batch, NOW))

        threads = [threading.Thread(target=write, args=(Store(each), value)) for each, value in ((one, 1.0), (other, 2.0))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = prices(database)
    assert len(found) == 3 * rounds
    assert {len(values) for values in found.values()} == {1}
    assert sum(each.events for each in outcomes) == 2 * rounds
    assert [kind for kind, _ in letters(database)] == ["contradiction"] * rounds


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[tuple[str, Database]]:
    url = new_database(postgres)
    with ready(url) as opened:
        yield url, opened


said = st.tuples(
    st.dictionaries(st.sampled_from("ABCD"), st.sampled_from([None, 1.0, 2.0]), min_size=1, max_size=4), st.integers(0, 1)
)


@settings(max_examples=100)
@given(st.lists(st.lists(said, min_size=1, max_size=6), min_size=1, max_size=3), st.booleans())
def test_the_first_price_stays_and_every_other_is_told(shared, batches, again):
    url, opened = shared
    stored(url, "TRUNCATE price_report, price, dead_letter, source_sequence")
    store, firsts, contradictions = Store(opened), {}, 0
    made = [[report(each, fetched_at=NOW + timedelta(seconds=second)) for each, second in batch] for batch in batches]
    for batch in made:
        written = store.write(batch, NOW)
        assert len(batch) <= written.events + len(written.repeats) + len(written.rejections)
    for event in (each.meaning.event for batch in made for each in batch):
        values = {(node, event.fetched_at): price for node, price in zip(event.nodes, event.lmp_usd_per_mwh, strict=True)}
        told = {key: price for key, price in firsts.items() if key in values}
        contradictions += told != {key: price for key, price in values.items() if key in firsts}
        firsts = values | firsts
    assert sorted(stored(url, PRICES), key=repr) == sorted(
        ((*key[:1], price, key[1]) for key, price in firsts.items()), key=repr
    )
    assert [kind for kind, _ in letters(url)] == ["contradiction"] * contradictions
    if again:
        for batch in made:
            assert store.write(batch, NOW).events == 0
        assert len(stored(url, PRICES)) == len(firsts)
        assert len(letters(url)) == contradictions
