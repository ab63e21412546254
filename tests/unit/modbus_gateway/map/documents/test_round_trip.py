"""Any legal map comes back from its CSV as it was: what is read, what SCADA writes, in every table, form and notation."""

import tomllib
from dataclasses import replace

import pytest
from gateway_story import installation
from hypothesis import event, given, settings
from hypothesis import strategies as st

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Addresses, Table, WordOrder
from modbus_gateway.map.documents.document import as_csv
from modbus_gateway.map.documents.imports import import_lines
from modbus_gateway.map.documents.rows import SEVERAL, in_order, joined, parted, places_of, rows_of
from modbus_gateway.map.documents.written_rows import written_rows
from modbus_gateway.map.draft import Draft, draft
from modbus_gateway.map.quantities import QUANTITIES, Scope
from modbus_gateway.map.register_map import Cell, RegisterMap

ORDERS = st.sampled_from(["big", "little"])
KINDS = st.sampled_from(["float32", "float64", "int16", "int32", "int64", "uint32", "uint64"])
TABLES = st.sampled_from(["holding", "input"])
RESOURCES = st.sampled_from(["SOLAR", "BESS", "HYDRO"])
SEVERAL_RESOURCES = st.lists(RESOURCES, min_size=1, max_size=3, unique=True)
UNITS = st.sampled_from([1, 7, 20])
ROOM = 100
"""Addresses that each line may take; an answer block with most places takes more, and is given few."""
BY_SCOPE = {scope: [one for one in QUANTITIES.values() if one.scope is scope] for scope in Scope}
WRITERS = st.fixed_dictionaries(
    {},
    optional={
        "roles": st.lists(st.sampled_from(["operator", "b + c", "[x", "Ω"]), min_size=1, max_size=3, unique=True),
        "allow_from": st.lists(st.sampled_from(["10.0.0.0/8", "192.168.1.9", "fd00::/8"]), min_size=1, max_size=2),
    },
)


@st.composite
def quantities(draw: st.DrawFn) -> dict[str, object]:
    scope = draw(st.sampled_from([one for one in Scope if BY_SCOPE[one]]))
    quantity = draw(st.sampled_from(BY_SCOPE[scope]))
    line: dict[str, object] = {"quantity": quantity.name, "table": draw(TABLES)}
    match scope:
        case Scope.PLANT:
            line |= draw(
                st.fixed_dictionaries({"plant": st.just("sierra")}) | st.fixed_dictionaries({"resources": SEVERAL_RESOURCES})
            )
        case Scope.ALARMS:
            line["plant"] = draw(st.sampled_from(["sierra", "delta", "installation"]))
        case Scope.RESOURCE | Scope.TOGETHER:
            line["resource"] = draw(RESOURCES)
        case Scope.PRICE:
            line["node"] = "NODE1"
    if quantity.is_flag and draw(st.booleans()):
        return {**line, "table": draw(st.sampled_from(["coil", "discrete"]))}
    line |= {"word_order": draw(ORDERS), "byte_order": draw(ORDERS)}
    if quantity.is_measured:
        line |= draw(
            st.fixed_dictionaries(
                {},
                optional={
                    "type": KINDS,
                    "scale": st.sampled_from([1.0, 10.0, -2.5]),
                    "offset": st.sampled_from([0.5, -40.0]),
                    "unit": st.sampled_from(["100 kW", 'a "quoted"; Ω']),
                    "min": st.just(-5.0),
                    "max": st.just(9.5),
                    "on_bad": st.sampled_from(["nan", "exception"]),
                },
            )
        )
    return line


FIELDS = st.fixed_dictionaries(
    {
        "topic": st.just("dot"),
        "path": st.just("intervals[0].instruction_uid"),
        "resource": RESOURCES,
        "length": st.integers(1, 20),
        "byte_order": ORDERS,
        "table": TABLES,
    }
)
NUMBERS_WRITTEN = st.fixed_dictionaries(
    {"expires_after_s": st.sampled_from([0.5, 30.0])},
    optional={
        "type": KINDS,
        "scale": st.sampled_from([10.0, -2.5]),
        "offset": st.just(0.5),
        "min": st.just(-50.0),
        "max": st.just(50.0),
        "word_order": ORDERS,
        "byte_order": ORDERS,
        "quality": st.booleans(),
        "commit": st.booleans(),
    },
)
SWITCHES_WRITTEN = st.fixed_dictionaries(
    {"table": st.sampled_from(["coil", "holding"])},
    optional={"quality": st.booleans(), "commit": st.booleans(), "expires_after_s": st.just(9.0)},
)
COMMITS = st.fixed_dictionaries({"watchdog_s": st.sampled_from([5.0, 60.0])}, optional={"commit_within_s": st.just(12.5)})
ANSWERS = st.fixed_dictionaries({}, optional={"places": st.integers(1, 5), "reply_within_s": st.just(12.5)})


