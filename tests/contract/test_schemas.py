"""Schemas, docs and codec say one thing: what a schema demands the codec demands, and each field is explained and bounded."""

import json
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
import yaml

from dotbus.contracts.channels import CHANNELS
from dotbus.contracts.codec import UndecodableMessage, decode, encode
from dotbus.contracts.topics import EVENTS
from dotbus.testing import samples
from launcher.documents.json_schemas import descriptions, kind_of

ROOT = Path(__file__).parents[2]
MESSAGES = {json.loads(encode(message))["kind"]: json.loads(encode(message)) for message in samples.every_message()}
SCHEMAS = {
    kind: json.loads((ROOT / f"schemas/{kind}.schema.json").read_text(encoding="utf-8"))
    for kind in (kind_of(channel) for channel in CHANNELS)
}
ASYNCAPI = yaml.safe_load((ROOT / "schemas/asyncapi.yaml").read_text(encoding="utf-8"))
TOPICS_DOCUMENT = (ROOT / "docs/topics.md").read_text(encoding="utf-8")

by_kind = pytest.mark.parametrize("kind", SCHEMAS)


def objects(kind: str) -> Iterator[tuple[str, dict]]:
    """Every type of a schema that has properties."""
    for name, schema in SCHEMAS[kind]["$defs"].items():
        if "properties" in schema:
            yield name, schema


def properties(kind: str) -> Iterator[tuple[str, dict]]:
    for name, schema in objects(kind):
        for field, part in schema["properties"].items():
            yield f"{name}.{field}", part


def parts(schema: object) -> Iterator[dict]:
    """A schema and every schema in it."""
    if isinstance(schema, dict):
        yield schema
        for part in schema.values():
            yield from parts(part)
    if isinstance(schema, list):
        for part in schema:
            yield from parts(part)


def own(kind: str) -> dict:
    """The part of a schema that is of the message itself."""
    return SCHEMAS[kind]["$defs"][SCHEMAS[kind]["title"]]


@by_kind
def test_every_field_says_what_it_means(kind: str):
    assert [place for place, part in properties(kind) if not part.get("description", "").strip()] == []
    assert [name for name, schema in SCHEMAS[kind]["$defs"].items() if not schema["description"]] == []


def test_no_docstring_speaks_of_a_field_that_is_none():
    for channel in CHANNELS:
        assert set(descriptions(channel.message)) == {*channel.message.__struct_fields__, "kind"}


@by_kind
def test_every_whole_number_has_bounds_that_a_database_can_keep(kind: str):
    for place, schema in properties(kind):
        for part in parts(schema):
            if part.get("type") == "integer":
                assert -(2**63) <= part["minimum"] < part["maximum"] <= 2**63 - 1, place


@by_kind
def test_a_default_lies_within_its_own_bounds(kind: str):
    for place, schema in properties(kind):
        if "default" in schema:
            whole = {**schema, "$defs": SCHEMAS[kind]["$defs"]}
            assert list(jsonschema.Draft202012Validator(whole).iter_errors(schema["default"])) == [], place


@by_kind
def test_the_version_is_checked(kind: str):
    assert own(kind)["properties"]["version"]["const"] == 1
    assert "version" in own(kind)["required"]


@pytest.mark.parametrize("kind", [kind_of(channel) for channel in CHANNELS if channel.subject in EVENTS])
def test_an_event_must_have_its_stream_and_number(kind: str):
    assert {"stream", "seq", "id"} <= set(own(kind)["required"])


@by_kind
def test_what_a_schema_requires_the_codec_requires_and_names(kind: str):
    for field in own(kind)["required"]:
        lacking = {name: value for name, value in MESSAGES[kind].items() if name != field}
        with pytest.raises(UndecodableMessage, match=field):
            decode(json.dumps(lacking).encode())


@by_kind
def test_what_a_schema_does_not_require_the_codec_does_without(kind: str):
    for field in set(MESSAGES[kind]) - set(own(kind)["required"]):
        lacking = {name: value for name, value in MESSAGES[kind].items() if name != field}
        assert list(jsonschema.Draft202012Validator(SCHEMAS[kind]).iter_errors(lacking)) == []
        decode(json.dumps(lacking).encode())


@by_kind
def test_a_field_of_another_type_is_refused_by_both_and_named(kind: str):
    for field in MESSAGES[kind]:
        wrong = MESSAGES[kind] | {field: {"neither": {"number": "nor text"}}}
        if field == "cursors":
            wrong[field] = {"dispatch": 1}
        assert not jsonschema.Draft202012Validator(SCHEMAS[kind]).is_valid(wrong), field
        with pytest.raises(UndecodableMessage, match=field):
            decode(json.dumps(wrong).encode())


def test_every_reference_of_the_asyncapi_document_leads_somewhere():
    for part in parts(ASYNCAPI):
        if isinstance(reference := part.get("$ref"), str):
            found = ASYNCAPI
            for step in reference.removeprefix("#/").split("/"):
                found = found[step]
            assert found


def test_every_example_of_the_asyncapi_document_fits_its_schema():
    for name, message in ASYNCAPI["components"]["messages"].items():
        schema = {**message["payload"], "components": ASYNCAPI["components"]}
        for example in message["examples"]:
            assert list(jsonschema.Draft202012Validator(schema).iter_errors(example["payload"])) == [], name


@pytest.mark.parametrize("channel", CHANNELS, ids=kind_of)
def test_every_operation_says_how_mqtt_carries_it_and_where_a_command_is_answered(channel):
    kind = kind_of(channel)
    of_channel = [one for one in ASYNCAPI["operations"].values() if one["channel"]["$ref"] == f"#/channels/{kind}"]
    assert len(of_channel) == len(channel.said_by) + len(channel.heard_by)
    for operation in of_channel:
        binding = operation["bindings"]["mqtt"]
        assert binding["qos"] == 1
        assert binding.get("retain") == (channel.retained if operation["action"] == "send" else None)
        answered = operation.get("reply", {}).get("channel", {}).get("$ref")
        assert answered == (f"#/channels/{kind_of(answer_to(channel))}" if channel.reply else None)


def answer_to(channel):
    return next(answer for answer in CHANNELS if answer.subject is channel.reply)


def test_every_command_that_has_an_answer_names_it():
    answers = {channel.reply for channel in CHANNELS if channel.reply}
    assert answers == {channel.subject for channel in CHANNELS if channel.subject.endswith("/reply")}


def test_there_are_servers_and_whoever_connects_has_a_name():
    assert {server["protocol"] for server in ASYNCAPI["servers"].values()} == {"mqtt", "secure-mqtt"}
    assert all(server["security"] for server in ASYNCAPI["servers"].values())


@pytest.mark.parametrize("name", ["plant_seq", "market_seq", "seq"])
def test_the_document_tells_a_subscriber_which_number_to_count_by(name: str):
    assert f"| `{name}` |" in TOPICS_DOCUMENT
