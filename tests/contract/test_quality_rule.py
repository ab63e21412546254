"""The rule of docs/quality.md is whole: a subscriber that was written from that page alone answers every vector."""

import json
from pathlib import Path

import pytest
from subscriber import Subscriber

from dotbus.contracts.codec import decode_as
from dotbus.contracts.instruction_kinds import InstructionKind
from dotbus.contracts.instruction_states import Standing
from dotbus.contracts.messages import Instructions

VECTORS = json.loads((Path(__file__).parents[2] / "schemas/quality-vectors.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", VECTORS["cases"], ids=[case["name"] for case in VECTORS["cases"]])
def test_a_subscriber_of_somebody_elses_judges_as_the_vectors_say(case):
    subscriber = Subscriber(VECTORS["limits_s"], VECTORS["accepted"])
    for event in case["happens"]:
        subscriber.happen(event)
    quality, reasons, value = subscriber.ask(case["ask"])
    expect = case["expect"]
    assert (quality, reasons, value) == (expect["quality"], frozenset(expect["reasons"]), expect["value"])


def test_every_instructions_state_of_the_vectors_is_what_we_would_say():
    said = [event["payload"] for case in VECTORS["cases"] for event in case["happens"] if "payload" in event]
    states = [payload for payload in said if isinstance(payload, dict) and payload["kind"] == "instructions"]
    assert states
    for payload in states:
        state = decode_as(json.dumps(payload).encode(), Instructions)
        assert {known.what for known in state.instructions} <= set(InstructionKind)
        assert {known.standing for known in state.instructions} <= set(Standing)


def test_no_two_vectors_have_one_name():
    names = [case["name"] for case in VECTORS["cases"]]
    assert len(names) == len(set(names))
