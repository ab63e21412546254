"""What is said to Ignition is what its manual documents: the tag import of a map, and the tags that judge by its registers.

Ignition itself is not run. tests/fixtures/ignition/tags.schema.json is written from its manual.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from dotbus.runtime.installation.file import load_installation
from modbus_gateway.map.documents.rows import in_order, rows_of
from modbus_gateway.map.documents.tags import as_ignition
from modbus_gateway.map.documents.written_rows import written_rows
from modbus_gateway.map_commands import load_map

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config" / "dotbus.example.toml"
SCHEMA = json.loads((ROOT / "tests/fixtures/ignition/tags.schema.json").read_text(encoding="utf-8"))
JUDGED = json.loads((ROOT / "docs/examples/ignition/judged.json").read_text(encoding="utf-8"))
RESOURCES = [resource.id for plant in load_installation(CONFIG).plants for resource in plant.resources]
ODD_NAMES = """
environment = "production"
[[plant]]
name = "p"
[[plant.resource]]
id = "-A/B. 1"
[[plant.resource]]
id = "a(b)"
[[modbus.block]]
profile = "plant"
unit_id = 11
"""


def exported(config: Path) -> dict[str, Any]:
    installation, drafted = load_map(config)
    rows = in_order([*rows_of(drafted.register_map, installation), *written_rows(drafted.writables)])
    return dict(json.loads(as_ignition(rows, "dotbus")))


def tags_of(node: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each tag that is no folder, with its path."""
    for each in node["tags"]:
        if each["tagType"] == "Folder":
            yield from tags_of(each, f"{path}{each['name']}/")
        else:
            yield f"{path}{each['name']}", each


def test_the_tag_import_of_the_example_is_in_the_documented_form():
    jsonschema.Draft202012Validator(SCHEMA).validate(exported(CONFIG))


def test_names_that_ignition_has_no_place_for_are_changed(tmp_path: Path):
    (tmp_path / "dotbus.toml").write_text(ODD_NAMES, encoding="utf-8")
    jsonschema.Draft202012Validator(SCHEMA).validate(exported(tmp_path / "dotbus.toml"))


def test_the_form_is_one_that_something_can_miss():
    spoilt = json.loads(json.dumps(JUDGED).replace("valueSource", "value_source"))
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SCHEMA).validate(spoilt)


def test_no_two_tags_of_an_import_have_one_path():
    paths = [path.casefold() for path, _ in tags_of(exported(CONFIG))]
    assert len(paths) == len(set(paths))


def test_the_tags_that_judge_are_in_the_documented_form():
    jsonschema.Draft202012Validator(SCHEMA).validate(JUDGED)


@pytest.mark.parametrize("resource", RESOURCES)
def test_what_a_judging_tag_reads_is_in_the_folder_of_each_resource_and_its_quality_is_its_own(resource: str):
    paths = {path for path, _ in tags_of(exported(CONFIG)) if re.match(rf"unit 1[12]/{resource}/", path)}
    (folder,) = {path.rsplit("/", 1)[0] for path in paths}
    for tag in JUDGED["tags"]:
        read = set(re.findall(r"\{\[\.\]([^}]+)\}", tag["expression"]))
        value, quality = sorted(read)
        assert {f"{folder}/{name}" for name in read} <= paths
        assert value.removesuffix("_mw holding") == quality.removesuffix("_quality holding")


def judged(expression: str, value_is_good: bool, quality_is_good: bool, quality: int) -> str:  # noqa: FBT001  # a table
    """The level of a judging tag: its expression, with what it reads put in and its operators in Python's words."""
    value_ref, quality_ref = sorted(set(re.findall(r"\{\[\.\][^}]+\}", expression)))
    text = expression.replace(f"isGood({value_ref})", str(value_is_good))
    text = text.replace(f"isGood({quality_ref})", str(quality_is_good))
    text = text.replace(value_ref, "12.0").replace(quality_ref, str(quality)).replace("&&", "and").replace(" = ", " == ")
    told = {"qualifiedValue": lambda _value, level: level, "choose": lambda holds, yes, no: yes if holds else no}
    return str(eval(re.sub(r"\bif\(", "choose(", text), told))  # our own expression


@pytest.mark.parametrize("tag", JUDGED["tags"], ids=[tag["name"] for tag in JUDGED["tags"]])
@pytest.mark.parametrize(
    ("value_is_good", "quality_is_good", "quality", "level"),
    [
        (True, True, 192, "Good"),
        (True, True, 64, "Uncertain"),
        (True, True, 0, "Bad"),
        (True, True, 65535, "Bad"),
        (False, True, 192, "Bad"),
        (True, False, 192, "Bad"),
    ],
)
def test_a_judging_tag_is_as_good_as_the_quality_register_and_bad_when_the_device_does_not_answer(
    tag: Mapping[str, Any],
    value_is_good: bool,  # noqa: FBT001  # a table
    quality_is_good: bool,  # noqa: FBT001  # a table
    quality: int,
    level: str,
):
    assert judged(tag["expression"], value_is_good, quality_is_good, quality) == level
