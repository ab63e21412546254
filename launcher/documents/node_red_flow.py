"""Node-RED's flow of docs/clients.md, made of the files beside it: so its code can be read, changed and tested as code."""

import json
from pathlib import Path
from typing import Any, Final

_EXAMPLES: Final = Path(__file__).parents[2] / "docs" / "examples"
_TAB: Final = "dotbus-tab"
_PLANT: Final = "dotbus-plant"
_HEARD: Final = {
    "DOTs": "dotbus/v1/plant/+/+/dot",
    "sources": "dotbus/v1/service/ads_ingest/+",
    "instructions": "dotbus/v1/plant/+/+/instructions",
    "replies": "dotbus/v1/plant/+/+/command/accept/reply/node-red",
}
"""What is subscribed to. The broker gives of it what is the user's."""


def render_flow() -> str:
    """docs/examples/node-red/flows.json."""
    return json.dumps([_tab(), *_broker(), *_bus(), *_web(), _plant()], indent=2) + "\n"


def _tab() -> dict[str, Any]:
    told = "DOTs with their quality, and instructions to accept. Open /dotbus. Of docs/clients.md of dotbus."
    return {"id": _TAB, "type": "tab", "label": "dotbus", "disabled": False, "info": told}


def _broker() -> list[dict[str, Any]]:
    """Where the broker is and whom it trusts, from the environment. A user's name and password are no part of a flow."""
    tls = {"name": "dotbus", "cert": "", "key": "", "ca": "${DOTBUS_CA}", "verifyservercert": True, "servername": ""}
    broker = {
        "name": "dotbus",
        "broker": "${DOTBUS_HOST}",
        "port": "${DOTBUS_PORT}",
        "tls": "dotbus-tls",
        "clientid": "",
        "autoConnect": True,
        "usetls": True,
        "protocolVersion": "5",
        "keepalive": "10",
        "cleansession": True,
    }
    return [
        {"id": "dotbus-tls", "type": "tls-config", **tls, "certname": "", "keyname": "", "caname": "", "alpnprotocol": ""},
        {"id": "dotbus-broker", "type": "mqtt-broker", **broker},
    ]


def _bus() -> list[dict[str, Any]]:
    """What is heard and said. `rap` is off: else what is said now would look as if it had been kept by the broker."""
    how = {"qos": "1", "datatype": "buffer", "broker": "dotbus-broker", "nl": False, "rap": False, "rh": 0, "inputs": 0}
    heard = [
        _node(f"dotbus-{name.lower()}", "mqtt in", 120, 60 * number, [[_PLANT]], name=name, topic=topic, **how)
        for number, (name, topic) in enumerate(_HEARD.items(), 1)
    ]
    status = _node("dotbus-status", "status", 120, 300, [[_PLANT]], name="connection", scope=["dotbus-dots"])
    look = _node("dotbus-look", "inject", 120, 360, [[_PLANT]], name="each second", topic="look", repeat="1", once=True)
    look |= {"props": [{"p": "topic", "vt": "str"}], "crontab": "", "onceDelay": 0.1, "payload": "", "payloadType": "date"}
    command = _node("dotbus-command", "mqtt out", 620, 180, [], name="command", topic="", broker="dotbus-broker")
    command |= dict.fromkeys(("qos", "retain", "respTopic", "contentType", "userProps", "correl", "expiry"), "")
    reading = _node("dotbus-reading", "debug", 620, 120, [], name="a reading that changed", active=True, complete="payload")
    reading |= {"tosidebar": True, "console": False, "tostatus": False, "targetType": "msg"}
    return [*heard, status, look, command, reading]


def _web() -> list[dict[str, Any]]:
    page = (_EXAMPLES / "node-red" / "page.html").read_text(encoding="utf-8")
    template = {"field": "payload", "fieldType": "msg", "format": "html", "syntax": "plain", "template": page, "output": "str"}
    asked = {"upload": False, "swaggerDoc": ""}
    return [
        _node("dotbus-page-in", "http in", 120, 480, [["dotbus-page"]], name="", url="/dotbus", method="get", **asked),
        _node("dotbus-page", "template", 380, 480, [["dotbus-http"]], name="page", **template),
        _node("dotbus-state-in", "http in", 120, 540, [[_PLANT]], name="", url="/dotbus/state", method="get", **asked),
        _node("dotbus-accept-in", "http in", 120, 600, [[_PLANT]], name="", url="/dotbus/accept", method="post", **asked),
        _node("dotbus-http", "http response", 620, 480, [], name="", statusCode="", headers={}),
    ]


def _plant() -> dict[str, Any]:
    """The one function: what it knows begins with the judgement that the client in JavaScript has."""
    judgement = (_EXAMPLES / "node" / "dots.mjs").read_text(encoding="utf-8").replace("export class", "class")
    start, message = ((_EXAMPLES / "node-red" / name).read_text(encoding="utf-8") for name in ("start.js", "message.js"))
    wires = [["dotbus-reading"], ["dotbus-command"], ["dotbus-http"]]
    function = {"func": message, "outputs": 3, "timeout": 0, "noerr": 0, "initialize": f"{judgement}\n{start}", "finalize": ""}
    return _node(_PLANT, "function", 380, 180, wires, name="plant", **function, libs=[{"var": "hooks", "module": "perf_hooks"}])


def _node(identity: str, kind: str, x: int, y: int, wires: list[list[str]], **told: object) -> dict[str, Any]:
    return {"id": identity, "type": kind, "z": _TAB, **told, "x": x, "y": y, "wires": wires}
