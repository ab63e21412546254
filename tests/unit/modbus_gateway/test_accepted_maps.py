"""Whatever register map the check accepts: it renders, no bad value passes for a good one, and a good one is what was said.

The maps, what CAISO says and when it falls silent are drawn. What registers show is read back by struct, not by the gateway.
"""

import struct

from gateway_story import Gateway, dot, interval, point, status, trajectory
from hypothesis import event, given, settings
from hypothesis import strategies as st

from dotbus.contracts.quality import Level
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from modbus_gateway.map.quantities import QUANTITIES, Scope
from modbus_gateway.wire.images.image import Refusal

OWN, BESIDE = 20, 21
"""Unit ids: of the drawn point, and of the same quantity as it is written when nothing is asked for, with its quality."""
PMIN_MW, PMAX_MW = 0.0, 100.0
MEASURED = sorted(name for name, one in QUANTITIES.items() if one.is_measured and one.scope is Scope.RESOURCE)
FORMATS = {
    "float32": ">f",
    "float64": ">d",
    "uint16": ">H",
    "int16": ">h",
    "uint32": ">I",
    "int32": ">i",
    "uint64": ">Q",
    "int64": ">q",
}
NO_VALUE = {
    "float32": "7fc00000",
    "float64": "7ff8000000000000",
    "uint16": "ffff",
    "int16": "8000",
    "uint32": "ffffffff",
    "int32": "80000000",
    "uint64": "f" * 16,
    "int64": "8" + "0" * 15,
}
FLOAT32_DIGITS = 1e-6
NUMBERS = st.sampled_from([0.0, -0.0, 1.0, 50.0, 99.96, 100.0, 100.04, -1.0, 327.67, 1e-9, 3.4e38, -1e308]) | st.floats(
    allow_nan=False, allow_infinity=False
)
MEGAWATTS = st.sampled_from([0.0, 0.004, 12.5, 33.333, 99.96, 100.0, 400.0, -7.25, 6553.5, 1e9]) | st.floats(-1e6, 1e6)
PASSED_S = st.sampled_from([1.0, 30.0, 100.0, 290.0, 400.0, 1000.0])
SCALES = st.sampled_from([1.0, 10.0, 100.0, -1.0, 1000.0, 0.1, 0.001, 1e-7, 1e9]) | NUMBERS


@st.composite
def points(draw: st.DrawFn) -> dict[str, object]:
    """A point of a map, of which the check may refuse what it likes."""
    drawn: dict[str, object] = {
        "unit_id": OWN,
        "address": 0,
        "quantity": draw(st.sampled_from(MEASURED)),
        "resource": "SOLAR",
        "type": draw(st.sampled_from(sorted(FORMATS))),
        "word_order": draw(st.sampled_from(["big", "little"])),
        "byte_order": draw(st.sampled_from(["big", "little"])),
        "offset": draw(st.sampled_from([0.0, 0.0, 1.0, -40.0, 1e6])),
        "on_bad": draw(st.sampled_from(["hold", "value", "nan", "exception"])),
        "scale": draw(SCALES),
    }
    if drawn["on_bad"] == "value":
        drawn["bad_value"] = draw(NUMBERS)
    if draw(st.booleans()):
        drawn |= {
            "min": draw(st.sampled_from([-10.0, 12.5])),
            "max": 99.97,
            "stale_after_s": draw(st.sampled_from([20.0, 90.0])),
        }
    return drawn


def at_work(drawn: dict[str, object], *, told: bool) -> Gateway | None:
    """A gateway with such a map, None when the check refuses it."""
    name, whose = str(drawn["quantity"]), {"resource": "SOLAR"}
    quality = {"quantity": QUANTITIES[name].quality, **whose}
    beside = [{"unit_id": BESIDE, "address": 0, "quantity": name, **whose}, {"unit_id": BESIDE, "address": 4, **quality}]
    own = [drawn, {"unit_id": OWN, "address": 4, **quality}] if told else [drawn]
    try:
        return Gateway(point=[*own, *beside])
    except ConfigurationRefused:
        return None


