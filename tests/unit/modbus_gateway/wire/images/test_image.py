"""Received messages to expected registers, by the literal word. Addresses are those of docs/registers.md."""

import struct

import pytest
from gateway_story import (
    NOON,
    Gateway,
    at,
    dot,
    instruction,
    instructions,
    interval,
    lmp,
    point,
    price,
    status,
    trajectory,
    upstreams,
)

from dotbus.contracts.messages import Trajectory
from dotbus.judging.arrivals import Arrival, Problem
from dotbus.readings.alarms import read_alarms
from dotbus.readings.instructions import read_instructions
from dotbus.readings.prices import read_price
from dotbus.readings.resources import read_resource
from modbus_gateway.map.quantities import QUANTITIES, Scope
from modbus_gateway.values.readings import read_gateway, read_plant
from modbus_gateway.wire.images.image import Refusal

NAN = [0x7FC0, 0x0000]
NO_TIME = [0xFFFF, 0xFFFF]
NOON_WORDS = list(struct.unpack(">HH", struct.pack(">I", 1_791_892_800)))
CLASSIC = {"block": [{"profile": "classic", "unit_id": 1, "lmp_node": "NODE2"}]}
PLANT = {"block": [{"profile": "plant", "unit_id": 11, "plants": ["sierra"]}]}


def f32(value: float) -> list[int]:
    return list(struct.unpack(">HH", struct.pack(">f", value)))


def u32(seconds_after_noon: float) -> list[int]:
    return list(struct.unpack(">HH", struct.pack(">I", int(at(seconds_after_noon).timestamp()))))


def cdab(value: float) -> list[int]:
    return f32(value)[::-1]


def every_curve(dop_mw: float, *, said_s: float = 0, **changed: float) -> list[Trajectory]:
    """A curve of every resource that lasts until ten minutes after it was said, and was received when it was."""
    at_resources = {"SOLAR": dop_mw, "BESS": dop_mw, "HYDRO": dop_mw, "PUMP": dop_mw, **changed}
    return [
        trajectory(point(said_s, mw, batch_s=said_s), point(said_s + 600, mw, batch_s=said_s), resource=resource, said_s=said_s)
        for resource, mw in at_resources.items()
    ]


@pytest.fixture
def classic() -> Gateway:
    return Gateway(**CLASSIC)


@pytest.fixture
def plant() -> Gateway:
    return Gateway(**PLANT)


def test_noon_is_what_date_says():
    """`date -u -d @1791892800` prints Tue Oct 13 12:00:00 UTC 2026."""
    assert u32(0) == NOON_WORDS
    assert int(NOON.timestamp()) == 1_791_892_800


def test_classic_before_anything_came_is_nan_and_0(classic):
    assert classic.words(0, 1, 0, 8) == [0x0000, 0x7FC0] * 4
    assert classic.words(0, 1, 0x32, 4) == [0x0000, 0x7FC0] * 2
    assert classic.bits(0, 1, 0, 16) == [0] * 16


def test_classic_shows_the_latest_dop_of_each_resource_at_2i(classic):
    classic.hear(trajectory(point(0, 10), point(300, 12.5)), trajectory(point(600, -3.0), resource="HYDRO"))
    assert classic.words(1, 1, 0, 2) == [0x0000, 0x4148]
    assert classic.words(1, 1, 4, 2) == cdab(-3.0)


def test_classic_shows_supp_of_the_dot_in_force_from_0x14(classic):
    classic.hear(dot(interval(0, 10, supp_mw=-1.5), interval(300, 11, supp_mw=7), resource="BESS"))
    assert classic.words(1, 1, 0x16, 2) == cdab(-1.5)
    classic.hear(dot(interval(0, 10, supp_mw=-1.5), interval(300, 11, supp_mw=7), resource="BESS", said_s=299))
    assert classic.words(300, 1, 0x16, 2) == cdab(7)


