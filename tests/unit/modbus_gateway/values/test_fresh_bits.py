"""What of a resource is fresh, a bit each, and what turns them."""

import pytest
from gateway_story import Gateway, at, dot, instructions, interval, lmp, point, price, status, trajectory, upstreams

DOT, TRAJECTORY, PRICE, INSTRUCTIONS, CLOCKS = (1 << bit for bit in range(5))
ALL = DOT | TRAJECTORY | PRICE | INSTRUCTIONS | CLOCKS
FRESH = {"unit_id": 20, "address": 0, "quantity": "fresh_bits", "type": "bits"}


@pytest.fixture
def gateway() -> Gateway:
    return Gateway(point=[{**FRESH, "resource": "SOLAR"}], stale_after_s=90)


def hear_all(gateway: Gateway) -> None:
    gateway.hear(status(0), status(0, service="lmp_ingest"), lmp(price(0, 40.0)), dot(interval(0, 10)))
    gateway.hear(trajectory(point(0, 10), point(600, 10)), instructions())


def bits(gateway: Gateway, now_s: float, unit_id: int = 20, address: int = 0) -> int:
    return gateway.words(now_s, unit_id, address, 1)[0]


def test_nothing_is_fresh_before_anything_came(gateway):
    assert bits(gateway, 0) == 0


def test_each_state_has_its_bit(gateway):
    gateway.hear(status(0), dot(interval(0, 10)))
    assert bits(gateway, 1) == DOT | CLOCKS
    gateway.hear(trajectory(point(0, 10), point(600, 10)))
    assert bits(gateway, 1) == DOT | TRAJECTORY | CLOCKS
    gateway.hear(instructions())
    assert bits(gateway, 1) == ALL & ~PRICE
    gateway.hear(status(0, service="lmp_ingest"), lmp(price(0, 40.0)))
    assert bits(gateway, 1) == ALL


def test_time_alone_takes_them_away(gateway):
    hear_all(gateway)
    assert [bits(gateway, s) for s in (90, 90.5, 300.5, 1000)] == [ALL, PRICE | CLOCKS, 0, 0]


def test_a_source_that_does_not_hear_caiso_leaves_clocks_and_prices(gateway):
    hear_all(gateway)
    gateway.hear(status(2, upstreams=upstreams(2, ok=False)))
    assert bits(gateway, 3) == PRICE | CLOCKS


def test_a_clock_in_doubt_takes_its_bit_and_those_of_what_it_speaks_against(gateway):
    hear_all(gateway)
    gateway.hear(status(5, service="lmp_ingest"), at_s=2)
    assert bits(gateway, 3) == ALL & ~(PRICE | CLOCKS)


def test_the_plant_profile_has_them_of_each_resource_and_one_without_a_node_has_no_price():
    gateway = Gateway(block=[{"profile": "plant", "unit_id": 11, "plants": ["sierra", "delta"]}])
    hear_all(gateway)
    gateway.hear(dot(interval(0, 10), resource="PUMP", heard_at=at(0)))
    assert [bits(gateway, 1, 11, 100 * place + 17) for place in (1, 2, 3, 4)] == [ALL, PRICE, 0, DOT | CLOCKS]


def test_the_market_of_the_price_may_be_another_one():
    gateway = Gateway(point=[{**FRESH, "resource": "SOLAR", "market": "DAM"}])
    hear_all(gateway)
    assert bits(gateway, 1) == ALL & ~PRICE
