"""A point is said when a reader must hear of it and no more often, and nobody believes more of it than it says."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import Telemetry
from dotbus.contracts.quality import LEVEL_OF, Level, Reason
from dotbus.contracts.telemetry import SAY_AT_MOST_EVERY_S, SAY_EVERY_S, VALID_FOR_S, is_due, quality_at
from dotbus.testing import samples

VECTORS = json.loads((Path(__file__).parents[3] / "schemas/telemetry-vectors.json").read_text(encoding="utf-8"))["cases"]
AT = samples.AT
SAID = msgspec.structs.replace(samples.telemetry(), time=AT, quality=192, reasons=(), measured_at=AT)


def later(seconds: float, **changes: object) -> Telemetry:
    time = AT + timedelta(seconds=seconds)
    return msgspec.structs.replace(SAID, **({"time": time, "measured_at": time} | changes))


@pytest.mark.parametrize("case", VECTORS, ids=[case["name"] for case in VECTORS])
def test_telemetry_is_judged_as_the_vectors_say(case):
    payload = json.dumps(case["payload"]).encode()
    if case["expect"] == {"refused": True}:
        with pytest.raises(UndecodableMessage):
            decode_as(payload, Telemetry)
        return
    said = decode_as(payload, Telemetry)
    received_at, at = (datetime.fromisoformat(case[name]) for name in ("received_at", "at"))
    quality = quality_at(said, received_at, at)
    assert {"quality": quality.level, "reasons": set(quality.reasons), "value": said.value} == {
        **case["expect"],
        "reasons": set(case["expect"]["reasons"]),
    }


def test_no_two_vectors_have_one_name():
    assert len({case["name"] for case in VECTORS}) == len(VECTORS)


@given(st.sampled_from(Level), st.lists(st.sampled_from(Reason), unique=True), st.floats(-100, 200))
def test_nobody_believes_more_than_was_said(level: Level, reasons: list[Reason], seconds: float):
    worst = min((LEVEL_OF[reason] for reason in reasons), default=Level.GOOD)
    changes = {"quality": min(level, worst), "reasons": tuple(reasons)}
    quality = quality_at(msgspec.structs.replace(SAID, **changes), AT, AT + timedelta(seconds=seconds))
    assert quality.level <= min(level, worst)
    assert set(reasons) <= set(quality.reasons)
    assert quality.is_good == (quality.reasons == ())


def test_a_point_that_was_never_said_is_said():
    assert is_due(None, SAID)


@pytest.mark.parametrize(
    "changes",
    [
        {"quality": 0, "reasons": ("stale",)},
        {"quality": 64, "reasons": ("out_of_limits",)},
        {"value": None, "quality": 0, "reasons": ("invalid",)},
        {"written_by": "CN=somebody-else"},
        {"written_from": "10.20.0.99"},
    ],
    ids=", ".join,
)
def test_what_turns_bad_or_has_another_writer_is_said_at_once(changes: dict[str, object]):
    assert is_due(SAID, later(0.001, **changes))


def test_a_change_is_said_once_a_second_at_the_most():
    assert not is_due(SAID, later(SAY_AT_MOST_EVERY_S - 0.001, value=50.0))
    assert is_due(SAID, later(SAY_AT_MOST_EVERY_S, value=50.0))


def test_what_does_not_change_is_said_each_minute_and_before_it_is_out_of_time():
    assert not is_due(SAID, later(SAY_EVERY_S - 0.001))
    assert is_due(SAID, later(SAY_EVERY_S))
    assert SAY_EVERY_S < VALID_FOR_S


def test_a_clock_that_was_set_back_does_not_silence_a_point():
    assert is_due(SAID, later(-3600))


def test_a_whole_number_on_the_bus_is_a_number():
    document = json.loads(encode(SAID)) | {"value": 48}
    assert decode_as(json.dumps(document).encode(), Telemetry).value == 48.0
