"""What is absent is bad, so that nobody reads a good quality beside a register that shows no value."""

from typing import Final

import pytest
from gateway_story import Gateway, at, dot, interval, lmp, point, price, status, trajectory
from hypothesis import given, settings
from hypothesis import strategies as st

from dotbus.readings.prices import COMPONENTS, read_price
from dotbus.readings.reading import Named
from dotbus.readings.resources import read_resource
from modbus_gateway.map.quantities import NEVER_BAD, QUANTITIES

PLANT: Final = {"block": [{"profile": "plant", "unit_id": 11}]}
NOTHING_TO_SHOW: Final = {
    *("next_dot_mw", "next_dot_start", "next_dot_target", "supp_mw", "must_follow"),
    *(f"lmp_{price}_{component}" for price in ("active", "published") for component in COMPONENTS),
}
"""Of these there may be none, and nothing is wrong: no DOT is ahead yet, no SUPP segment, CAISO does not say."""

megawatts = st.sampled_from((0.0, 10.0, 400.0))
starts_s = st.sampled_from((-900, -600, -300, 0, 300, 600))
intervals = st.builds(
    interval,
    starts_s,
    megawatts,
    supp_mw=st.none() | megawatts,
    must_follow=st.none() | st.booleans(),
    batch_type=st.integers(1, 4),
)
points = st.builds(point, starts_s, megawatts, batch_s=st.sampled_from((-300, 0)))
prices = st.builds(price, starts_s, st.none() | megawatts)
dots = st.lists(intervals, max_size=4).map(lambda found: dot(*found, said_s=0))
curves = st.builds(
    lambda found, latest, received: trajectory(*found, said_s=0, latest=latest, **({} if received else {"received_at": None})),
    st.lists(points, max_size=4),
    st.none() | points,
    st.booleans(),
)
nodes = st.builds(
    lambda published, active, ahead: lmp(published, *ahead, active=active, said_s=0),
    st.none() | prices,
    st.none() | prices,
    st.lists(prices, max_size=2),
)


def read_of(gateway: Gateway, now_s: float) -> list[Named]:
    """What is read of the resource and of its price."""
    about = gateway.received, gateway.topics, gateway.map.judging, at(now_s)
    solar = next(member for member in gateway.map.members if member.resource.id == "SOLAR")
    return [read_resource(solar, *about).named, *(read_price(price, *about).named for price in gateway.map.prices)]


@settings(max_examples=300)
@given(st.none() | dots, st.none() | curves, st.none() | nodes, st.sampled_from((1, 200, 299, 400)))
def test_whatever_was_said_no_absent_value_stands_beside_a_quality_that_is_not_bad(dot, curve, node, now_s) -> None:
    gateway = Gateway(**PLANT)
    gateway.hear(*(message for message in (dot, curve, node) if message))
    for said_s in range(0, now_s, 100):
        gateway.hear(status(said_s), status(said_s, service="lmp_ingest"))

    for named in read_of(gateway, now_s):
        for name, reading in named.items():
            if reading.value is None and QUANTITIES[name].quality != NEVER_BAD and name not in NOTHING_TO_SHOW:
                assert reading.quality.is_bad, name
                assert named[QUANTITIES[name].quality].value == 0, name


@pytest.mark.parametrize(
    ("said", "name"),
    [
        (trajectory(point(0, 10), point(600, 10), said_s=5, latest=None), "latest_dop"),
        (dot(interval(0, 10), said_s=5), "previous_dot"),
    ],
)
def test_what_a_good_state_does_not_say_is_expired_as_what_is_over_is(said, name: str) -> None:
    gateway = Gateway(**PLANT)
    gateway.hear(status(0), said)

    (resource, *_) = read_of(gateway, 6)
    assert (resource[f"{name}_mw"].value, resource[f"{name}_quality"].value) == (None, 0)
    assert resource[f"{name}_mw"].quality.reasons == ("expired",)


def test_a_trajectory_without_a_latest_dop_is_not_fresh_in_the_classic_map() -> None:
    gateway = Gateway(block=[{"profile": "classic", "unit_id": 1, "resources": ["SOLAR"], "lmp_node": "NODE1"}])
    gateway.hear(status(0), trajectory(point(0, 10), point(600, 10), said_s=5, latest=None))

    (resource, *_) = read_of(gateway, 6)
    assert resource["trajectory_fresh"].value == 0