def test_classic_holds_no_supp_and_no_active_price_past_their_interval_because_no_flag_would_tell(classic):
    classic.hear(status(0), status(0, service="lmp_ingest"), *every_curve(10))
    classic.hear(dot(interval(0, 10, supp_mw=-1.5)), lmp(price(0, 40.0), price(0, 40.0), node="NODE2"))
    assert classic.words(1, 1, 0x14, 2) == cdab(-1.5)
    assert classic.words(1, 1, 0x34, 2) == cdab(40.0)
    classic.hear(status(300), status(300, service="lmp_ingest"), *every_curve(10, said_s=300))
    assert classic.words(301, 1, 0x14, 2) == [0x0000, 0x7FC0]
    assert classic.words(301, 1, 0x34, 2) == [0x0000, 0x7FC0]
    assert classic.bits(301, 1, 0, 6) == [1, 0, 1, 0, 1, 1]


def test_classic_shows_both_prices_of_its_node(classic):
    classic.hear(lmp(price(300, 40.0), price(300, 40.0), active=price(0, 36.96), node="NODE2"))
    assert classic.words(1, 1, 0x32, 4) == [*cdab(40.0), *cdab(36.96)]
    assert classic.words(300, 1, 0x34, 2) == cdab(40.0)


def test_classic_bits_say_what_works(classic):
    classic.hear(status(0), status(0, service="lmp_ingest"), *every_curve(10), lmp(price(0, 40.0), node="NODE2"))
    assert classic.bits(1, 1, 0, 6) == [1, 0, 1, 0, 1, 1]
    classic.hear(status(2, upstreams=upstreams(2, ok=False)))
    assert classic.bits(3, 1, 0, 6) == [0, 0, 0, 0, 1, 1]


def test_classic_trajectory_bit_falls_when_one_trajectory_is_stale(classic):
    classic.hear(*every_curve(10), *every_curve(5, said_s=400)[1:], status(400))
    assert classic.bits(401, 1, 2, 1) == [0]
    classic.hear(*every_curve(5, said_s=401)[:1])
    assert classic.bits(402, 1, 2, 1) == [1]


def said_empty(gateway: Gateway) -> None:
    gateway.hear(trajectory(said_s=5))


def retracted(gateway: Gateway, at_s: float = 5) -> None:
    gateway.take(Arrival(gateway.topics.trajectory("sierra", "SOLAR"), at(at_s), retained=False, said=None))


def malformed(gateway: Gateway) -> None:
    topic = gateway.topics.trajectory("sierra", "SOLAR")
    gateway.take(Arrival(topic, at(5), retained=False, said=Problem.UNDECODABLE))


@pytest.mark.parametrize("happens", [said_empty, retracted, malformed])
def test_classic_trajectory_bit_falls_when_one_resource_has_no_trajectory_any_more(classic, happens):
    """40001 may hold the old megawatt; that it does is told, however fresh the others' are."""
    classic.hear(status(5), *every_curve(12.5))
    assert (classic.words(6, 1, 0, 2), classic.bits(6, 1, 0, 3)) == (cdab(12.5), [1, 0, 1])
    happens(classic)
    assert classic.bits(6, 1, 0, 3) == [1, 0, 0]


def test_classic_trajectory_bit_is_0_while_a_configured_resource_never_had_one(classic):
    classic.hear(*every_curve(12.5)[:-1])
    assert classic.bits(1, 1, 2, 1) == [0]


def price_retracted(gateway: Gateway) -> None:
    gateway.take(Arrival(gateway.topics.lmp("RTM", "NODE2"), at(5), retained=False, said=None))


def price_malformed(gateway: Gateway) -> None:
    gateway.take(Arrival(gateway.topics.lmp("RTM", "NODE2"), at(5), retained=False, said=Problem.UNDECODABLE))


def price_is_null(gateway: Gateway) -> None:
    gateway.hear(lmp(price(0, None, fetched_s=5), node="NODE2", said_s=5))


