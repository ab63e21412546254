"""Documents made from the code: JSON Schemas, the AsyncAPI document, the topic table. `make docs` writes them.

They are committed, so that a change of the contract shows as a change of a file that people and machines read; a test fails
when code and files differ.
"""

import inspect
import json
import re
import textwrap
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import yaml

from dotbus.contracts.channels import CHANNELS, Channel
from dotbus.contracts.codec import encode
from dotbus.contracts.quality import BIT_OF, LEVEL_OF
from dotbus.contracts.topics import DEFAULT_ROOT
from dotbus.runtime.installation_file import load_installation
from dotbus.testing import samples
from launcher.fault_table import load_record, render_faults
from modbus_gateway.register_table import render_markdown

ROOT = Path(__file__).parent.parent
EXAMPLE = "config/dotbus.example.toml"
SCHEMA_DIALECT = "https://json-schema.org/draft/2020-12/schema"
Json = dict[str, Any]


def documents() -> dict[str, str]:
    """Every generated file, by its path in the repository."""
    makers: dict[str, Callable[[], str]] = {
        "schemas/asyncapi.yaml": asyncapi_yaml,
        "docs/topics.md": topics_markdown,
        "docs/registers.md": lambda: render_markdown(load_installation(ROOT / EXAMPLE), render_faults(load_record())),
    }
    files = {path: make() for path, make in makers.items()}
    return files | {f"schemas/{_kind(channel)}.schema.json": schema_json(channel) for channel in CHANNELS}


def write_documents(root: Path) -> list[str]:
    """Write every generated file below `root`. Returns the paths of those that changed."""
    changed = []
    for path, content in documents().items():
        file = root / path
        if not file.exists() or file.read_text(encoding="utf-8") != content:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content, encoding="utf-8")
            changed.append(path)
    return changed


def schema_json(channel: Channel) -> str:
    """The JSON Schema of one message, complete in itself."""
    schema = _dedented(msgspec.json.schema(channel.message))
    head = {"$schema": SCHEMA_DIALECT, "title": channel.message.__name__, "description": _summary(channel)}
    return json.dumps(head | schema, indent=2, sort_keys=False) + "\n"


def _dedented(schema: Json) -> Json:
    """A schema whose descriptions do not show how the code is indented: Python 3.13 strips docstrings, 3.12 does not."""
    return {
        key: _dedented(part)
        if isinstance(part, dict)
        else inspect.cleandoc(part)
        if key == "description" and isinstance(part, str)
        else part
        for key, part in schema.items()
    }


def asyncapi_yaml() -> str:
    """The AsyncAPI 3 document of all channels."""
    _, schemas = msgspec.json.schema_components(
        [channel.message for channel in CHANNELS], ref_template="#/components/schemas/{name}"
    )
    document = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "dotbus",
            "version": version("dotbus"),
            "description": "CAISO dispatch and prices on MQTT. Generated from the code by `make docs`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {_kind(channel): _channel(channel) for channel in CHANNELS},
        "operations": {name: operation for channel in CHANNELS for name, operation in _operations(channel).items()},
        "components": {
            "messages": {_kind(channel): _message(channel) for channel in CHANNELS},
            "schemas": _dedented(schemas),
        },
    }
    return yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)


def _channel(channel: Channel) -> Json:
    return {
        "address": f"{DEFAULT_ROOT}/{channel.address}",
        "summary": channel.says,
        "description": f"{channel.kind}, QoS 1, {'retained' if channel.retained else 'not retained'}",
        "parameters": {name: {"description": _PARAMETERS[name]} for name in re.findall(r"{(\w+)}", channel.address)},
        "messages": {_kind(channel): {"$ref": f"#/components/messages/{_kind(channel)}"}},
    }


_PARAMETERS = {
    "plant": "a plant of the configuration, or `unassigned`",
    "resource": "the resource by CAISO's Master File name, percent-encoded where MQTT forbids a character",
    "market": "DAM, HASP, RTPD or RTM",
    "node": "the pricing node by CAISO's name, percent-encoded where MQTT forbids a character",
    "service": "ads_ingest, lmp_ingest, modbus_gateway or historian",
    "instance": "the instance's configured name",
}


