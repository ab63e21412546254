"""A point's own limits: what is beyond them is said of the point, and of its quality at the unit, and nowhere else."""

import pytest
from gateway_story import Gateway, dot, installation, interval, lmp, price, status

from dotbus.contracts.quality import BIT_OF, Level, Reason
from modbus_gateway.map.draft import read_map

DOT = {"unit_id": 20, "address": 0, "quantity": "dot_mw", "resource": "SOLAR"}
QUALITY = {"unit_id": 20, "address": 10, "quantity": "dot_quality", "resource": "SOLAR"}
REASONS = {**QUALITY, "address": 11, "quantity": "dot_reasons"}
ELSEWHERE = [{**one, "unit_id": 21} for one in (DOT, QUALITY, REASONS)]


def gateway(**own: object) -> Gateway:
    return Gateway(point=[{**DOT, **own}, QUALITY, REASONS, *ELSEWHERE])


@pytest.mark.parametrize(
    ("own", "expected"),
    [({"max": 12.4}, Level.UNCERTAIN), ({"min": 12.6}, Level.UNCERTAIN), ({"min": 12.5, "max": 12.5}, Level.GOOD)],
)
def test_a_value_outside_its_own_limits_is_shown_and_uncertain_at_its_unit_alone(own, expected):
    there = gateway(**own)
    there.hear(status(0), dot(interval(0, 12.5)))
    assert there.words(0, 20, 0, 2) == [0x4148, 0]
    reasons = 1 << BIT_OF[Reason.OUT_OF_LIMITS] if expected is Level.UNCERTAIN else 0
    assert there.words(0, 20, 10, 2) == [expected, reasons]
    assert there.words(0, 21, 10, 2) == [Level.GOOD, 0]


def test_limits_are_of_the_value_and_not_of_what_the_register_shows():
    there = gateway(max=13, scale=10.0, offset=5.0)
    there.hear(status(0), dot(interval(0, 12.5)))
    assert there.words(0, 20, 10, 1) == [Level.GOOD]


def test_a_value_that_is_stale_by_its_own_time_is_bad_there_from_that_moment_on():
    there = gateway(stale_after_s=20)
    there.hear(status(0), dot(interval(0, 12.5)))
    assert there.words(20, 20, 10, 2) == [Level.GOOD, 0]
    assert there.words(21, 20, 10, 2) == [Level.BAD, 1 << BIT_OF[Reason.STALE]]
    assert there.words(21, 20, 0, 2) == [0x7FC0, 0]
    assert there.words(21, 21, 10, 2) == [Level.GOOD, 0]


def test_an_image_does_not_hold_past_a_stale_time_of_its_own():
    there = gateway(stale_after_s=20)
    there.hear(status(0), dot(interval(0, 12.5)))
    assert there.turns_in_s(19) == pytest.approx(1, abs=1e-3)


def test_a_price_has_limits_of_its_own_too():
    own = {"unit_id": 20, "address": 0, "quantity": "lmp_published_usd_per_mwh", "node": "NODE1"}
    told = {"unit_id": 20, "address": 10, "quantity": "lmp_published_quality", "node": "NODE1"}
    fresh = {"unit_id": 20, "address": 11, "quantity": "lmp_fresh", "node": "NODE1"}
    there = Gateway(point=[{**own, "max": 1000.0, "stale_after_s": 30}, told, fresh])
    there.hear(status(0, service="lmp_ingest"), lmp(price(0, 30.0)))
    assert there.words(0, 20, 10, 2) == [Level.GOOD, 1]
    assert there.words(31, 20, 10, 2) == [Level.BAD, 0]
    there.hear(status(40, service="lmp_ingest"), lmp(price(0, 1001.0), said_s=40))
    assert there.words(40, 20, 10, 2) == [Level.UNCERTAIN, 0]


def test_its_own_stale_time_asks_for_no_other_topic():
    topics = installation().topics
    one, other = (read_map(installation(point=[{**DOT, **own}, QUALITY])) for own in ({}, {"stale_after_s": 5}))
    assert one.filters(topics) == other.filters(topics)
