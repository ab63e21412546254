"""Which prices are news: node by node, across corrections, restarts and missing components."""

from datetime import UTC, datetime, timedelta

import msgspec
from oasis_story import prices_of

from caiso.oasis import Market
from dotbus.contracts.messages import Environment, Prices
from lmp_ingest.told import Told
from lmp_ingest.translate import ByInterval, Sender, assemble, price_events

START = datetime(2025, 9, 1, 8, tzinfo=UTC)
FIVE = timedelta(minutes=5)
SENDER = Sender(Environment.SIMULATOR, "lmp_ingest/test")
MEMORY = timedelta(days=3)


def prices(fetched_at: datetime = START, /, energy: float | None = None, **lmp: float) -> ByInterval:
    """Prices of one interval by node."""
    rows = [(START, node, "LMP", value) for node, value in lmp.items()]
    if energy is not None:
        rows += [(START, node, "MCE", energy) for node in lmp]
    return assemble(prices_of(Market.RTM, rows), fetched_at).prices


def tell(memory: Told, answer: ByInterval) -> list[Prices]:
    """What an answer makes an ingest say."""
    news = memory.news(Market.RTM, memory.completed(Market.RTM, answer))
    events = memory.numbered(price_events(SENDER, Market.RTM, news, START, 10))
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

    news = memory.news(Market.RTM, prices(N1=1.0, N2=2.0))
    events = memory.numbered(price_events(SENDER, Market.RTM, news, START, 10))

    assert [event.nodes for event in events] == [("N2",)]
    assert memory.remember(events, START) == 0


def test_corrections_are_counted_by_price() -> None:
    memory = fresh()
    tell(memory, prices(N1=1.0, N2=1.0, N3=1.0))

    news = memory.news(Market.RTM, prices(N1=2.0, N2=2.0, N3=1.0))
    assert memory.remember(price_events(SENDER, Market.RTM, news, START, 10), START) == 2


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


def test_what_no_window_reaches_any_more_is_forgotten() -> None:
    memory = fresh()
    tell(memory, prices(N1=9.0))

    memory.remember([], START + MEMORY + timedelta(seconds=1))

    assert memory.news(Market.RTM, prices(N1=9.0))
