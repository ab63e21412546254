"""Whatever comes in whatever order: the gateway judges as a subscriber that was written from docs/quality.md alone."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from subscriber import Subscriber
from unit.modbus_gateway.values.test_quality_vectors import LIMITS_S, VECTORS, happen, read

from dotbus.judging.received import Received

NOON = datetime.fromisoformat("2026-10-13T12:00:00Z")
PLANT, LMP = "dotbus/v1/plant/sierra/SOLAR", "dotbus/v1/market/RTM/lmp/NODE1"
UPSTREAMS = {"ads_ingest": ("ads_dispatch", "ads_trajectory"), "lmp_ingest": ("oasis_rtm",)}
ASKS = (
    {"topic": f"{PLANT}/dot", "value": "dot", "schedule": "five-minute"},
    {"topic": f"{PLANT}/dot", "value": "dot", "schedule": "hourly"},
    {"topic": f"{PLANT}/trajectory", "value": "trajectory"},
    {"topic": LMP, "value": "active"},
    {"topic": LMP, "value": "published"},
)

instances = st.sampled_from("ab")
offsets_s = st.sampled_from((0, 0, 0, 1, -1, -30, -100, 3, 70))
"""How long after it is said that a message's times lie: now and then a clock that is wrong."""
caiso_offsets_s = st.sampled_from((0,) * 9 + (1.5, -1.5, 1, 40, None))
few_mw = st.sampled_from((10, 20))
quarter_hours = st.sampled_from((-300, 0, 300))


