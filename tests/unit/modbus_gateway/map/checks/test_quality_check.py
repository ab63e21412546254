"""A number in place of a bad value is refused where nothing of the unit would tell that it is one."""

import pytest
from gateway_story import Gateway, dot, installation, interval, point, status, trajectory

from dotbus.contracts.quality import BIT_OF, Reason
from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.modbus import OnBad, Profile
from modbus_gateway.map.draft import draft_map, read_map
from modbus_gateway.map.layouts import PLANT_RESOURCE, lay_out
from modbus_gateway.map.quantities import QUANTITIES, Scope

DOT = {"unit_id": 20, "address": 0, "quantity": "dot_mw", "resource": "SOLAR"}
HELD = {**DOT, "on_bad": "hold"}
REFUSED = {"modbus.point[0].on_bad"}
ZERO = {**DOT, "on_bad": "value", "bad_value": 0.0}


def mistakes(*points: dict[str, object], blocks: tuple[dict[str, object], ...] = ()) -> dict[str, str]:
    _, found = draft_map(InstallationFile(installation(point=list(points), block=list(blocks)), "plant.toml"))
    return {mistake.key: mistake.reason for mistake in found}


def quantity(name: str, unit_id: int = 20, **changes: object) -> dict[str, object]:
    return {"unit_id": unit_id, "address": 50, "quantity": name, "resource": "SOLAR", **changes}


def test_a_held_value_without_its_quality_is_a_mistake_that_says_what_to_do():
    found = mistakes(HELD)
    assert found == {
        "modbus.point[0].on_bad": (
            "dot_mw keeps showing its last value while it is bad, and nothing at unit 20 says so: add a [[modbus.point]] "
            "dot_quality of resource SOLAR there, or choose nan or exception"
        )
    }


@pytest.mark.parametrize("name", ["dot_quality", "dot_reasons"])
def test_its_quality_or_the_reasons_for_it_are_enough(name: str):
    assert mistakes(HELD, quantity(name)) == {}


@pytest.mark.parametrize(
    "beside",
    [
        quantity("dot_quality", unit_id=21),
        quantity("dot_quality", resource="BESS"),
        quantity("set_point_quality"),
        quantity("dot_age_s"),
        {"unit_id": 20, "address": 50, "quantity": "worst_quality", "plant": "delta"},
    ],
)
def test_the_quality_of_something_else_is_not(beside: dict[str, object]):
    assert mistakes(HELD, beside).keys() == REFUSED


def test_the_quality_may_be_in_a_block_of_the_same_unit():
    held = {**HELD, "address": 700}
    assert mistakes(held, blocks=({"profile": "plant", "unit_id": 20},)) == {}
    assert mistakes(held, blocks=({"profile": "plant", "unit_id": 21},)).keys() == REFUSED


@pytest.mark.parametrize(
    ("name", "flag"),
    [("latest_dop_mw", quantity("trajectory_fresh")), ("lmp_published_usd_per_mwh", quantity("lmp_fresh", table="discrete"))],
)
def test_a_flag_that_falls_with_the_value_is_enough(name: str, flag: dict[str, object]):
    assert mistakes({**HELD, "quantity": name}, flag) == {}
    assert mistakes({**HELD, "quantity": name}).keys() == REFUSED


def test_a_flag_of_a_whole_plant_tells_of_its_resources_only():
    of_plant = {"unit_id": 20, "address": 50, "quantity": "trajectories_fresh", "plant": "sierra"}
    assert mistakes({**HELD, "quantity": "latest_dop_mw"}, of_plant) == {}
    assert mistakes({**HELD, "quantity": "latest_dop_mw", "resource": "HYDRO"}, of_plant).keys() == REFUSED


def test_the_quality_of_a_price_is_that_of_its_market_and_node():
    held = {**HELD, "quantity": "lmp_active_usd_per_mwh"}
    assert mistakes(held, quantity("lmp_active_quality")) == {}
    assert mistakes(held, {"unit_id": 20, "address": 50, "quantity": "lmp_active_quality", "node": "NODE1"}) == {}
    for other in ({"market": "DAM"}, {"resource": "HYDRO"}):
        assert mistakes(held, quantity("lmp_active_quality", **other)).keys() == REFUSED


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, REFUSED),
        ({"bad_value": 100}, REFUSED),
        ({"bad_value": -0.5}, set()),
        ({"bad_value": 100.5}, set()),
        ({"resource": "HYDRO", "bad_value": -9999}, REFUSED),  # without limits any number could be a DOT
        ({"quantity": "supp_mw", "bad_value": -9999}, REFUSED),
        ({"quantity": "lmp_active_usd_per_mwh", "bad_value": -9999}, REFUSED),
        ({"quantity": "must_follow", "bad_value": 1}, REFUSED),
        ({"quantity": "must_follow", "bad_value": 2}, set()),
        ({"quantity": "dot_start", "bad_value": 0}, set()),
        ({"type": "int16", "scale": 10, "bad_value": -0.04}, REFUSED),  # all that reads as a number within the limits
        ({"type": "int16", "scale": 10, "bad_value": 100.04}, REFUSED),
        ({"type": "int16", "scale": -10, "bad_value": 100.04}, REFUSED),
        ({"type": "int16", "scale": 10, "bad_value": -0.1}, set()),
        ({"type": "int16", "bad_value": -0.4, "quantity": "trajectory_mw"}, REFUSED),
        ({"bad_value": 100.0000001}, REFUSED),
        ({"bad_value": -1e-50}, REFUSED),
        ({"quantity": "must_follow", "bad_value": 0.6}, REFUSED),
        ({"quantity": "must_follow", "bad_value": 0.4}, REFUSED),
        ({"quantity": "dot_start", "bad_value": 1_800_000_000}, REFUSED),
    ],
)
def test_a_bad_value_that_could_be_real_needs_its_quality_too(changes: dict[str, object], told: set[str]):
    assert mistakes({**ZERO, **changes}).keys() == told


