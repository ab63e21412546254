"""What the gateway says of itself: whether the ingests are heard that its values come from."""

import pytest
from gateway_story import Gateway, at, status

from dotbus.contracts.messages import Upstream
from dotbus.judging.arrivals import Arrival, Problem
from dotbus.judging.hearing import hear_ingests

PLANT = {"profile": "plant", "unit_id": 11}


def hear(gateway: Gateway, now_s: float) -> Upstream:
    (upstream,) = hear_ingests(gateway.received, ("ads_ingest",), at(now_s))
    return upstream


@pytest.mark.parametrize(
    ("modbus", "needed"),
    [
        ({"block": [PLANT]}, ("ads_ingest", "lmp_ingest")),
        ({"point": [{"unit_id": 1, "address": 0, "quantity": "dot_mw", "resource": "SOLAR"}]}, ("ads_ingest",)),
        ({"point": [{"unit_id": 1, "address": 0, "quantity": "lmp_active_usd_per_mwh", "node": "NODE1"}]}, ("lmp_ingest",)),
    ],
)
def test_only_ingests_that_the_map_shows_something_of_are_upstreams(modbus: dict, needed: tuple[str, ...]):
    assert Gateway(**modbus).map.services == needed


def test_an_ingest_is_heard_while_its_heartbeats_come():
    gateway = Gateway(block=[PLANT])
    assert (hear(gateway, 0).ok, hear(gateway, 0).last_error) == (False, "no status of it has come")
    gateway.hear(status(10))
    assert (hear(gateway, 25).ok, hear(gateway, 25).last_ok_at) == (True, at(10))
    assert (hear(gateway, 26).ok, hear(gateway, 26).last_error) == (False, "silent for more than 15 s")


def test_a_last_will_is_heard_at_once_and_one_other_instance_is_enough():
    gateway = Gateway(block=[PLANT])
    gateway.hear(status(10), status(10, online=False, upstreams=()))
    assert (hear(gateway, 11).ok, hear(gateway, 11).last_error) == (False, "offline")
    gateway.hear(status(12, instance="b"))
    assert hear(gateway, 13).ok


def test_a_status_that_cannot_be_used_is_named_until_a_good_one_comes():
    gateway = Gateway(block=[PLANT])
    for detail in ("version 2", "environment stage from ads_ingest/a"):
        topic = gateway.topics.service("ads_ingest", "a")
        gateway.take(Arrival(topic, at(1), False, Problem.UNDECODABLE, detail, "ads_ingest/a"))  # noqa: FBT003  # retained
        assert hear(gateway, 2).last_error == f"the status of ads_ingest/a cannot be used: {detail}"
    gateway.hear(status(10))
    assert (hear(gateway, 25).ok, hear(gateway, 26).last_error) == (True, "silent for more than 15 s")
    gateway.take(Arrival(topic, at(27), False, Problem.UNDECODABLE, "version 2", "ads_ingest/a"))  # noqa: FBT003  # retained
    assert hear(gateway, 28).last_error == "the status of ads_ingest/a cannot be used: version 2"


def test_a_retained_status_is_as_old_as_it_says_and_a_clock_ahead_makes_none_younger():
    gateway = Gateway(block=[PLANT])
    gateway.hear(status(10), at_s=100, retained=True)
    assert (hear(gateway, 100).ok, hear(gateway, 100).last_ok_at) == (False, at(10))
    gateway.hear(status(500), at_s=101)
    assert (hear(gateway, 117).ok, hear(gateway, 117).last_ok_at) == (False, at(101))
