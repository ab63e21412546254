"""The published rule of docs/quality.md, case by case, as the gateway itself judges."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dotbus.contracts.messages import Environment
from dotbus.contracts.quality import Quality
from dotbus.contracts.schedules import Schedule
from dotbus.contracts.topics import Subject
from dotbus.judging.arrivals import read_delivery
from dotbus.judging.received import Received
from dotbus.readings.instructions import read_instructions
from dotbus.readings.prices import read_price
from dotbus.readings.reading import Reading
from dotbus.readings.resources import read_resource
from dotbus.readings.subjects import Member, PriceAt
from dotbus.runtime.installation.installation import Installation, Resource
from dotbus.runtime.installation.toml_values import Market
from dotbus.runtime.mqtt.messages import Delivery

VECTORS = json.loads((Path(__file__).parents[4] / "schemas/quality-vectors.json").read_text(encoding="utf-8"))
LIMITS_S = VECTORS["limits_s"]
INSTALLATION = Installation.model_validate(
    {
        "environment": "production",
        "plant": [{"name": "sierra", "resource": [{"id": "SOLAR"}]}],
        "modbus": {
            "accept_environments": VECTORS["accepted"],
            "stale_after_s": LIMITS_S["dot"],
            "trajectory_stale_after_s": LIMITS_S["trajectory_batch"],
            "price_stale_after_s": LIMITS_S["price"],
        },
    }
)
CASES = VECTORS["cases"]
QUANTITY_OF = {
    "dot": "dot_mw",
    "trajectory": "trajectory_mw",
    "active": "lmp_active_usd_per_mwh",
    "published": "lmp_published_usd_per_mwh",
    "minimum": "constraint_minimum_mw",
    "maximum": "constraint_maximum_mw",
}


def happen(received: Received, event: Mapping[str, object]) -> None:
    at = datetime.fromisoformat(str(event["at"]))
    match event:
        case {"connected": bool(connected)}:
            received.turn(connected=connected)
        case {"clock_set_by_s": float(by_s)}:
            received.clock_stepped(timedelta(seconds=by_s))
        case {"topic": str(topic), "retained": bool(retained), "payload": payload}:
            said = payload if isinstance(payload, str) else "" if payload is None else json.dumps(payload)
            delivery = Delivery(topic, said.encode(), retained, at)
            arrival = read_delivery(delivery, INSTALLATION.topics, [Environment(name) for name in VECTORS["accepted"]])
            assert arrival, "the gateway has a use for every topic of the vectors"
            received.take(arrival)
        case _:
            raise AssertionError(f"no such thing happens: {event}")


def read(received: Received, ask: Mapping[str, str]) -> Reading:
    now, judging, topics = datetime.fromisoformat(ask["at"]), INSTALLATION.modbus, INSTALLATION.topics
    address = topics.read(ask["topic"])
    assert address
    assert address.name
    if address.subject is Subject.LMP:
        found = read_price(PriceAt(Market(address.scope), address.name), received, topics, judging, now)
    elif address.subject is Subject.INSTRUCTIONS:
        resource = Resource(id=address.name)
        found = read_instructions(Member(address.scope, resource), received, topics, judging, now)
    else:
        resource = Resource(id=address.name, schedule=Schedule(ask.get("schedule", Schedule.FIVE_MINUTE)))
        found = read_resource(Member(address.scope, resource), received, topics, judging, now)
    return found.named[QUANTITY_OF[ask["value"]]]


def expected_of(case: Mapping[str, Mapping[str, object]]) -> tuple[int, set[object], object]:
    expect = case["expect"]
    assert isinstance(expect["reasons"], list)
    return int(str(expect["quality"])), set(expect["reasons"]), expect["value"]


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_the_gateway_judges_as_the_published_rule_says(case):
    received = Received()
    for event in case["happens"]:
        happen(received, event)
    reading = read(received, case["ask"])
    value = None if reading.quality.is_bad else reading.value
    assert (reading.quality.level, {str(reason) for reason in reading.quality.reasons}, value) == expected_of(case)


def test_the_levels_of_the_vectors_are_those_of_the_contract():
    for case in VECTORS["cases"]:
        quality, reasons, _ = expected_of(case)
        assert Quality.of(reasons).level == quality  # type: ignore[arg-type]  # the names themselves
