"""The committed schemas and documents say what the code says, and the samples of v1 decode for ever."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
import yaml

from dotbus.contracts.channels import CHANNELS
from dotbus.contracts.codec import decode, encode
from dotbus.contracts.messages import AnyMessage
from dotbus.contracts.topics import Subject, Topics
from dotbus.testing import samples
from launcher.documents.json_schemas import kind_of
from launcher.documents.write import documents

ROOT = Path(__file__).parents[2]
V1 = ROOT / "tests/fixtures/v1"


@pytest.mark.parametrize("path", documents())
def test_a_generated_file_is_what_the_code_says(path: str):
    assert (ROOT / path).read_text(encoding="utf-8") == documents()[path], f"{path} is out of date: run `make docs`"


def test_no_schema_is_left_over():
    assert {f"schemas/{file.name}" for file in (ROOT / "schemas").glob("*.schema.json")} <= documents().keys()


def test_the_asyncapi_document_is_valid():
    schema = json.loads((ROOT / "tests/fixtures/asyncapi/asyncapi-3.0.0.schema.json").read_text(encoding="utf-8"))
    document = yaml.safe_load((ROOT / "schemas/asyncapi.yaml").read_text(encoding="utf-8"))
    jsonschema.Draft7Validator(schema).validate(document)


@pytest.mark.parametrize("message", samples.every_message(), ids=lambda message: type(message).__name__)
def test_what_is_encoded_fits_its_schema(message: AnyMessage):
    kind = json.loads(encode(message))["kind"]
    schema = json.loads((ROOT / f"schemas/{kind}.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(json.loads(encode(message)))


def test_every_subject_has_one_channel_and_every_message_one_sample():
    assert [channel.subject for channel in CHANNELS] == list(Subject)
    assert {channel.message for channel in CHANNELS} == {type(message) for message in samples.every_message()}


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.subject)
def test_a_channels_address_is_a_topic_that_reads_as_its_subject(channel):
    topic = "dotbus/v1/" + re.sub(r"{\w+}", "x", channel.address)
    address = Topics().read(topic)
    assert address is not None
    assert address.subject is channel.subject


@pytest.mark.parametrize("file", sorted(V1.glob("*.json")), ids=lambda file: file.stem)
def test_a_v1_sample_decodes_for_ever(file: Path):
    assert says_at_least(json.loads(encode(decode(file.read_bytes()))), json.loads(file.read_bytes()))


def says_at_least(now: object, before: object) -> bool:
    """Everything that was said is still said; fields may have been added."""
    match now, before:
        case dict(), dict():
            return all(key in now and says_at_least(now[key], entry) for key, entry in before.items())
        case list(), list():
            return len(now) == len(before) and all(map(says_at_least, now, before))
    return now == before


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.subject)
def test_docs_topics_says_what_each_field_of_a_message_means_and_in_which_unit(channel):
    page = (ROOT / "docs" / "topics.md").read_text(encoding="utf-8")
    section = page.split(f"\n### {kind_of(channel)}\n")[1].split("\n### ")[0]
    fields = channel.message.__struct_encode_fields__
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(fields)
    assert not re.findall(r"^\| `\w+_mw` \| (?!MW )", section, re.MULTILINE)


def test_there_is_a_v1_sample_of_every_kind():
    kinds = {json.loads(file.read_bytes())["kind"] for file in V1.glob("*.json")}
    assert kinds == {json.loads(encode(message))["kind"] for message in samples.every_message()}


def test_the_page_of_clients_shows_each_program_as_it_is_run():
    page = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
    for file in ("python/follow_plant.py", "node/follow-plant.mjs"):
        assert (ROOT / "docs" / "examples" / file).read_text(encoding="utf-8") in page