def _operations(channel: Channel) -> dict[str, Json]:
    reference = {"$ref": f"#/channels/{_kind(channel)}"}
    says = {f"{service}.sends.{_kind(channel)}": {"action": "send", "channel": reference} for service in channel.said_by}
    hears = {
        f"{service}.receives.{_kind(channel)}": {"action": "receive", "channel": reference} for service in channel.heard_by
    }
    return says | hears


def _message(channel: Channel) -> Json:
    sample = next(message for message in samples.every_message() if isinstance(message, channel.message))
    return {
        "name": channel.message.__name__,
        "summary": _summary(channel),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{channel.message.__name__}"},
        "examples": [{"payload": json.loads(encode(sample))}],
    }


def topics_markdown() -> str:
    """docs/topics.md."""
    return "\n".join([_HEAD, *_topic_table(), _AFTER_TABLE, *_quality_table(), _SAMPLES_HEAD, *_samples()]) + "\n"


def _topic_table() -> list[str]:
    rows = ["| topic | kind | retained | message | said by | says |", "| --- | --- | --- | --- | --- | --- |"]
    for channel in CHANNELS:
        cells = (
            f"`{channel.address}`",
            channel.kind,
            "yes" if channel.retained else "no",
            f"[{channel.message.__name__}](../schemas/{_kind(channel)}.schema.json)",
            ", ".join(channel.said_by) or "nobody yet",
            channel.says,
        )
        rows.append(f"| {' | '.join(cells)} |")
    return rows


def _quality_table() -> list[str]:
    rows = ["| reason | bit | level |", "| --- | --- | --- |"]
    rows += [f"| {reason} | {bit} | {LEVEL_OF[reason].name.lower()} ({LEVEL_OF[reason]}) |" for reason, bit in BIT_OF.items()]
    return rows


def _samples() -> list[str]:
    return [
        f"### {_kind(channel)}\n\n{_summary(channel)}\n\n```json\n{_pretty(message)}\n```\n"
        for channel in CHANNELS
        for message in samples.every_message()
        if isinstance(message, channel.message)
    ]


def _pretty(message: msgspec.Struct) -> str:
    return msgspec.json.format(encode(message), indent=2).decode()  # type: ignore[arg-type]  # every sample is a message


def _kind(channel: Channel) -> str:
    kind: str = channel.message.__struct_config__.tag  # type: ignore[assignment]  # every message has a tag
    return kind


def _summary(channel: Channel) -> str:
    return " ".join(textwrap.dedent(channel.message.__doc__ or "").split("\n\n")[0].split())


_HEAD = f"""# Topics

Generated from the code by `make docs`; [asyncapi.yaml](../schemas/asyncapi.yaml) says the same to machines.

Every topic begins with the configured root, `{DEFAULT_ROOT}` unless `topic_root` says otherwise. Messages are JSON at QoS 1.
**Events** are facts: numbered, never retained, kept by the historian. **State** is the last word on one thing: retained.
**Commands** ask a service for something and are answered on their reply topic. A plant's access is one line:
`{DEFAULT_ROOT}/plant/PLANT/#`. A resource that no plant claims is published under plant `unassigned`.
"""
_AFTER_TABLE = """
- Every message says its `version` (1), `environment` (production, stage or simulator), `source` (SERVICE/INSTANCE) and `time`.
- Events also say their stable `id`, and `seq`: without gaps within `stream`, so that a subscriber can tell that it missed one
  and ask for it on the source's `replay` topic. The same event may come more than once; its `id` does not change.
- Quantities end in their unit, times are UTC with Z, absent is null, never 0. Readers ignore fields that they do not know.
  An unknown `version` is refused.
- Names are percent-encoded where MQTT forbids a character (`/`, `+`, `#`, `%` and control characters).

## Quality

A value that dotbus serves has an OPC quality, good (192), uncertain (64) or bad (0), and every reason for it. How a subscriber
judges a state by itself, with test vectors, is in [quality.md](quality.md).
"""
_SAMPLES_HEAD = """
## Samples
"""


if __name__ == "__main__":
    for changed_path in write_documents(ROOT):
        print(f"wrote {changed_path}")  # noqa: T201  # a build step says what it did