@pytest.mark.parametrize("happens", [price_retracted, price_malformed, price_is_null])
def test_classic_price_bit_falls_when_the_price_is_no_more(classic, happens):
    """OASIS answers, but of this node nothing can be shown: 40051 may be held, and 10006 says so."""
    classic.hear(status(5, service="lmp_ingest"), lmp(price(0, 40.0), node="NODE2"))
    assert (classic.words(6, 1, 0x32, 2), classic.bits(6, 1, 5, 1)) == (cdab(40.0), [1])
    happens(classic)
    assert classic.bits(6, 1, 5, 1) == [0]


def test_classic_price_bit_falls_when_no_price_came_after_one_that_is_over(classic):
    classic.hear(lmp(price(0, 40.0), node="NODE2", said_s=1200), status(1200, service="lmp_ingest"))
    assert [classic.bits(s, 1, 5, 1) for s in (1200, 1201)] == [[1], [0]]


def test_classic_bit_falls_at_once_when_what_it_shows_is_stale(classic):
    classic.hear(*every_curve(12.5), status(0))
    assert classic.words(1, 1, 0, 2) == [0x0000, 0x4148]
    assert classic.bits(91, 1, 0, 3) == [0, 0, 0]


def test_a_held_value_has_an_end_on_a_map_without_quality_registers_too(classic):
    classic.hear(*every_curve(12.5), status(0))
    assert classic.words(1, 1, 0, 2) == cdab(12.5)
    retracted(classic)
    assert [classic.words(s, 1, 0, 2) for s in (5, 10, 305)] == [cdab(12.5)] * 3
    assert classic.words(306, 1, 0, 2) == NAN[::-1]
    classic.hear(*every_curve(11, said_s=303))
    assert classic.words(304, 1, 0, 2) == cdab(11)
    retracted(classic, at_s=305)  # what comes after it is held anew
    assert classic.words(600, 1, 0, 2) == cdab(11)


def test_reserved_registers_are_ffff_and_nan(classic):
    assert classic.words(0, 1, 0x08, 12) == [0xFFFF] * 12
    assert classic.words(0, 1, 0x36, 10) == [0xFFFF] * 10


def test_nothing_outside_a_block_can_be_read(classic):
    image = classic.render(0)
    assert image.read_registers(1, 0x3F, 2) is Refusal.ADDRESS
    assert image.read_registers(1, 0x40, 1) is Refusal.ADDRESS
    assert image.read_bits(1, 15, 2) is Refusal.ADDRESS
    assert image.read_registers(2, 0, 1) is Refusal.ADDRESS


def test_plant_header(plant):
    plant.hear(status(0), dot(interval(0, 10)), *every_curve(10)[:2], lmp(None, active=price(0, 5.0)))
    plant.hear(dot(interval(0, 10), resource="BESS"))
    heartbeat = 1_791_892_801 % 65535
    header = [1, heartbeat, *u32(1), 2, 1, 1, 0, 192, 0]
    assert plant.words(1, 11, 0, 10) == header
    plant.images.turn(connected=False)
    assert plant.words(1, 11, 4, 6) == [2, 0, 0, 0, 64, 1 << 5]


def test_the_worst_quality_of_a_plant_is_the_set_points_too(plant):
    """Two good DOTs, and a ramp between them that the resource cannot follow."""
    plant.hear(dot(interval(0, 0), interval(300, 101), said_s=200), dot(interval(0, 10), resource="BESS", said_s=200))
    plant.hear(*every_curve(10)[:2], *every_curve(10, said_s=200)[:2], lmp(None, active=price(0, 5.0), said_s=200))
    assert plant.words(200, 11, 100, 1) == plant.words(200, 11, 200, 1) == [192]
    assert plant.words(200, 11, 8, 2) == plant.words(200, 11, 120, 2) == [64, 1 << 6]


