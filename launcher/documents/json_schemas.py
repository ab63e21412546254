"""JSON Schemas of the messages and of what commands print, from their types and the `Attributes` of their docstrings."""

import inspect
import json
import re
from typing import Any

import msgspec

from dotbus.contracts import messages
from dotbus.contracts.channels import CHANNELS, Channel
from dotbus.contracts.codec import required_besides
from launcher.look import health
from launcher.setup.online import answers

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Json = dict[str, Any]

_ATTRIBUTES = re.compile(r"\n\nAttributes:\n(?P<lines>(?:    .*(?:\n|$))+)")
_ATTRIBUTE = re.compile(r"^    (?P<name>\w+): (?P<text>.*(?:\n {5,}.*)*)", re.MULTILINE)


def kind_of(channel: Channel) -> str:
    """The `kind` of a channel's message."""
    kind: str = channel.message.__struct_config__.tag  # type: ignore[assignment]  # every message has a tag
    return kind


def schema_json(kind: type[msgspec.Struct]) -> str:
    """The JSON Schema of one message, or of what a command prints, complete in itself."""
    (reference,), definitions = _components([kind], "#/$defs/{name}")
    head = {"$schema": DIALECT, "title": kind.__name__, "description": summary(kind)}
    return json.dumps(head | reference | {"$defs": definitions}, indent=2) + "\n"


def all_schemas(ref_template: str) -> Json:
    """The schemas of all messages and of what they consist of, by name."""
    return _components([channel.message for channel in CHANNELS], ref_template)[1]


def summary(kind: type) -> str:
    """The first paragraph of a docstring, in one line."""
    return " ".join(_docstring(kind).split("\n\n")[0].split())


def descriptions(kind: type) -> dict[str, str]:
    """What the docstrings of a message and of what it descends from say of each field."""
    found: dict[str, str] = {}
    for ancestor in reversed(kind.__mro__):
        if section := _ATTRIBUTES.search(_docstring(ancestor)):
            found |= {match["name"]: " ".join(match["text"].split()) for match in _ATTRIBUTE.finditer(section["lines"])}
    return found


def _docstring(kind: type) -> str:
    return inspect.cleandoc(kind.__dict__.get("__doc__") or "")


def _components(kinds: list[type[Any]], ref_template: str) -> tuple[tuple[Json, ...], Json]:
    references, schemas = msgspec.json.schema_components(kinds, ref_template=ref_template)
    return references, {name: _finished(_kind(name), schema) for name, schema in schemas.items()}


def _kind(name: str) -> type:
    kind: type = next(getattr(module, name) for module in (messages, health, answers) if hasattr(module, name))
    return kind


def _finished(kind: type, schema: Json) -> Json:
    """What msgspec makes of a type, with what it does not know: what fields mean, and that some are given later."""
    body = _ATTRIBUTES.sub("\n\n", _docstring(kind)).partition("\n\nRaises:")[0].strip()
    if not issubclass(kind, msgspec.Struct):
        return schema | {"description": body}
    besides, described = required_besides(kind) if issubclass(kind, messages.Message) else (), descriptions(kind)
    properties = {name: _property(part, described[name], name in besides) for name, part in schema["properties"].items()}
    required = [name for name in properties if name in schema.get("required", ()) or name in besides]
    return schema | {"description": body, "properties": properties, "required": required}


def _property(schema: Json, described: str, is_required: bool) -> Json:  # noqa: FBT001  # a small part of one function
    schema = {"description": described} | schema
    if is_required:
        schema.pop("default", None)
    if len(schema.get("enum", ())) == 1:
        schema["const"] = schema.pop("enum")[0]
    return schema