def iso(seconds: float) -> str:
    return (NOON + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@st.composite
def dots(draw: st.DrawFn) -> Mapping[str, Any]:
    start_s = draw(quarter_hours)
    number = draw(st.integers(1, 2))
    batch = draw(st.sampled_from("xyz"))
    return {
        "interval_start": iso(start_s),
        "interval_end": iso(start_s + draw(st.sampled_from((300, 300, 300, 3600, -1)))),
        "target_at": iso(start_s + draw(st.sampled_from((150, 150, 150, 20, -20)))),
        "dot_mw": draw(few_mw),
        "supp_mw": draw(st.sampled_from((None, None, -1))),
        "batch_uid": batch,
        "instruction_uid": f"{batch} {number}",
        "batch_type": draw(st.sampled_from((0, 0, 1, 4, None))),
        "revision_no": draw(st.sampled_from((None, 1, 1, 2))),
        "batch_received_at": draw(st.sampled_from((iso(-600), iso(-600), iso(-500), iso(100), None))),
        "reasons": draw(st.sampled_from(((), (), (), ("source_failing",)))),
    }


withdrawals = st.fixed_dictionaries(
    {
        "batch_uid": st.sampled_from("xyz"),
        "until": st.just(iso(3600)),
        "revision_no": st.sampled_from((None, 1, 2)),
    }
)
points = st.fixed_dictionaries(
    {
        "target_at": st.sampled_from((iso(-60), iso(0), iso(60), iso(120))),
        "dop_mw": few_mw,
        "batch_received_at": st.sampled_from((iso(-60), iso(-60), iso(-30), iso(90), None)),
        "sequence_number": st.sampled_from((1, 2, 3, 4)),
        "batch_uid": st.just("T"),
    }
)


@st.composite
def prices(draw: st.DrawFn) -> Mapping[str, Any]:
    start_s = draw(quarter_hours)
    return {
        "interval_start": iso(start_s),
        "interval_end": iso(start_s + draw(st.sampled_from((300, 300, 300, 400, 7200, 0)))),
        "fetched_at": draw(st.sampled_from((iso(-60), iso(-60), iso(-30), iso(500)))),
        "lmp_usd_per_mwh": draw(st.sampled_from((40, 40, 50, None))),
    }


def said(kind: str, source: str, at_s: float, **fields: Any) -> dict[str, Any]:
    return {"kind": kind, "version": 1, "environment": "production", "source": source, "time": iso(at_s), **fields}


@st.composite
def states(draw: st.DrawFn, at_s: float) -> Mapping[str, Any]:
    instance, time_s, kind = draw(instances), at_s + draw(offsets_s), draw(st.sampled_from(("dot", "dot", "trajectory", "lmp")))
    service = draw(st.sampled_from(("lmp_ingest" if kind == "lmp" else "ads_ingest",) * 9 + ("lmp_ingest",)))
    common = {
        "heard_at": iso(time_s - draw(st.sampled_from((0, 0, 5, 80)))),
        "reasons": draw(st.sampled_from(((), (), ("odd",)))),
    }
    resource = {"plant": "sierra", "resource_id": "SOLAR"}
    match kind:
        case "dot":
            topic, gone = f"{PLANT}/dot", draw(st.lists(withdrawals, max_size=1))
            fields = {
                **resource,
                "intervals": draw(st.lists(dots(), max_size=3, unique_by=lambda each: each["instruction_uid"])),
            }
            fields |= {"withdrawn": gone, "received_at": iso(time_s)}
        case "trajectory":
            topic, curve = (
                f"{PLANT}/trajectory",
                draw(st.lists(points, max_size=3, unique_by=lambda each: each["sequence_number"])),
            )
            fields = {**resource, "points": curve, "latest": curve[-1] if curve else None, "received_at": iso(time_s)}
        case _:
            topic, fields = (
                LMP,
                {"market": "RTM", "node": "NODE1", "active": None, "ahead": draw(st.lists(prices(), max_size=2))},
            )
            fields |= {"published": draw(st.one_of(st.none(), prices()))}
    payload = said(kind, f"{service}/{instance}", time_s, **common, **fields)
    odd = draw(
        st.sampled_from((payload,) * 12 + (None, "no message", {**payload, "version": 2}, {**payload, "environment": "stage"}))
    )
    return {"at": iso(at_s), "topic": topic, "retained": draw(st.booleans()), "payload": odd}


@st.composite
def statuses(draw: st.DrawFn, at_s: float) -> Mapping[str, Any]:
    service, instance = draw(st.sampled_from(("ads_ingest", "ads_ingest", "lmp_ingest"))), draw(instances)
    online, time_s = draw(st.sampled_from((True, True, True, False))), at_s + draw(offsets_s)
    named = UPSTREAMS[service] if draw(st.integers(0, 9)) else UPSTREAMS[service][1:]
    upstreams = [
        {"name": name, "ok": draw(st.sampled_from((True, True, True, False))), "clock_offset_s": draw(caiso_offsets_s)}
        for name in named
    ]
    will = not online and draw(st.booleans())
    fields = {"service": service, "instance": instance, "online": online, "software_version": "1", "upstreams": upstreams}
    payload = said("service", f"{service}/{instance}", time_s, **fields, started_at=iso(-3600))
    payload |= {"time": payload["started_at"], "upstreams": []} if will else {}
    return {
        "at": iso(at_s),
        "topic": f"dotbus/v1/service/{service}/{instance}",
        "retained": draw(st.booleans()),
        "payload": payload if draw(st.integers(0, 9)) else None,
    }


@st.composite
def two_runs(draw: st.DrawFn, at_s: float) -> Sequence[Mapping[str, Any]]:
    """Heartbeats of two processes of one name, some of which come late."""
    service, instance = draw(st.sampled_from(tuple(UPSTREAMS))), draw(instances)
    fields = {"service": service, "instance": instance, "online": True, "software_version": "1"}
    fields["upstreams"] = [{"name": name, "ok": True, "clock_offset_s": 0} for name in UPSTREAMS[service]]
    topic, starts, beats = f"dotbus/v1/service/{service}/{instance}", (at_s - 3600, at_s - draw(st.sampled_from((0, 5)))), []
    for started_s in draw(st.permutations((*starts, *starts)))[: draw(st.integers(2, 4))]:
        time_s = max(at_s - draw(st.sampled_from((0, 0, 2, 4, 10))), started_s)
        payload = said("service", f"{service}/{instance}", time_s, **fields, started_at=iso(started_s))
        retained = draw(st.sampled_from((False, False, False, True)))
        beats.append({"at": iso(at_s), "topic": topic, "retained": retained, "payload": payload})
        at_s += draw(st.sampled_from((0, 3, 30, 60, 61)))
    return beats


@st.composite
def histories(draw: st.DrawFn) -> Sequence[Mapping[str, Any]]:
    at_s: float = -120
    happened: list[Mapping[str, Any]] = [{"at": iso(-120), "connected": True}]
    for service, names in UPSTREAMS.items():  # else hardly anything would ever be good
        upstreams = [{"name": name, "ok": True, "clock_offset_s": 0} for name in names]
        fields = {"service": service, "instance": "a", "online": True, "started_at": iso(-3600), "software_version": "1"}
        payload = said("service", f"{service}/a", -120, **fields, upstreams=upstreams)
        happened.append({"at": iso(-120), "topic": f"dotbus/v1/service/{service}/a", "retained": False, "payload": payload})
    for _ in range(draw(st.integers(1, 8))):
        at_s += draw(st.sampled_from((0, 1, 5, 30, 60)))
        what = draw(st.sampled_from(("state",) * 6 + ("status",) * 3 + ("broker", "runs")))
        match what:
            case "state":
                happened.append(draw(states(at_s)))
            case "status":
                happened.append(draw(statuses(at_s)))
            case "runs":
                happened += draw(two_runs(at_s))
                at_s = (datetime.fromisoformat(str(happened[-1]["at"])) - NOON).total_seconds()
            case _:
                happened += [{"at": iso(at_s), "connected": False}, {"at": iso(at_s), "connected": True}]
    return happened


@settings(max_examples=500)
@given(happened=histories(), after_s=st.sampled_from((0, 1, 10, 60, 250)), data=st.data())
def test_whatever_happens_the_gateway_judges_as_the_page_says(
    happened: Sequence[Mapping[str, Any]], after_s: int, data: st.DataObject
):
    received, subscriber = Received(), Subscriber(LIMITS_S, VECTORS["accepted"])
    for event in happened:
        happen(received, event)
        subscriber.happen(event)
    now = datetime.fromisoformat(str(happened[-1]["at"])) + timedelta(seconds=after_s)
    ask = {**data.draw(st.sampled_from(ASKS)), "at": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
    reading = read(received, ask)
    value = None if reading.quality.is_bad else reading.value
    level, reasons, expected = subscriber.ask(ask)
    assert (reading.quality.level, {str(reason) for reason in reading.quality.reasons}) == (level, reasons)
    assert value == (expected if expected is None else pytest.approx(expected, rel=1e-12))