def test_plant_resource_in_full(plant):
    hour = interval(-1800, 15, length_s=3600, batch_type=1, batch_received_at=at(-20))
    dots = dot(interval(-300, 9), interval(0, 10, supp_mw=-1, must_follow=True), interval(300, 20), interval(600, 30), hour)
    plant.hear(status(0), dots, trajectory(point(0, 16), point(100, 12)), lmp(price(300, 40.0), active=price(0, 36.96)))
    plant.hear(instructions(instruction("maximum", 0, max_mw=45.0), instruction("start-up", 300)))
    words = plant.words(50, 11, 100, 100)
    assert words[0:14] == [192, 0, *f32(10), *u32(0), *u32(300), *u32(150), *f32(-1), 1, 50]
    assert words[14:17] == [250, 100, 0xFFFF]
    assert words[20:26] == [192, 0, *f32(9 + 200 / 300), *u32(-300)]
    assert words[26:30] == [192, 0, 192, 0]
    assert words[30:40] == [*f32(9), *u32(-150), *f32(20), *u32(300), *u32(450)]
    assert words[40:50] == [192, 0, *f32(15), *u32(-1800), *u32(1800), *u32(0)]
    assert words[50:61] == [192, 0, *f32(14), *f32(12), *u32(100), 50, 192, 0]
    assert words[70:83] == [192, 0, *f32(36.96), *u32(0), *f32(40.0), *u32(300), 192, 0, 50]
    assert words[61:70] == [192, 0, 1, 1, 0, 0xFFFF, 2, 1, 250]
    assert words[83:88] == [192, 0, 0xFFFF, *NO_TIME]
    assert words[88:100] == [192, 0, *NAN, *f32(45), 192, 0, *NAN, *NAN]
    assert words[17] == 0b11011, "OASIS was not heard to answer"


def test_plant_shows_no_value_where_there_is_none(plant):
    words = plant.words(0, 11, 100, 100)
    assert words[0:14] == [0, 1, *NAN, *NO_TIME, *NO_TIME, *NO_TIME, *NAN, 0xFFFF, 0xFFFF]


def test_next_dot_is_absent_not_bad_until_caiso_sends_it(plant):
    plant.hear(dot(interval(0, 10)))
    assert plant.words(1, 11, 100, 1) == [192]
    assert plant.words(1, 11, 134, 4) == [*NAN, *NO_TIME]


def test_must_follow_of_a_variable_resource_is_what_caiso_says(plant):
    plant.hear(dot(interval(0, 10)), dot(interval(0, 10), resource="BESS"))
    assert (plant.words(1, 11, 112, 1), plant.words(1, 11, 212, 1)) == ([0xFFFF], [1])
    plant.hear(dot(interval(0, 10, must_follow=False), said_s=2))
    assert plant.words(3, 11, 112, 1) == [0]


def test_a_ramp_steeper_than_the_resource_is_marked_and_shown(plant):
    plant.hear(dot(interval(0, 0), interval(300, 101), interval(600, 50)))
    assert plant.words(200, 11, 120, 2)[0] == 0
    plant.hear(dot(interval(0, 0), interval(300, 101), interval(600, 50), said_s=200))
    assert plant.words(200, 11, 120, 4) == [64, 1 << 6, *f32(101 / 6)]
    assert plant.words(200, 11, 134, 2) == f32(101)


def test_the_set_point_is_clipped_only_when_configured():
    loud = Gateway(**PLANT, clip_set_point=True)
    quiet = Gateway(**PLANT)
    for gateway, expected_mw in ((loud, 100.0), (quiet, 110.0)):
        gateway.hear(dot(interval(0, 110.0)))
        assert gateway.words(1, 11, 120, 4) == [64, 1 << 6, *f32(expected_mw)]
        assert gateway.words(1, 11, 102, 2) == f32(110.0)


def test_the_active_price_turns_with_the_interval_by_our_clock_and_then_expires(plant):
    plant.hear(lmp(price(300, 40.0), price(300, 40.0), active=price(0, 36.96)))
    assert [plant.words(s, 11, 172, 2) for s in (299, 300, 599)] == [f32(36.96), f32(40.0), f32(40.0)]
    plant.hear(status(500, service="lmp_ingest"))
    assert plant.words(600, 11, 170, 4) == [0, 1 << 2, *NAN]
    assert plant.words(600, 11, 176, 2) == f32(40.0)


