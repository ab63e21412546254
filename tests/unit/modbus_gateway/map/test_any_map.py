"""Whatever a file says of registers: it is refused with every mistake, or served whole, with one value at each address."""

from collections import Counter

import pytest
from gateway_story import Gateway, dot, installation, interval, lmp, point, price, status, trajectory
from hypothesis import event, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Addresses, ByteOrder, OnBad, RegisterType, Table, WordOrder
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.documents.rows import places_of, rows_of
from modbus_gateway.map.documents.tags import Reader, write_tags
from modbus_gateway.map.draft import draft_map, read_map
from modbus_gateway.map.quantities import QUANTITIES
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.wire.images.image import Refusal

NAMES = st.sampled_from(["SOLAR", "BESS", "HYDRO", "NOBODY"])
NUMBERS = st.sampled_from([0.0, 1.0, -2.5, 10.0, 1e12])
PATHS = [
    "intervals[0].dot_mw",
    "intervals[0].instruction_uid",
    "heard_at",
    "reasons",
    "intervals",
    "upstreams[0].ok",
    "published",
]
QUANTITY = st.sampled_from([*QUANTITIES, "dot_wm"])
ADDRESSES = st.integers(0, 120) | st.sampled_from([65535, 40001, 30011, 10001, 400101, "000005"])
FORM = {
    "type": st.sampled_from(RegisterType),
    "length": st.integers(1, 12),
    "scale": NUMBERS,
    "offset": NUMBERS,
    "unit": st.just("kW"),
    "min": NUMBERS,
    "max": NUMBERS,
    "stale_after_s": st.sampled_from([5.0, 100.0]),
    "word_order": st.sampled_from(WordOrder),
    "byte_order": st.sampled_from(ByteOrder),
    "on_bad": st.sampled_from(OnBad),
    "bad_value": NUMBERS,
}
WHOSE = {"plant": st.sampled_from(["sierra", "delta"]), "resource": NAMES, "node": st.sampled_from(["NODE1", "NODE9"])}
FIELD = {
    "topic": st.sampled_from(["dot", "trajectory", "instructions", "lmp", "service"]),
    "path": st.sampled_from(PATHS),
    "shows": st.sampled_from(["value", "quality", "reasons"]),
    "service": st.just("ads_ingest"),
    "instance": st.just("a"),
}
LINE = st.fixed_dictionaries(
    {"address": ADDRESSES}, optional={"table": st.sampled_from(Table), "quantity": QUANTITY, **WHOSE, **FIELD, **FORM}
)
PLAUSIBLE = st.fixed_dictionaries(
    {"address": ADDRESSES, "quantity": QUANTITY, "resource": st.just("BESS")},
    optional={"table": st.sampled_from(Table), **FORM},
) | st.fixed_dictionaries(
    {"address": ADDRESSES, "topic": st.just("dot"), "path": st.sampled_from(PATHS), "resource": st.just("SOLAR")},
    optional={"length": st.integers(1, 12), "type": st.sampled_from(RegisterType), "on_bad": st.just("nan")},
)
UNIT = {"unit_id": st.sampled_from([0, 1, 20])}
POINT = st.builds(lambda line, unit: {**line, **unit}, LINE | PLAUSIBLE, st.fixed_dictionaries(UNIT))
FORM_OF_CHANGE = {name: value for name, value in FORM.items() if name != "length"}
CHANGE = st.fixed_dictionaries(
    {"quantity": QUANTITY},
    optional={
        "resource": NAMES,
        "table": st.sampled_from(Table),
        "remove": st.booleans(),
        "address": ADDRESSES,
        **FORM_OF_CHANGE,
    },
)
BLOCK = st.fixed_dictionaries(
    {"profile": st.sampled_from(["plant", "classic"]), **UNIT},
    optional={
        "address": st.sampled_from([0, 500, 40001, 30001]),
        "plants": st.just(["sierra"]),
        "resources": st.lists(NAMES | st.just(""), min_size=1, max_size=3),
        "tables": st.lists(st.sampled_from(Table), min_size=1, max_size=4),
        "on_bad": st.sampled_from(["hold", "nan", "exception"]),
        "change": st.lists(CHANGE, max_size=3),
        "add": st.lists(LINE | PLAUSIBLE, max_size=2),
    },
)
MODBUS = st.fixed_dictionaries(
    {"block": st.lists(BLOCK, max_size=2), "point": st.lists(POINT, max_size=4)},
    optional={"addresses": st.sampled_from(Addresses), "alias_of": st.sampled_from([1, 20])},
)


def accepted(modbus: dict[str, object]) -> Installation | None:
    """The installation with such a map, None when the check refuses it."""
    try:
        place = installation(**modbus)
    except ValidationError:
        event("not of the form")
        return None
    _, mistakes = draft_map(InstallationFile(place, "plant.toml"))
    event("refused" if mistakes else "accepted")
    return None if mistakes else place


def assert_one_value_at_each_address(register_map: RegisterMap) -> None:
    taken = Counter(
        (unit_id, table, cell.address + i)
        for unit_id, table, cell in places_of(register_map)
        for i in range(cell.form.registers)
    )
    assert [place for place, count in taken.items() if count > 1] == []
    assert all(0 <= address < 65536 for _, _, address in taken)


@settings(max_examples=250)
@given(MODBUS)
def test_any_map_is_refused_or_served_whole(modbus):
    place = accepted(modbus)
    if place is None:
        return
    register_map = read_map(place)
    assert_one_value_at_each_address(register_map)
    assert all(0 < number < 0x7FFF_FFFF for number in register_map.hashes.values())
    gateway = Gateway(**modbus)
    gateway.hear(status(0), dot(interval(0, 12.5)), trajectory(point(0, 1.0), point(600, 2.0)), lmp(price(0, 30.0)))
    image = gateway.render(1)
    for unit_id, table, cell in places_of(register_map):
        read = image.read_bits if table.has_bits else image.read_registers
        assert read(unit_id, cell.address, cell.form.registers, table) not in (Refusal.ADDRESS, Refusal.NO_SUCH_UNIT)
    rows = rows_of(register_map, place)
    assert all(write_tags(rows, reader, "d", "h", 502) or not rows for reader in Reader)


def test_the_same_file_is_refused_with_the_same_words_by_everybody():
    place = installation(block=[{"profile": "plant", "unit_id": 1, "change": [{"quantity": "dot_wm", "type": "int16"}]}])
    _, mistakes = draft_map(InstallationFile(place, "dotbus.toml"))
    with pytest.raises(ConfigurationRefused) as refused:
        read_map(place)
    assert list(refused.value.mistakes) == mistakes
