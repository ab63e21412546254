"""The example clients of docs/clients.md judge a DOT no better than docs/quality.md, in each vector and whatever happens."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subscriber import Subscriber
from unit.modbus_gateway.values.test_quality_agreement import NOON, PLANT, histories, iso

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
JUDGE = ROOT / "tests" / "dots_judge.mjs"
VECTORS = json.loads((ROOT / "schemas/quality-vectors.json").read_text(encoding="utf-8"))
CASES = [case for case in VECTORS["cases"] if case["ask"]["value"] == "dot"]
TOPICS = ("/dot", "/service/ads_ingest/a", "/service/ads_ingest/b")
GOOD = 192
A_STEP_S = 1.0
"""A clock that is "set by 0 s" in the vectors is one that was set: the clocks beside it tell so."""

GOOD_BY_THE_RULE_ALONE = {
    "nor does an older revision in a newer state",
    "an older state that comes later has a higher revision, and that stays",
    "a higher revision stays through two newer states with the lower one",
    "a retraction forgets a higher revision, too",
    "a newer state that is silent about a batch ends what it had in a higher revision",
    "a newer state that does not know all ends nothing by its silence",
    "a source that went back on six batches, one after the other, went back on each",
    "a batch that was unreadable and is read in the same revision holds again",
    "an older status that comes later changes nothing",
    "the will of an earlier run that comes late changes nothing",
    "the next heartbeat lifts that",
}
"""Where a source goes back on what it said, or says it out of order; the last, where the clock was set before."""

History = Mapping[str, Any]


def loaded(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / "python" / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there for what their annotations mean
    spec.loader.exec_module(module)
    return module


DOTS = loaded("dots")


def history(happens: Sequence[Mapping[str, Any]], ask: Mapping[str, Any]) -> History:
    """What comes to a client that subscribes to DOTs and to the sources of them, with payloads as texts."""
    heard: list[Mapping[str, Any]] = []
    for event in happens:
        if "connected" in event:
            heard.append(event)
        elif "clock_set_by_s" in event:
            heard.append({"at": event["at"], "set_by_s": event["clock_set_by_s"] or A_STEP_S})
        elif event["topic"].endswith(TOPICS) or "/service/ads_ingest/" in event["topic"]:
            said = event["payload"]
            heard.append({**event, "payload": said if isinstance(said, str) else "" if said is None else json.dumps(said)})
    return {"accepted": VECTORS["accepted"][0], "stale_after_s": VECTORS["limits_s"]["dot"], "happens": heard, "ask": ask}


def by_python(told: History) -> tuple[int, float | None]:
    at = {"now": DOTS.seconds(told["ask"]["at"]), "set": 0.0}
    dots = DOTS.Dots(told["accepted"], told["stale_after_s"], now=lambda: at["now"], ticks=lambda: at["now"] - at["set"])
    for event in told["happens"]:
        at["now"] = DOTS.seconds(event["at"])
        if "connected" in event:
            dots.turn(is_up=event["connected"])
        elif "set_by_s" in event:
            at["set"] += event["set_by_s"]
        else:
            dots.take(event["topic"], event["payload"].encode(), retained=event["retained"])
    at["now"] = DOTS.seconds(told["ask"]["at"])
    reading = dots.read(told["ask"]["topic"], hourly=told["ask"]["schedule"] == "hourly")
    return reading.quality, reading.dot_mw


def by_node(histories: Sequence[History]) -> list[tuple[int, float | None]]:
    assert shutil.which("node"), "node is not here: run `make tools`"
    done = subprocess.run(["node", JUDGE], input=json.dumps(histories), capture_output=True, text=True, check=True)
    return [(reading["quality"], reading["dot_mw"]) for reading in json.loads(done.stdout)]


@pytest.fixture(scope="module")
def of_node() -> Mapping[str, tuple[int, float | None]]:
    """What the client in JavaScript makes of every vector, by its name."""
    found = by_node([history(case["happens"], case["ask"]) for case in CASES])
    return dict(zip((case["name"] for case in CASES), found, strict=True))


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_no_example_makes_more_of_a_dot_than_the_rule_and_both_make_the_same(case, of_node):
    found, expect = by_python(history(case["happens"], case["ask"])), case["expect"]
    assert found == of_node[case["name"]]
    assert found in [(expect["quality"], expect["value"]), (64, expect["value"]), (0, None)]
    assert found[0] <= expect["quality"]


def test_what_is_good_by_the_rule_is_good_by_the_examples_but_after_what_goes_back():
    """A reading that were always bad would be no better than the rule either."""
    good = [case for case in CASES if case["expect"]["quality"] == GOOD]
    less = {case["name"] for case in good if by_python(history(case["happens"], case["ask"]))[0] < GOOD}
    assert less == GOOD_BY_THE_RULE_ALONE


def all_well(at: datetime) -> list[Mapping[str, Any]]:
    """Both sources hear CAISO, clocks agree, and one says a DOT: else hardly anything that is drawn would be good."""
    said_at = iso((at - NOON).total_seconds())
    common = {"version": 1, "environment": "production", "time": said_at}
    status = {**common, "kind": "service", "service": "ads_ingest", "software_version": "1", "online": True}
    status |= {"started_at": iso(-3600), "upstreams": [{"name": "ads_dispatch", "ok": True, "clock_offset_s": 0}]}
    statuses = [{**status, "source": f"ads_ingest/{name}", "instance": name} for name in "ab"] * 3
    times = {"interval_start": iso(-900), "interval_end": iso(900), "target_at": iso(0), "batch_received_at": iso(-500)}
    dot = {**times, "dot_mw": 10, "batch_uid": "x", "instruction_uid": "x 1", "batch_type": 4, "revision_no": 1}
    state = {**common, "kind": "dot", "source": "ads_ingest/a", "plant": "sierra", "resource_id": "SOLAR"}
    state |= {"heard_at": said_at, "received_at": said_at, "intervals": [dot]}
    topics = [*(f"dotbus/v1/service/{each['source']}" for each in statuses), f"{PLANT}/dot"]
    said = zip(topics, [*statuses, state], strict=True)
    return [{"at": said_at, "topic": topic, "retained": False, "payload": payload} for topic, payload in said]


def test_whatever_happens_the_clients_are_never_surer_than_the_rule():
    drawn: list[tuple[History, int, float | None]] = []

    @settings(max_examples=400)
    @given(histories(), st.booleans(), st.sampled_from((0, 1, 10, 60, 250)), st.sampled_from(("five-minute", "hourly")))
    def draw(happens: list[Mapping[str, Any]], well: bool, after_s: int, schedule: str) -> None:  # noqa: FBT001  # drawn
        last = datetime.fromisoformat(str(happens[-1]["at"]))
        happened = [*happens, *(all_well(last) if well else ())]
        now = (last + timedelta(seconds=after_s)).strftime("%Y-%m-%dT%H:%M:%SZ")
        ask = {"topic": f"{PLANT}/dot", "value": "dot", "schedule": schedule, "at": now}
        rule = Subscriber(VECTORS["limits_s"], VECTORS["accepted"])
        for event in happened:
            rule.happen(event)
        quality, _reasons, value = rule.ask(ask)
        told = history(happened, ask)
        found = by_python(told)
        assert found[0] <= quality
        assert found[1] in (None, value)
        drawn.append((told, *found))

    draw()
    assert by_node([told for told, _, _ in drawn]) == [(quality, value) for _, quality, value in drawn]
    assert sum(quality == GOOD for _, quality, _ in drawn) > len(drawn) / 50