def test_the_published_price_is_stale_when_none_came_after_it_although_oasis_answers(plant):
    plant.hear(lmp(price(0, 40.0), active=price(0, 40.0)))
    for now_s, level in ((300 + 900, 192), (300 + 901, 0)):
        plant.hear(lmp(price(0, 40.0), active=price(0, 40.0), said_s=now_s), status(now_s, service="lmp_ingest"))
        assert plant.words(now_s, 11, 180, 2) == [level, 0 if level else 1 << 1]
    assert plant.words(1201, 11, 176, 2) == list(NAN)


def test_a_corrected_price_wins(plant):
    plant.hear(lmp(price(0, 41.0, fetched_s=60), active=price(0, 40.0, fetched_s=0), said_s=60))
    assert plant.words(61, 11, 172, 2) == f32(41.0)


def test_a_resource_without_a_node_has_reserved_registers_for_its_price():
    gateway = Gateway(block=[{"profile": "plant", "unit_id": 12, "plants": ["delta"]}])
    assert gateway.words(0, 12, 270, 13) == [0xFFFF] * 13
    assert gateway.words(0, 12, 170, 2) == [0, 1]


def test_on_bad_exception_refuses_only_what_is_bad():
    gateway = Gateway(block=[{**PLANT["block"][0], "on_bad": "exception"}])
    gateway.hear(dot(interval(0, 10)))
    assert gateway.words(1, 11, 100, 14)[2:4] == f32(10)
    image = gateway.render(91)
    assert image.read_registers(11, 102, 2) is Refusal.FAILURE
    assert image.read_registers(11, 100, 14) is Refusal.FAILURE
    assert isinstance(image.read_registers(11, 100, 2), bytes)


def test_on_bad_value_is_for_megawatts_and_prices_only():
    gateway = Gateway(block=[{**PLANT["block"][0], "on_bad": "value", "bad_value": -1}])
    assert gateway.words(0, 11, 102, 4) == [*f32(-1), *NO_TIME]
    assert gateway.words(0, 11, 112, 1) == [0xFFFF]


def test_word_order_of_a_block_is_honoured_by_every_wide_value():
    gateway = Gateway(block=[{**PLANT["block"][0], "word_order": "little"}])
    gateway.hear(dot(interval(0, 12.5)))
    assert gateway.words(1, 11, 102, 4) == [0x0000, 0x4148, *u32(0)[::-1]]


def test_points_show_any_quantity_anywhere():
    points = [
        {"unit_id": 5, "address": 7, "quantity": "dot_mw", "resource": "SOLAR", "type": "int16", "scale": 10},
        {"unit_id": 5, "address": 8, "quantity": "lmp_active_usd_per_mwh", "node": "NODE2", "word_order": "little"},
        {"unit_id": 5, "address": 20, "quantity": "worst_quality", "plant": "sierra"},
        {"unit_id": 5, "address": 3, "table": "discrete", "quantity": "must_follow", "resource": "BESS"},
        {"unit_id": 5, "address": 4, "table": "discrete", "quantity": "lmp_works", "on_bad": "exception"},
    ]
    gateway = Gateway(point=points)
    gateway.hear(dot(interval(0, 12.34)), dot(interval(0, 5), resource="BESS"))
    gateway.hear(lmp(None, active=price(0, 12.5), node="NODE2"))
    assert gateway.words(1, 5, 7, 3) == [123, 0x0000, 0x4148]
    assert gateway.words(1, 5, 20, 1) == [0]
    assert gateway.bits(1, 5, 3, 2) == [1, 0]
    assert gateway.render(1).read_registers(5, 9, 2) is Refusal.ADDRESS


def test_a_bad_discrete_point_may_be_an_exception():
    point_ = {"unit_id": 5, "address": 3, "table": "discrete", "quantity": "must_follow", "resource": "BESS"}
    gateway = Gateway(point=[{**point_, "on_bad": "exception"}])
    assert gateway.render(1).read_bits(5, 3, 1) is Refusal.FAILURE