def shown(gateway: Gateway, unit_id: int, drawn: dict[str, object]) -> tuple[bytes, float] | None:
    """The registers of the value, high word and high byte first, and the number in them; None for a Modbus exception."""
    kind = str(drawn["type"])
    size = struct.calcsize(FORMATS[kind])
    content = gateway.read_registers(unit_id, 0, size // 2)
    if isinstance(content, Refusal):
        return None
    words = [content[i : i + 2] for i in range(0, size, 2)][:: -1 if drawn["word_order"] == "little" else 1]
    ordered = b"".join(word[::-1] if drawn.get("byte_order") == "little" else word for word in words)
    return ordered, struct.unpack(FORMATS[kind], ordered)[0]


def quality_at(gateway: Gateway, unit_id: int) -> int:
    content = gateway.read_registers(unit_id, 4, 1)
    assert isinstance(content, bytes)
    return int.from_bytes(content, "big")


def looks_like_a_value(drawn: dict[str, object], content: bytes, number: float) -> bool:
    """Whether somebody who knows type, scale and the resource's limits may take it for a good value."""
    if content.hex() == NO_VALUE[str(drawn["type"])]:
        return False
    scale, offset = float(drawn.get("scale", 1)), float(drawn.get("offset", 0))  # type: ignore[arg-type]
    edges = sorted((PMIN_MW * scale + offset, PMAX_MW * scale + offset))
    return drawn["quantity"] == "supp_mw" or edges[0] <= number <= edges[1]


@settings(max_examples=600)
@given(
    points(),
    st.booleans(),
    st.lists(st.tuples(PASSED_S, st.none() | MEGAWATTS), min_size=1, max_size=4),
)
def test_an_accepted_map_shows_what_was_said_or_that_it_is_bad(drawn, told, story):
    gateway = at_work(drawn, told=told)
    event("accepted" if gateway else "refused")
    if gateway is None:
        return
    now_s = 0.0
    for passed_s, mw in story:
        now_s += passed_s
        if mw is not None:
            start_s = now_s - now_s % 300
            ahead = (interval(start_s, mw, supp_mw=mw), interval(start_s + 300, mw, supp_mw=mw))
            gateway.hear(status(now_s), dot(*ahead, said_s=now_s))
            gateway.hear(trajectory(point(start_s, mw), point(start_s + 600, mw, number=1), said_s=now_s))
        gateway.render(now_s)
        judge(gateway, drawn, told=told)


def judge(gateway: Gateway, drawn: dict[str, object], *, told: bool) -> None:
    """The register's own quality, else what the quantity's is, and what may stand there with it.

    A value that does not fit the registers is bad there alone: without a quality of their own they must look like that.
    """
    plain = {"type": "float32", "word_order": "big"}
    own, beside = shown(gateway, OWN, drawn), shown(gateway, BESIDE, plain)
    level = quality_at(gateway, OWN if told else BESIDE)
    event(f"level {level}")
    if own is None:
        assert level == Level.BAD or drawn["on_bad"] == "exception"
        return
    content, number = own
    if level == Level.BAD:
        assert told or not looks_like_a_value(drawn, content, number)
    elif beside and beside[0].hex() != NO_VALUE["float32"] and (told or looks_like_a_value(drawn, content, number)):
        times, offset = beside[1] * float(drawn["scale"]), float(drawn["offset"])  # type: ignore[arg-type]
        scaled, size = times + offset, abs(times) + abs(offset)
        rounding = 0.0 if str(drawn["type"]).startswith("float") else 0.5
        is_right = abs(number - scaled) <= rounding + size * FLOAT32_DIGITS + 1e-37
        assert is_right or content.hex() == NO_VALUE[str(drawn["type"])]
        if told and level == Level.GOOD and "max" in drawn:
            assert float(drawn["min"]) <= beside[1] <= float(drawn["max"]) + 1e-4  # type: ignore[arg-type]
