"""The AsyncAPI document: channels, who sends and receives, how MQTT carries it, and which command is answered where."""

import json
import re
from importlib.metadata import version
from typing import Any

import yaml

from dotbus.contracts.channels import CHANNELS, Channel
from dotbus.contracts.codec import encode
from dotbus.contracts.topics import DEFAULT_ROOT
from dotbus.testing import samples
from launcher.documents.json_schemas import Json, all_schemas, kind_of, summary

QOS = 1
BINDING_VERSION = "0.2.0"

_PARAMETERS = {
    "plant": "a plant of the configuration, or `unassigned`; of alarms also `installation`",
    "resource": "the resource by CAISO's Master File name, percent-encoded where MQTT forbids a character",
    "about": "a resource by CAISO's name, or SERVICE/INSTANCE, percent-encoded likewise (ads_ingest%2Fmain)",
    "rule": "what is alarmed, such as dot-stale",
    "action": "accept, decline or partial; to an alarm acknowledge, shelve or unshelve",
    "point": "available_mw, actual_mw, breaker_closed, agc_on or a name of the plant's own, percent-encoded likewise",
    "market": "DAM, HASP, RTPD or RTM",
    "node": "the pricing node by CAISO's name, percent-encoded where MQTT forbids a character",
    "service": "ads_ingest, lmp_ingest, modbus_gateway, historian or alarms",
    "instance": "the instance's configured name",
}


def asyncapi_yaml() -> str:
    """The AsyncAPI 3 document of all channels."""
    document: Json = {
        "asyncapi": "3.0.0",
        "info": {
            "title": "dotbus",
            "version": version("dotbus"),
            "description": "CAISO dispatch and prices on MQTT. Generated from the code by `make docs`.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "servers": _servers(),
        "channels": {kind_of(channel): _channel(channel) for channel in CHANNELS},
        "operations": {name: operation for channel in CHANNELS for name, operation in _operations(channel).items()},
        "components": {
            "securitySchemes": {
                "user": {"type": "userPassword", "description": "a user of the broker; each has its own topics"}
            },
            "messages": {kind_of(channel): _message(channel) for channel in CHANNELS},
            "schemas": all_schemas("#/components/schemas/{name}"),
        },
    }
    document = json.loads(json.dumps(document))  # parts that are used twice would become references of YAML's own
    return yaml.safe_dump(document, sort_keys=False, width=120, allow_unicode=True)


def _servers() -> Json:
    host = {"host": {"default": "localhost", "description": "the broker, DOTBUS_MQTT_HOST"}}
    user = [{"$ref": "#/components/securitySchemes/user"}]
    return {
        "tls": {
            "host": "{host}:8883",
            "protocol": "secure-mqtt",
            "protocolVersion": "5",
            "description": "the broker of an installation: TLS 1.2 or later, and a user for every part",
            "variables": host,
            "security": user,
        },
        "loopback": {
            "host": "{host}:1883",
            "protocol": "mqtt",
            "protocolVersion": "5",
            "description": "a broker on the same machine; that of the demonstration speaks MQTT 3.1.1",
            "variables": host,
            "security": user,
        },
    }


def _channel(channel: Channel) -> Json:
    return {
        "address": f"{DEFAULT_ROOT}/{channel.address}",
        "summary": channel.says,
        "description": f"{channel.kind}, QoS {QOS}, {'retained' if channel.retained else 'not retained'}",
        "parameters": {name: {"description": _PARAMETERS[name]} for name in re.findall(r"{(\w+)}", channel.address)},
        "messages": {kind_of(channel): {"$ref": f"#/components/messages/{kind_of(channel)}"}},
        "bindings": {"mqtt": {}},  # all that MQTT has to say is said by each operation
    }


def _operations(channel: Channel) -> dict[str, Json]:
    says = {f"{service}.sends.{kind_of(channel)}": _operation(channel, "send") for service in channel.said_by}
    hears = {f"{service}.receives.{kind_of(channel)}": _operation(channel, "receive") for service in channel.heard_by}
    return says | hears


def _operation(channel: Channel, action: str) -> Json:
    operation: Json = {"action": action, **_of_channel(channel)}
    retain = {"retain": channel.retained} if action == "send" else {}  # who receives has no say in it
    operation["bindings"] = {"mqtt": {"qos": QOS, **retain, "bindingVersion": BINDING_VERSION}}
    for answer in CHANNELS:
        if answer.subject is channel.reply:
            operation["reply"] = _of_channel(answer)
    return operation


def _of_channel(channel: Channel) -> Json:
    kind = kind_of(channel)
    return {"channel": {"$ref": f"#/channels/{kind}"}, "messages": [{"$ref": f"#/channels/{kind}/messages/{kind}"}]}


def _message(channel: Channel) -> Json:
    sample: Any = next(message for message in samples.every_message() if isinstance(message, channel.message))
    return {
        "name": channel.message.__name__,
        "summary": summary(channel.message),
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{channel.message.__name__}"},
        "examples": [{"payload": json.loads(encode(sample))}],
    }