def test_every_quantity_can_be_read():
    """The list of quantities and what `readings` makes are the same."""
    gateway = Gateway(**PLANT)
    judging, now = gateway.map.judging, at(0)
    member, price_at = gateway.map.members[0], gateway.map.prices[0]
    resource = read_resource(member, gateway.received, gateway.topics, judging, now)
    instructed = read_instructions(member, gateway.received, gateway.topics, judging, now)
    made = {
        Scope.GATEWAY: read_gateway(gateway.received, judging, now),
        Scope.PLANT: read_plant([resource.named], []),
        Scope.ALARMS: read_alarms(gateway.map.alarmed[0], gateway.received, gateway.topics, now).named,
        Scope.RESOURCE: {**resource.named, **instructed.named},
        Scope.PRICE: read_price(price_at, gateway.received, gateway.topics, judging, now).named,
    }
    for scope, readings in made.items():
        assert set(readings) == {name for name, quantity in QUANTITIES.items() if quantity.scope is scope}


def test_what_is_read_says_when_time_alone_next_changes_it(plant):
    def turns_s(now_s: float) -> float | None:
        judging, now = plant.map.judging, at(now_s)
        read = [read_resource(plant.map.members[0], plant.received, plant.topics, judging, now)]
        read += [read_price(price_at, plant.received, plant.topics, judging, now) for price_at in plant.map.prices]
        return min(((one.turns_at - NOON).total_seconds() for one in read if one.turns_at), default=None)

    just_after_s = 0.000001
    assert turns_s(10) is None
    plant.hear(dot(interval(0, 10), interval(300, 11), said_s=299))
    assert turns_s(299) == 300, "a DOT begins"
    plant.hear(dot(interval(0, 10), interval(300, 11), said_s=310, valid_until=at(311)))
    assert turns_s(310) == 311 + just_after_s, "its source vouches for it no longer"
    assert turns_s(311) == 311 + just_after_s
    plant.hear(dot(interval(0, 10), interval(300, 11), said_s=311, heard_at=at(310)))
    assert turns_s(399.5) == 400 + just_after_s, "it grows stale"
    assert turns_s(401) == 450, "the ramp reaches a target"
    plant.hear(lmp(price(0, 40.0), price(600, 41.0)))
    assert turns_s(599) == 600, "a price begins"
    plant.hear(trajectory(point(700, 1), said_s=600))
    assert turns_s(700) == 700 + just_after_s, "a curve ends"


def test_the_quality_beside_a_value_is_that_of_what_the_register_shows():
    """400 MW times 100 are too many for an int16: at its unit the DOT is bad, at others it is as it was."""
    point = {"unit_id": 20, "resource": "HYDRO"}
    gateway = Gateway(
        block=[{"profile": "plant", "unit_id": 12, "plants": ["delta"]}],
        point=[
            {
                **point,
                "address": 0,
                "quantity": "dot_mw",
                "type": "int16",
                "scale": 100.0,
                "on_bad": "value",
                "bad_value": -1.0,
            },
            {**point, "address": 1, "quantity": "dot_quality"},
            {**point, "address": 2, "quantity": "dot_reasons"},
            {**point, "address": 3, "quantity": "set_point_quality"},
        ],
    )
    gateway.hear(dot(interval(0, 400), resource="HYDRO"))
    assert gateway.words(1, 20, 0, 4) == [0x10000 - 100, 0, 1 << 7, 192]
    assert gateway.words(1, 12, 100, 4) == [192, 0, *f32(400)]
    gateway.hear(dot(interval(0, 300), resource="HYDRO", said_s=2))
    assert gateway.words(3, 20, 0, 4) == [30000, 192, 0, 192]


def test_megawatts_that_no_float32_can_carry_are_invalid_and_lower_the_classic_flag(classic):
    classic.hear(status(0), *every_curve(10, SOLAR=1e39))
    assert classic.words(1, 1, 0, 4) == [*NAN[::-1], *cdab(10)]
    assert classic.bits(1, 1, 0, 3) == [1, 0, 0]
