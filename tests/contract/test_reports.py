"""What commands print as JSON is as its schema says, and every field of it is explained."""

import json
from datetime import timedelta
from pathlib import Path

import jsonschema
import msgspec

from dotbus.testing import samples
from launcher.look.health import BrokerReport, judge

ROOT = Path(__file__).parents[2]


def schema_of(report: str) -> dict:
    return json.loads((ROOT / f"schemas/{report}.schema.json").read_text(encoding="utf-8"))


def test_a_status_report_is_as_its_schema_says_with_its_broker_and_without():
    status = samples.service_status()
    for connected in (True, False):
        broker = BrokerReport(host="broker.example", port=8883, connected=connected, complaint=None if connected else "away")
        report = judge(broker, [status], ("historian/main",), "dotbus/v1", samples.AT + timedelta(days=1))
        jsonschema.validate(
            json.loads(msgspec.json.encode(report)), schema_of("status-report"), cls=jsonschema.Draft202012Validator
        )


def test_every_field_of_a_report_says_what_it_means():
    for name, definition in schema_of("status-report")["$defs"].items():
        assert definition["description"], name
        for field, part in definition.get("properties", {}).items():
            assert part["description"].strip(), (name, field)