@pytest.mark.parametrize("name", ["must_follow", "dot_start", "dot_age_s", "dot_quality", "dot_reasons", "trajectory_fresh"])
def test_only_megawatts_and_prices_take_a_scale(name: str):
    assert mistakes(quantity(name, type="int32", scale=10)).keys() == {"modbus.point[0].scale"}


def test_what_is_never_bad_or_falls_to_0_needs_none():
    assert mistakes(quantity("dot_quality", on_bad="hold"), quantity("dot_age_s", on_bad="hold", address=51)) == {}
    assert mistakes(quantity("must_follow", table="discrete", on_bad="hold", resource="BESS")) == {}


def test_a_misspelt_quality_is_told_once():
    assert mistakes(HELD, quantity("dot_qualty")).keys() == {"modbus.point[1].quantity"}
    assert mistakes(HELD, quantity("dot_quality", resource="SOLR")).keys() == {"modbus.point[1].resource"}


def test_another_mistake_of_the_same_unit_hides_it_not():
    assert mistakes(HELD, quantity("dot_age_s", scale=0)).keys() == {"modbus.point[0].on_bad", "modbus.point[1].scale"}


@pytest.mark.parametrize("on_bad", [{}, {"on_bad": "hold"}, {"on_bad": "value", "bad_value": 0.0}])
@pytest.mark.parametrize("profile", Profile)
def test_a_block_tells_of_every_number_that_stands_in_place_of_a_bad_value(profile: Profile, on_bad: dict[str, object]):
    register_map = read_map(installation(block=[{"profile": profile, "unit_id": 1, **on_bad}]))
    cells = [cell for span in register_map.spans for cell in span.cells]
    names = {cell.quantity.name for cell in cells}
    for cell in cells:
        if cell.form.on_bad in (OnBad.HOLD, OnBad.VALUE) and cell.quantity.told_by:
            assert names.intersection(cell.quantity.told_by), cell.quantity.name


def test_every_value_names_a_quality_of_its_own_kind():
    for one in QUANTITIES.values():
        for name in one.told_by:
            assert QUANTITIES[name].scope is one.scope or QUANTITIES[name].scope is Scope.PLANT
            assert QUANTITIES[name].told_by == ()
        is_measured = one.unit in ("MW", "$/MWh", "text") or one.name.endswith(("_start", "_end", "_target"))
        is_counted = one.name in ("instructions_in_force", "instructions_ahead", "instructions_to_answer")
        is_word = one.name in ("must_follow", "commitment", "next_commitment", "as_test")
        is_of_alarms = one.scope is Scope.ALARMS and one.name not in {*QUANTITIES["alarm_flood"].told_by, "alarms_age_s"}
        assert bool(one.told_by) == (is_measured or is_counted or is_word or is_of_alarms), one.name


def test_every_value_of_the_plant_profile_has_its_quality_beside_it():
    names = set(PLANT_RESOURCE.values())
    assert [name for name in names if QUANTITIES[name].quality not in ("", *names)] == []
    assert {slot.quantity for slot in lay_out(Profile.PLANT, 1).slots if slot.resource == 0} == names


def test_previous_and_next_dot_say_what_speaks_against_them_alone():
    gateway = Gateway(block=[{"profile": "plant", "unit_id": 11, "resources": ["SOLAR"]}])
    gateway.hear(status(300), dot(interval(0, 120.0), interval(300, 20.0), interval(600, -5.0), said_s=300))
    out_of_limits = 1 << BIT_OF[Reason.OUT_OF_LIMITS]
    known = gateway.words(300, 11, 100, 2)[1]
    assert not known & out_of_limits
    assert gateway.words(300, 11, 126, 4) == [64, known | out_of_limits] * 2


def test_the_latest_dop_has_a_quality_of_its_own():
    """A curve that begins later has a latest DOP already and no value now."""
    gateway = Gateway(block=[{"profile": "plant", "unit_id": 11, "resources": ["SOLAR"]}])
    gateway.hear(status(0), trajectory(point(200, 30.0), point(400, 40.0)))
    expired = 1 << BIT_OF[Reason.EXPIRED]
    (_, now), (_, latest) = gateway.words(0, 11, 150, 2), gateway.words(0, 11, 159, 2)
    assert now & expired
    assert not latest & expired
