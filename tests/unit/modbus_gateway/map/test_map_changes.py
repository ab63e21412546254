"""What one map in place of another would make SCADA read elsewhere."""

from gateway_story import INSTALLATION, installation

from dotbus.runtime.installation.installation import Installation
from modbus_gateway.map.changes import Change, changes_between
from modbus_gateway.map.draft import read_map
from modbus_gateway.map.register_map import SERVED

PLANT = {"profile": "plant", "unit_id": 11}
POINT = {"unit_id": 20, "address": 8, "quantity": "dot_mw", "resource": "BESS"}


def changes(before: dict[str, object], after: dict[str, object]) -> list[Change]:
    return changes_between(read_map(installation(**before)), read_map(installation(**after)))


def test_the_same_map_has_no_changes():
    assert changes({"block": [PLANT]}, {"block": [PLANT], "stale_after_s": 30.0}) == []


def test_taking_a_resource_out_of_the_file_tells_where_the_others_go():
    sold = [{"name": "sierra", "resource": [{"id": "BESS", "node": "NODE1"}]}, INSTALLATION["plant"][1]]
    after = read_map(Installation.model_validate({**INSTALLATION, "plant": sold, "modbus": {"block": [PLANT]}}))
    found = {change.address: str(change) for change in changes_between(read_map(installation(block=[PLANT])), after)}
    assert found[102] == (
        "unit 11, holding 102: dot_mw SOLAR float32 big nan (served no more) -> dot_mw BESS float32 big nan (before at 202)"
    )
    assert found[302] == (
        "unit 11, holding 302: dot_mw HYDRO float32 big nan (now at 202) -> dot_mw PUMP float32 big nan (before at 402)"
    )
    assert found[402] == "unit 11, holding 402: dot_mw PUMP float32 big nan (now at 302) -> nothing"
    assert 4 in found, "resource_count counts others"
    assert 1 not in found


def test_a_resource_that_becomes_variable_has_another_must_follow():
    sierra, delta = INSTALLATION["plant"]
    turned = [{**one, "variable": not one.get("variable", False)} if one["id"] == "BESS" else one for one in sierra["resource"]]
    given = {**INSTALLATION, "plant": [{**sierra, "resource": turned}, delta], "modbus": {"block": [PLANT]}}
    found = changes_between(read_map(installation(block=[PLANT])), read_map(Installation.model_validate(given)))
    assert [("must_follow" in str(change), "BESS" in str(change)) for change in found] == [(True, True)]


def test_a_free_place_in_its_stead_moves_nobody():
    names = ["SOLAR", "BESS", "HYDRO", "PUMP"]
    found = changes({"block": [{**PLANT, "resources": names}]}, {"block": [{**PLANT, "resources": ["", *names[1:]]}]})
    assert all(change.after is None for change in found if change.address >= 100)
    assert not any(change.goes_to or change.comes_from for change in found)


def test_a_value_in_another_form_is_told_with_both():
    quality = {**POINT, "address": 4, "quantity": "dot_quality"}
    (found,) = changes({"point": [POINT, quality]}, {"point": [{**POINT, "word_order": "little", "on_bad": "hold"}, quality]})
    assert str(found) == "unit 20, holding 8: dot_mw BESS float32 big nan -> dot_mw BESS float32 little hold"


def test_what_is_served_no_more_is_a_change_although_nothing_stands_there():
    """A request that reads across it would be refused."""
    found = changes({"block": [{**PLANT, "resources": ["SOLAR", ""]}]}, {"block": [{**PLANT, "resources": ["SOLAR"]}]})
    assert [str(change) for change in found] == [
        f"unit 11, holding 0: {SERVED} 300 registers -> {SERVED} 200 registers",
        f"unit 11, input 0: {SERVED} 300 as holding -> {SERVED} 200 as holding",
    ]


def test_a_unit_that_is_new_or_gone_is_told_address_by_address():
    (one, served) = changes({"point": []} | {"block": [PLANT]}, {"block": [PLANT], "point": [POINT]})
    assert {str(one), str(served)} == {
        "unit 20, holding 8: nothing -> dot_mw BESS float32 big nan (new)",
        f"unit 20, holding 8: nothing -> {SERVED} 2 registers (new)",
    }


def test_a_value_that_stands_twice_moves_once():
    there, again, moved = POINT, {**POINT, "address": 20}, {**POINT, "address": 30}
    found = {change.address: change for change in changes({"point": [there, again]}, {"point": [there, moved]})}
    assert found.keys() == {20, 30}
    assert (found[20].goes_to, found[30].comes_from) == (30, 20)
