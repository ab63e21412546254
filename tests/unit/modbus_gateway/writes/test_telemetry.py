"""What the bus is told of points, and when."""

import struct
from collections.abc import Callable, Sequence
from datetime import timedelta

import pytest
from write_story import ACTUAL, SCADA, SWITCH, UNIT, Plant

from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Telemetry
from dotbus.contracts.topics import Topics
from dotbus.runtime.mqtt.messages import NotConnected, Outgoing, PublishRefused
from modbus_gateway.writes.telemetry import Saying

TOPICS = Topics()
ACTUAL_TOPIC = TOPICS.telemetry("sierra", "BESS", "actual_mw")


class Broker:
    connected = True

    def __init__(self) -> None:
        self.messages: list[Outgoing] = []
        self.error: Exception | None = None
        self.listener: Callable[[bool], None] = lambda _connected: None

    def publish(self, messages: Sequence[Outgoing], timeout_s: float = 10.0) -> None:  # noqa: ARG002  # as a bus
        if self.error:
            raise self.error
        self.messages += messages

    def on_connection(self, listener: Callable[[bool], None]) -> None:
        self.listener = listener

    def turn(self, *, connected: bool) -> None:
        self.listener(connected)

    def of(self, topic: str) -> list[Telemetry]:
        return [decode_as(one.payload, Telemetry) for one in self.messages if one.topic == topic]


class Story:
    def __init__(self) -> None:
        self.plant, self.broker = Plant(), Broker()
        self.saying = Saying(self.broker, TOPICS, self.plant.taking.telemetry, self.plant.taking.look)

    def write(self, value: float) -> None:
        self.plant.taking.write_registers(UNIT, ACTUAL, struct.pack(">f", value), SCADA)

    def run(self, seconds: float, step_s: float = 0.25) -> list[Telemetry]:
        before = len(self.broker.of(ACTUAL_TOPIC))
        for _ in range(round(seconds / step_s)):
            self.saying.say()
            self.plant.clock.seconds += step_s
        return self.broker.of(ACTUAL_TOPIC)[before:]


@pytest.fixture
def story() -> Story:
    return Story()


def test_every_point_is_said_at_the_start_as_what_nobody_knows_and_retained(story):
    story.saying.say()
    assert len(story.broker.messages) == 4
    assert all(one.retain for one in story.broker.messages)
    (said,) = story.broker.of(ACTUAL_TOPIC)
    assert (said.value, said.quality, said.reasons, said.source) == (None, 0, ("never_received",), "modbus_gateway/sierra")


def test_a_value_is_said_at_once_and_a_fast_one_once_a_second_as_it_is_then(story):
    story.run(1)
    found = []
    for value in range(12):
        story.write(value)
        found += story.run(0.25)
    assert [one.value for one in found] == [0, 4, 8]


def test_what_stays_is_said_each_minute(story):
    story.run(1)
    found = []
    for _ in range(13):
        story.write(7)
        found += story.run(10)
    assert [one.value for one in found] == [7, 7, 7]


def test_a_silent_value_is_said_at_once_as_stale_with_its_time_and_each_minute_again(story):
    story.write(7)
    (first,) = story.run(29)
    assert (first.value, first.quality) == (7, 192)
    stale = story.run(130)
    assert [(one.value, one.quality, one.reasons) for one in stale] == [(7, 0, ("stale",))] * 3
    assert {one.measured_at for one in stale} == {first.measured_at}


def test_after_the_connection_was_lost_all_is_said_again(story):
    story.run(1)
    story.broker.turn(connected=False)
    story.broker.turn(connected=True)
    story.saying.say()
    assert len(story.broker.messages) == 8


@pytest.mark.parametrize("error", [NotConnected("gone"), PublishRefused("no", [])])
def test_what_the_broker_does_not_have_is_due_again(story, error):
    story.broker.error = error
    story.saying.say()
    story.broker.error = None
    story.saying.say()
    assert len(story.broker.messages) == 4


def test_a_message_that_the_broker_refuses_holds_back_no_other(story):
    story.saying.say()
    refused = story.broker.messages[0]
    story.broker.messages.clear()
    story.broker.turn(connected=False)
    story.broker.error = PublishRefused("no", [refused])
    story.saying.say()
    story.broker.error = None
    story.saying.say()
    assert [one.topic for one in story.broker.messages] == [refused.topic]


def test_a_switch_is_true_or_false_without_a_unit(story):
    story.plant.taking.write_bits(UNIT, SWITCH, (True,), SCADA)
    story.saying.say()
    (said,) = story.broker.of(TOPICS.telemetry("sierra", "BESS", "agc_on"))
    assert (said.value, said.unit, said.written_from) == (True, None, "10.0.0.5")


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_value_is_as_old_as_it_is_after_the_clock_was_set(story, hours):
    story.write(48.5)
    story.run(3)
    story.plant.clock.set_by = timedelta(hours=hours)
    said = story.run(61)[-1]
    assert said.measured_at is not None
    assert said.quality == 0
    assert said.time - said.measured_at == timedelta(seconds=30.25)
