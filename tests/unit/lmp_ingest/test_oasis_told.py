"""Which prices are news: node by node, across corrections, restarts and missing components."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oasis_story import prices_of

from caiso.oasis import Market
from dotbus.contracts.messages import Environment, Prices
from lmp_ingest.known.price_block import PriceBlock, block_of
from lmp_ingest.known.told import FEW_NODES, OBJECT_BYTES, WHOLE_FOR, Told
from lmp_ingest.known.told_interval import digests_of
from lmp_ingest.translate import Sender, price_events

START = datetime(2025, 9, 1, 8, tzinfo=UTC)
FIVE = timedelta(minutes=5)
SENDER = Sender(Environment.SIMULATOR, "lmp_ingest/test")
MEMORY = timedelta(days=3)


def prices(fetched_at: datetime = START, /, energy: float | None = None, **lmp: float) -> PriceBlock:
    """Prices of one interval by node."""
    rows = [(START, node, "LMP", value) for node, value in lmp.items()]
    if energy is not None:
        rows += [(START, node, "MCE", energy) for node in lmp]
    return block_of(prices_of(Market.RTM, rows), fetched_at)


def tell(memory: Told, answer: PriceBlock) -> list[Prices]:
    """What an answer makes an ingest say."""
    whole = memory.completed(answer)
    events = memory.numbered(price_events(SENDER, whole, memory.news(whole), START, 10))
    memory.remember(events, START)
    return events


def fresh(before: list[Prices] | None = None) -> Told:
    return Told(Environment.SIMULATOR, MEMORY, before or [])


def test_the_same_prices_again_are_no_news_and_a_correction_is() -> None:
    memory = fresh()

    assert [event.lmp_usd_per_mwh for event in tell(memory, prices(N1=9.0))] == [(9.0,)]
    assert tell(memory, prices(START + FIVE, N1=9.0)) == [], "fetched again"
    assert [event.lmp_usd_per_mwh for event in tell(memory, prices(N1=9.5))] == [(9.5,)]


def test_a_correction_names_the_nodes_whose_price_changed_and_no_others() -> None:
    memory = fresh()
    tell(memory, prices(**{f"N{number}": 1.0 for number in range(10)}))

    (event,) = tell(memory, prices(**{f"N{number}": 2.0 if number == 3 else 1.0 for number in range(10)}))

    assert (event.nodes, event.lmp_usd_per_mwh, event.chunk, event.chunks) == (("N3",), (2.0,), 1, 1)


def test_a_node_that_is_priced_later_than_the_others_comes_alone_and_is_no_correction() -> None:
    memory = fresh()
    tell(memory, prices(N1=1.0))

    answer = prices(N1=1.0, N2=2.0)
    events = memory.numbered(price_events(SENDER, answer, memory.news(answer), START, 10))

    assert [event.nodes for event in events] == [("N2",)]
    assert memory.remember(events, START) == 0


def test_corrections_are_counted_by_price() -> None:
    memory = fresh()
    tell(memory, prices(N1=1.0, N2=1.0, N3=1.0))

    answer = prices(N1=2.0, N2=2.0, N3=1.0)
    assert memory.remember(price_events(SENDER, answer, memory.news(answer), START, 10), START) == 2


def test_a_correction_that_is_taken_back_is_news_again_under_a_new_id_each_time() -> None:
    memory, ids = fresh(), []

    for value in (9.0, 9.5, 9.0, 9.0, 9.5, 9.0):
        ids += [event.id for event in tell(memory, prices(N1=value))]

    a, b = ids[:2]
    assert ids == [a, b, f"{a}#2", f"{b}#2", f"{a}#3"]


def test_what_was_told_before_a_restart_is_no_news_and_ids_stay_unique() -> None:
    before = fresh()
    events = [
        *tell(before, prices(N1=9.0, N2=1.0)),
        *tell(before, prices(N1=9.5, N2=1.0)),
        *tell(before, prices(N1=9.0, N2=1.0)),
    ]

    after = fresh(events)

    assert tell(after, prices(N1=9.0, N2=1.0)) == []
    told = [*events, *tell(after, prices(N1=9.5, N2=1.0))]
    assert len({event.id for event in told}) == len(told) == 4


def test_what_another_environment_was_told_is_news_under_an_id_of_its_own() -> None:
    before = [msgspec.structs.replace(event, environment=Environment.PRODUCTION) for event in tell(fresh(), prices(N1=9.0))]

    (event,) = tell(fresh(before), prices(N1=9.0))

    assert event.id == f"{before[0].id}#2", "or the outbox would take it for the one that it has"


def test_a_component_that_an_answer_lacks_is_no_correction_while_the_lmp_is_the_same() -> None:
    memory = fresh()
    tell(memory, prices(N1=9.0, energy=8.0))

    assert tell(memory, prices(N1=9.0)) == []
    (event,) = tell(memory, prices(N1=7.0))
    assert event.energy_usd_per_mwh == (None,), "nobody knows of what the new price is made"
    (event,) = tell(memory, prices(N1=7.0, energy=7.0))
    assert event.energy_usd_per_mwh == (7.0,)


def test_what_no_window_reaches_any_more_is_forgotten_when_there_is_no_room_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, later = fresh(), START + MEMORY + timedelta(seconds=1)
    tell(memory, prices(N1=9.0))
    memory.remember([], later)
    assert not memory.news(prices(N1=9.0)).any(), "somebody may ask for the past twice"

    monkeypatch.setattr("lmp_ingest.known.told.OLD_BYTES", 0)
    memory.remember([], later)
    assert memory.news(prices(N1=9.0)).all()


def test_of_the_past_what_was_told_last_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, long_ago = fresh(), block_of(prices_of(Market.RTM, [(START - timedelta(days=9), "N1", "LMP", 8.0)]), START)
    tell(memory, prices(N1=9.0))
    tell(memory, long_ago)
    monkeypatch.setattr("lmp_ingest.known.told.OLD_BYTES", OBJECT_BYTES + 100)
    memory.remember([], START + MEMORY + timedelta(seconds=1))

    assert memory.news(prices(N1=9.0)).all()
    assert not memory.news(long_ago).any()


# Many nodes, of which digests stand for what was told long ago

MANY = tuple(f"N{number:05d}" for number in range(FEW_NODES + 1))
LATER = START + WHOLE_FOR + timedelta(seconds=1)


def network(**lmp: float) -> PriceBlock:
    """Prices of many nodes, each with its energy."""
    return prices(energy=8.0, **{node: lmp.get(node, 9.0) for node in MANY})


def without_energy(answer: PriceBlock) -> PriceBlock:
    values = answer.values.copy()
    values[:, :, 1] = np.nan
    return replace(answer, values=values)


def long_ago() -> Told:
    memory = fresh()
    tell(memory, network())
    memory.remember([], LATER)
    return memory


def test_of_what_was_told_of_many_nodes_long_ago_a_correction_is_known_and_nothing_else_is_news() -> None:
    memory = long_ago()

    assert tell(memory, network()) == []
    (event,) = tell(memory, network(N00007=9.00001))
    assert (event.nodes, event.lmp_usd_per_mwh, event.energy_usd_per_mwh) == (("N00007",), (9.00001,), (8.0,))
    assert tell(memory, network(N00007=9.00001)) == []
    assert [event.nodes for event in tell(memory, network())] == [("N00007",)], "it is set back"


def test_a_component_that_an_answer_lacks_is_no_correction_of_what_was_told_long_ago_either() -> None:
    memory = long_ago()

    assert tell(memory, without_energy(network())) == []
    assert [event.nodes for event in tell(memory, without_energy(network(N00003=1.0)))] == [("N00003",)]
    assert [event.nodes for event in tell(memory, network(N00003=1.0))] == [("N00003",)], "its energy is known now"


def test_a_whole_network_takes_little_of_what_was_told_long_ago_and_few_nodes_keep_their_values() -> None:
    many, few = long_ago(), fresh()
    tell(few, prices(N1=9.0, energy=8.0))
    few.remember([], LATER)

    assert many.size_bytes <= 8 * (len(MANY) * 9 // 8 + 1)
    assert few.completed(prices(N1=9.0)).price(START, "N1").energy_usd_per_mwh == 8.0


def test_many_events_of_before_a_restart_are_condensed_as_they_are_read() -> None:
    before = fresh()
    events = tell(before, network())
    newer = [msgspec.structs.replace(event, time=LATER, interval_start=LATER, id=f"{event.id}/new") for event in events]

    after = fresh([*events, *newer])

    assert after.size_bytes < 1.1 * (8 + 40) * (len(MANY) * 9 // 8)
    assert tell(after, network()) == []


value = st.none() | st.floats(-2000, 2000).map(lambda value: round(value, 5))
rows = st.tuples(value, value, value, value, value)


@given(st.lists(rows, min_size=1, max_size=20), st.data())
def test_a_digest_tells_the_same_prices_and_no_others(told: list[tuple], data: st.DataObject) -> None:
    some = np.array(told, dtype=float)
    others = np.array([data.draw(st.just(row) | rows) for row in told], dtype=float)
    is_same = ((some == others) | (np.isnan(some) & np.isnan(others))).all(axis=1) | (
        np.isnan(some[:, 0]) & np.isnan(others[:, 0])
    )

    assert ((digests_of(some) == digests_of(others)) == is_same).all()
    assert ((digests_of(some) == 0) == np.isnan(some[:, 0])).all(), "without an LMP there is no price"
    assert (digests_of(some) == digests_of(np.where(some == 0, -0.0, some))).all()
