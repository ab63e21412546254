"""Whatever anybody publishes, the gateway goes on: no message ends it, and none that is nonsense reads good."""

import json
from collections.abc import Iterator

import pytest
from gateway_story import NOON, at, dot, installation, interval, lmp, point, price, status, trajectory
from hypothesis import given, settings
from hypothesis import strategies as st

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Environment
from dotbus.judging.arrivals import Problem, read_delivery
from dotbus.judging.hearing import hear_ingests
from dotbus.runtime.installation.modbus import Table
from dotbus.runtime.mqtt.messages import Delivery
from modbus_gateway.map.draft import read_map
from modbus_gateway.wire.images.current_image import CurrentImage

PLACE = installation(
    block=[{"profile": "plant", "unit_id": 11}, {"profile": "classic", "unit_id": 1}],
    point=[
        {"unit_id": 20, "address": 0, "quantity": "dot_mw", "resource": "SOLAR", "type": "int16", "scale": 10.0},
        {"unit_id": 20, "address": 1, "quantity": "dot_quality", "resource": "SOLAR"},
        {"unit_id": 20, "address": 2, "quantity": "dot_end", "resource": "SOLAR", "type": "int32"},
    ],
)
MAP = read_map(PLACE)
TOPICS = PLACE.topics
SOLAR_DOT = TOPICS.dot("sierra", "SOLAR")
MESSAGES = {
    SOLAR_DOT: dot(interval(-300, 5), interval(0, 10, supp_mw=-1), interval(300, 20)),
    TOPICS.trajectory("sierra", "SOLAR"): trajectory(point(0, 10), point(300, 20, number=1)),
    TOPICS.lmp("RTM", "NODE1"): lmp(price(300, 41.5), price(300, 41.5), active=price(0, 40.0)),
    TOPICS.service("ads_ingest", "a"): status(0),
    TOPICS.service("lmp_ingest", "a"): status(0, service="lmp_ingest"),
}
NASTY = st.sampled_from(
    [
        None,
        True,
        "",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
        "1970-01-01T00:00:00Z",
        "2038-01-19T03:14:08Z",
        "2026-10-13T12:00:00",
        "2026-10-13T12:00:00+14:00",
        0,
        -1,
        1e308,
        -1e308,
        5e-324,
        10**40,
        2**63,
        [],
        {},
        "x" * 70000,
    ]
) | st.floats(allow_nan=False, allow_infinity=False)


def paths(value: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        yield from paths(part, (*path, key))


def changed(document: object, path: tuple[str | int, ...], value: object) -> object:
    """A document with another value at one place of it."""
    if not path:
        return value
    key, *rest = path
    if isinstance(document, list):
        return [changed(part, tuple(rest), value) if i == key else part for i, part in enumerate(document)]
    assert isinstance(document, dict)
    return {name: changed(part, tuple(rest), value) if name == key else part for name, part in document.items()}


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, bytes]:
    """One of our messages with one to three of its values replaced."""
    topic = draw(st.sampled_from(sorted(MESSAGES)))
    document = json.loads(encode(MESSAGES[topic]))
    for _ in range(draw(st.integers(1, 3))):
        document = changed(document, draw(st.sampled_from(list(paths(document)))), draw(NASTY))
    return topic, json.dumps(document).encode()


class Bench:
    """What is delivered is rendered, as the service does."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.images = CurrentImage(MAP, TOPICS, wall=lambda: at(self.now_s), monotonic_s=lambda: self.now_s)
        self.images.turn(connected=True)

    def deliver(self, topic: str, payload: bytes) -> object:
        arrival = read_delivery(Delivery(topic, payload, retained=False, received_at=at(self.now_s)), TOPICS, list(Environment))
        assert arrival
        self.images.take(arrival)
        return arrival.said

    def words(self, unit_id: int, address: int, count: int) -> list[int]:
        content = self.images.look(unit_id).read_registers(Table.HOLDING, address, count)
        assert isinstance(content, bytes)
        return [int.from_bytes(content[i : i + 2], "big") for i in range(0, len(content), 2)]


@settings(max_examples=400)
@given(
    st.lists(spoilt() | st.sampled_from([(topic, encode(said)) for topic, said in MESSAGES.items()]), min_size=1, max_size=6)
)
def test_no_message_ends_the_gateway(messages):
    bench = Bench()
    for topic, payload in messages:
        bench.deliver(topic, payload)
        bench.now_s += 1
        bench.words(11, 0, 100)
        hear_ingests(bench.images.received, ("ads_ingest", "lmp_ingest"), at(bench.now_s))
    for topic, said in MESSAGES.items():
        assert bench.deliver(topic, encode(said)) == said, "and what is right is taken as before"


@pytest.mark.parametrize(
    "path", [["time"], ["heard_at"], ["intervals", 0, "interval_end"], ["intervals", 1, "batch_received_at"]]
)
@pytest.mark.parametrize(
    "when", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1999-12-31T23:59:59Z", "2100-01-01T00:00:00Z"]
)
def test_a_message_with_a_time_that_cannot_be_is_no_message(path, when):
    document = changed(json.loads(encode(MESSAGES[SOLAR_DOT])), tuple(path), when)
    delivery = Delivery(SOLAR_DOT, json.dumps(document).encode(), retained=False, received_at=NOON)
    arrival = read_delivery(delivery, TOPICS, list(Environment))
    assert arrival
    assert arrival.said is Problem.UNDECODABLE
    assert when[:4] in arrival.detail
    assert str(path[-1]) in arrival.detail
