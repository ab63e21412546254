"""From price rows to events and states."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from oasis_blocks import block, flat
from oasis_story import PriceRow, prices_of

from caiso.oasis import Component, Market
from dotbus.contracts.codec import decode, encode
from dotbus.contracts.messages import Environment, NodePrice, Prices
from lmp_ingest.known.book import Book
from lmp_ingest.known.price_block import PriceBlock, block_of
from lmp_ingest.translate import Sender, lmp_state, price_events, same_price

START = datetime(2025, 9, 1, 8, tzinfo=UTC)
FIVE = timedelta(minutes=5)
FETCHED = START + timedelta(minutes=3)
SENDER = Sender(Environment.SIMULATOR, "lmp_ingest/test")
REFRESH = timedelta(seconds=45)
VOUCHED = timedelta(minutes=4)


def row(component: Component, value: float | None, node: str = "N1", start: datetime = START) -> PriceRow:
    return start, node, component.value, value


def price(start: datetime, lmp: float | None = 10.0) -> NodePrice:
    return NodePrice(interval_start=start, interval_end=start + FIVE, fetched_at=FETCHED, lmp_usd_per_mwh=lmp)


def told(*rows: PriceRow, nodes_per_event: int = 10) -> list[Prices]:
    return all_of(block_of(prices_of(Market.RTM, rows), FETCHED), nodes_per_event)


def all_of(prices: PriceBlock, nodes_per_event: int = 10) -> list[Prices]:
    """What is said when all of it is news."""
    return list(price_events(SENDER, prices, prices.is_priced, prices.fetched_at, nodes_per_event))


def test_components_of_one_node_and_interval_become_one_price() -> None:
    prices = block_of(
        prices_of(Market.RTM, [row(Component.LMP, 9.0), row(Component.LOSS, -1.0), row(Component.ENERGY, 10.0)]), FETCHED
    )

    assert flat(prices) == {
        (START, "N1"): NodePrice(
            interval_start=START,
            interval_end=START + FIVE,
            fetched_at=FETCHED,
            lmp_usd_per_mwh=9.0,
            energy_usd_per_mwh=10.0,
            loss_usd_per_mwh=-1.0,
        )
    }


def components(lmp: float, energy: float, congestion: float, loss: float, ghg: float | None) -> list[PriceRow]:
    rows = [row(Component.LMP, lmp), row(Component.ENERGY, energy), row(Component.CONGESTION, congestion)]
    return [*rows, row(Component.LOSS, loss), *([row(Component.GHG, ghg)] if ghg is not None else [])]


@pytest.mark.parametrize(
    ("rows", "doubted"),
    [
        (components(24.0, 20.0, 3.0, 1.0, None), False),
        (components(24.0004, 20.0, 3.0, 1.0, None), False),
        (components(24.0006, 20.0, 3.0, 1.0, None), True),
        (components(22.0, 20.0, 3.0, 1.0, -2.0), False),
        (components(24.0, 20.0, 3.0, 1.0, -2.0), True),
        (components(99.0, 20.0, 3.0, 1.0, None)[:3], False),  # without the loss there is no sum to compare with
    ],
)
def test_an_lmp_that_is_not_the_sum_of_its_components_is_doubted_but_kept(rows: list[PriceRow], doubted: bool) -> None:  # noqa: FBT001
    prices = block_of(prices_of(Market.RTM, rows), FETCHED)

    assert prices.doubts == (("N1 at 2025-09-01T08:00Z",) if doubted else ())
    assert prices.price(START, "N1").lmp_usd_per_mwh == rows[0][3]


def test_a_row_said_twice_alike_is_one() -> None:
    prices = block_of(prices_of(Market.RTM, [row(Component.LMP, 9.0), row(Component.LMP, 9.0)]), FETCHED)

    assert (prices.contradictions, flat(prices).keys()) == ((), {(START, "N1")})


def test_a_node_s_interval_priced_twice_differently_is_left_out_alone() -> None:
    later = START + FIVE
    prices = block_of(
        prices_of(
            Market.RTM,
            [
                row(Component.LMP, 9.0),
                row(Component.LMP, 9.5),
                row(Component.LMP, 7.0, start=later),
                row(Component.LMP, 8.0, node="N2"),
            ],
        ),
        FETCHED,
    )

    assert prices.contradictions == ("N1 at 2025-09-01T08:00Z",)
    assert flat(prices).keys() == {(START, "N2"), (later, "N1")}


def test_an_event_holds_an_interval_s_nodes_as_columns_and_survives_the_codec() -> None:
    (event,) = told(row(Component.LMP, 9.0, "N2"), row(Component.LMP, 8.0, "N1"), row(Component.GHG, 0.5, "N1"))

    assert event.nodes == ("N1", "N2")
    assert event.lmp_usd_per_mwh == (8.0, 9.0)
    assert event.ghg_usd_per_mwh == (0.5, None)
    assert (event.interval_start, event.interval_end, event.fetched_at) == (START, START + FIVE, FETCHED)
    numbered = msgspec.structs.replace(event, stream="s", seq=1)
    assert decode(encode(numbered)) == numbered


def test_an_interval_of_many_nodes_is_told_in_numbered_chunks_with_ids_of_their_own() -> None:
    events = told(*(row(Component.LMP, 1.0, f"N{number}") for number in range(5)), nodes_per_event=2)

    assert [(event.chunk, event.chunks, event.nodes) for event in events] == [
        (1, 3, ("N0", "N1")),
        (2, 3, ("N2", "N3")),
        (3, 3, ("N4",)),
    ]
    assert len({event.id for event in events}) == 3


def test_the_id_is_of_what_is_said_not_of_when_or_in_which_order_it_came() -> None:
    rows = [row(Component.LMP, 9.0), row(Component.ENERGY, 9.0), row(Component.LMP, 1.0, "N2")]
    later = all_of(block_of(prices_of(Market.RTM, reversed(rows)), FETCHED + FIVE))

    assert [event.id for event in told(*rows)] == [event.id for event in later]
    assert told(*rows)[0].id.startswith("prices/RTM/20250901T080000Z/")


def test_the_id_of_a_fact_is_the_same_in_every_version_because_the_historian_knows_it_by_that() -> None:
    rows = [row(Component.LMP, 2.5, "N2"), row(Component.ENERGY, 0.00001, "N2"), row(Component.LMP, -1.0, "N1")]

    (event,) = told(*rows, row(Component.LOSS, 1e5, "N1"), row(Component.GHG, 0, "N2"))

    assert event.id == "prices/RTM/20250901T080000Z/79e6265574d54cb6/70d7df2d50eee3e5"


@pytest.mark.parametrize(
    "other",
    [
        [row(Component.LMP, 9.00001)],
        [row(Component.LMP, 9.0), row(Component.ENERGY, 9.0)],
        [row(Component.LMP, 9.0, "N2")],
        [row(Component.LMP, 9.0), row(Component.GHG, 0.0)],
        [row(Component.LMP, 9.0, start=START + FIVE)],
    ],
)
def test_anything_else_that_is_said_has_another_id(other: list[PriceRow]) -> None:
    assert told(row(Component.LMP, 9.0))[0].id != told(*other)[0].id


@pytest.mark.parametrize(
    ("at", "active"), [(START - FIVE, None), (START, 1.0), (START + FIVE - timedelta(microseconds=1), 1.0), (START + FIVE, 2.0)]
)
def test_the_active_price_is_that_of_the_interval_that_covers_now(at: datetime, active: float | None) -> None:
    known = [price(START, 1.0), price(START + FIVE, 2.0)]
    state = lmp_state(SENDER, Market.RTM, "N1", known, heard_at=FETCHED, valid_until=FETCHED + VOUCHED, now=at)

    assert (state.active.lmp_usd_per_mwh if state.active else None) == active
    assert state.published == known[1]
    assert state.ahead == tuple(one for one in known if one.interval_start > at)


def hear(book: Book, now: datetime, *prices: NodePrice) -> None:
    book.hear(["N1"], block(Market.RTM, [("N1", one) for one in prices]), now)


def say(book: Book, now: datetime) -> int:
    states = book.states(now)
    book.said(states)
    return len(states)


def test_a_state_is_said_when_its_content_changes_and_when_the_active_interval_turns() -> None:
    book = Book(SENDER, REFRESH, {Market.RTM: VOUCHED})
    second = timedelta(seconds=1)

    hear(book, START, price(START), price(START + FIVE))
    assert [say(book, START), say(book, START + second)] == [1, 0]
    hear(book, START + second, price(START), price(START + FIVE))
    assert say(book, START + second) == 0, "the same prices again"
    hear(book, START + second, price(START + FIVE, 11.0))
    assert say(book, START + second) == 1, "a correction"
    assert [say(book, START + FIVE - second), say(book, START + FIVE), say(book, START + FIVE + second)] == [0, 1, 0]
    assert [say(book, START + 2 * FIVE), say(book, START + 2 * FIVE + second)] == [1, 0], "the last price ran out"


def test_a_state_that_says_nothing_new_tells_again_that_caiso_was_heard_but_not_each_time() -> None:
    book = Book(SENDER, REFRESH, {Market.RTM: VOUCHED})
    hear(book, START, price(START))
    say(book, START)

    said = []
    for seconds in range(0, 120, 30):
        now = START + timedelta(seconds=seconds)
        hear(book, now, price(START))
        said.append(say(book, now))

    assert said == [0, 0, 1, 0]


def test_a_price_heard_again_keeps_when_it_was_first_fetched() -> None:
    book = Book(SENDER, REFRESH, {Market.RTM: VOUCHED})
    again = msgspec.structs.replace(price(START), fetched_at=FETCHED + FIVE)

    hear(book, START, price(START))
    hear(book, START, again)

    assert same_price(price(START), again)
    assert book.states(START)[0].active == price(START)


def test_after_a_restart_the_book_says_nothing_it_has_said_and_turns_in_time() -> None:
    before = Book(SENDER, REFRESH, {Market.RTM: VOUCHED})
    hear(before, START, price(START), price(START + FIVE))
    (state,) = before.states(START)

    after = Book(SENDER, REFRESH, {Market.RTM: VOUCHED})
    after.restore(Market.RTM, state, START)

    assert after.states(START + timedelta(seconds=1)) == []
    (turned,) = after.states(START + FIVE)
    assert (turned.active, turned.heard_at) == (price(START + FIVE), state.heard_at)


def test_a_node_that_caiso_was_heard_about_but_has_no_price_says_so() -> None:
    book = Book(SENDER, REFRESH, {Market.RTM: VOUCHED})
    hear(book, START)

    (state,) = book.states(START)

    assert (state.published, state.active, state.ahead) == (None, None, ())
