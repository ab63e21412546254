"""At which line of dotbus.toml a mistake is."""

import tomllib
from pathlib import Path

from dotbus.runtime.installation.file import read_installation
from dotbus.runtime.installation.lines import lines_of, nearest_of
from dotbus.runtime.settings.mistakes import key_of

EXAMPLE = Path(__file__).parents[4] / "config" / "dotbus.example.toml"
TEXT = '''environment = "simulator"
note = """
[[plant]]
id = 3
"""

[[plant]]
name = "a"
[[plant.resource]] # the first
id = "R1"
[[plant.resource]]
  "id" = "R2"
[[plant]]
name = "b"
[[plant.resource]]
id = "R3"
[prices]
nodes = [
  "N1",
  "N2",
]
[modbus]
[[modbus.block]]
unit_id = 1
[[modbus.block.change]]
quantity = "dot_mw"
'''


def test_each_key_has_its_line_also_in_lists_within_lists():
    lines = lines_of(TEXT)
    places = {"environment": 1, "plant[0].name": 8, "plant[0].resource[1].id": 12, "plant[1].resource[0].id": 16}
    places |= {"modbus.block[0].change[0].quantity": 26, "prices.nodes": 18, "modbus.block[0]": 23}
    assert {key: lines[key] for key in places} == places
    assert "id" not in lines, "what lies in a text is no key"


def test_what_has_no_line_of_its_own_has_that_of_the_nearest_around_it():
    lines = lines_of(TEXT)
    assert nearest_of("prices.nodes[1]", lines) == 18
    assert nearest_of("modbus.block[0].change[0].type", lines) == 25
    assert nearest_of("modbus.points", lines) == 22
    assert nearest_of("nowhere.at.all", lines) is None
    assert nearest_of("", lines) is None


def test_every_key_of_the_example_has_a_line_that_names_it():
    text = EXAMPLE.read_text()
    lines, written = lines_of(text), text.splitlines()

    def places(value: object, at: tuple[int | str, ...]) -> list[tuple[int | str, ...]]:
        inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        return [at, *(place for name, one in inner for place in places(one, (*at, name)))]

    known = [at for at in places(tomllib.loads(text), ()) if at and isinstance(at[-1], str)]
    assert all(at[-1] in written[lines[key_of(at)] - 1] for at in known)


def test_a_refused_file_names_the_line(tmp_path: Path):
    path = tmp_path / "dotbus.toml"
    path.write_text('environment = "simulator"\n[[plant]]\nname = "a"\n[[plant.resource]]\nid = "R1"\npmin_mw = "low"\n')
    assert [str(mistake) for mistake in read_installation(path).mistakes] == [
        f"{path}: plant[0].resource[0].pmin_mw: must be a valid number (line 6, plant a, resource R1)"
    ]