@st.composite
def maps(draw: st.DrawFn) -> dict[str, object]:
    """Lines that stand beside each other without an overlap; what is refused all the same is passed over."""
    unit, place = draw(UNITS), iter(range(1000, 60000, ROOM))

    def placed(lines: list[dict[str, object]]) -> list[dict[str, object]]:
        return [{**line, "unit_id": unit, "address": next(place)} for line in lines]

    writes = [
        {**draw(NUMBERS_WRITTEN), **draw(WRITERS), "resource": "BESS", "point": name}
        for name in draw(st.lists(st.sampled_from(["actual_mw", "available_mw", "tap_position"]), unique=True, max_size=3))
    ]
    writes += [
        {**draw(SWITCHES_WRITTEN), **draw(WRITERS), "resource": draw(RESOURCES), "point": name}
        for name in draw(st.lists(st.sampled_from(["breaker_closed", "agc_on"]), unique=True, max_size=2))
    ]
    blocks = draw(st.lists(st.sampled_from(["plant", "classic"]), max_size=1))
    return {
        "allow_writes_from": draw(st.sampled_from([[], ["10.20.0.0/24", "10.30.0.1"]])),
        "block": [{"profile": one, "unit_id": unit, "resources": draw(SEVERAL_RESOURCES)} for one in blocks],
        "point": placed(draw(st.lists(quantities() | FIELDS, max_size=4))),
        "write": placed(writes),
        "commit": placed([{**draw(COMMITS), **draw(WRITERS)}]) if writes else [],
        "answer": placed(
            [{**draw(ANSWERS), **draw(WRITERS), "resource": draw(RESOURCES)} for _ in range(draw(st.integers(0, 2)))]
        ),
        "alias_of": unit,
    }


def drafted(**modbus: object) -> tuple[Installation, Draft]:
    place = installation(**modbus)
    return place, draft(InstallationFile(place, "dotbus.toml"))


def csv_of(place: Installation, one: Draft) -> str:
    return as_csv(in_order([*rows_of(one.register_map, place), *written_rows(one.writables)]))


def cells(register_map: RegisterMap) -> dict[tuple[int, Table, int], Cell]:
    return {(unit_id, table, cell.address): as_read(cell) for unit_id, table, cell in places_of(register_map)}


def as_read(cell: Cell) -> Cell:
    """Without what nothing is read from: the order of words of one register or bit, prices beside a flag of trajectories."""
    form = cell.form if cell.form.registers > 1 and not cell.form.length else replace(cell.form, word_order=WordOrder.BIG)
    about = replace(cell.about, prices=()) if cell.quantity.name in ("dots_fresh", "trajectories_fresh") else cell.about
    return replace(cell, form=form, about=about)


@settings(max_examples=150, deadline=None)
@given(maps(), st.sampled_from(Addresses))
def test_any_legal_map_comes_back_from_its_csv_as_it_was(modbus, notation):
    place, before = drafted(**modbus)
    event("refused" if before.mistakes else "legal")
    if before.mistakes:
        return
    toml, mistakes = import_lines(csv_of(place, before), "map.csv", notation)
    assert mistakes == []
    read = tomllib.loads(toml).get("modbus", {})
    after_place, after = drafted(addresses=notation, alias_of=modbus["alias_of"] if read else None, **read)
    assert after.mistakes == []
    assert cells(after.register_map) == cells(before.register_map)
    assert sorted(after.writables.entries()) == sorted(before.writables.entries())
    assert set(after.writables.points) == set(before.writables.points)
    assert set(after.writables.commits) == set(before.writables.commits)
    assert set(after.writables.answers) == set(before.writables.answers)
    assert csv_of(after_place, after) == csv_of(place, before)


WRITE = {"unit_id": 1, "address": 100, "resource": "BESS", "point": "actual_mw", "quality": True, "expires_after_s": 5.0}
COMMIT = {"unit_id": 1, "address": 200}


def told(text: str) -> list[str]:
    return [str(mistake) for mistake in import_lines(text, "map.csv")[1]]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (",102,103,", ",103,104,", "address: is 103, and by the value of its point it is 102"),
        (",200,201,", ",300,301,", "address: is 201, and by its 'sequence' it is 301"),
        ("commit,sequence", "commit,sequenze", "is of a commit that has no line: its 'sequence' is missing"),
        (",true,", ",yes,", "quality: 'yes' is neither true nor false"),
        (",5.0,", ",soon,", "expires_after_s: 'soon' is no number"),
        ("commit,heartbeat", "commit,heart", "point: is no value of it"),
        ("read,commit,", "read,comit,", "part: 'comit' is none of write, commit, answer; did you mean 'commit'?"),
    ],
)
def test_a_row_that_its_table_does_not_make_is_told_with_its_line(before, after, expected):
    text = csv_of(*drafted(write=[WRITE], commit=[COMMIT], allow_writes_from=["10.0.0.1"]))
    assert told(text) == []
    assert before in text
    mistakes = told(text.replace(before, after, 1))
    assert any(expected in one for one in mistakes), mistakes
    assert all("(line " in one for one in mistakes)


def test_two_lines_that_write_at_one_address_are_told_with_the_other_line():
    columns = "part,unit_id,address,resource,point,expires_after_s\n"
    (mistake,) = told(f"{columns}write,1,100,BESS,actual_mw,5\nwrite,1,101,BESS,available_mw,5\n")
    assert "overlaps with what line 2 has there (line 3, BESS)" in mistake


@given(st.lists(st.text(min_size=1), min_size=1) | st.just([f"a{SEVERAL}b"]) | st.just(["[1]"]))
def test_names_that_stand_in_one_text_come_apart_as_they_were(names):
    assert parted(joined(names)) == names
