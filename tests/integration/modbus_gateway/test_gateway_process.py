"""The gateway as it runs: its own process, a real broker, an ingest's messages, a third party's Modbus client."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_process import (
    BAD,
    BROKER_LOST,
    GOOD,
    INVALID,
    OFFLINE,
    STALE,
    TOPICS,
    UNCERTAIN,
    Ingest,
    Process,
    dot,
    now,
    status,
)
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Environment, ServiceStatus
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery, Outgoing
from dotbus.runtime.settings.settings import BusSettings

pytestmark = pytest.mark.integration


@pytest.fixture
def gateway(tmp_path: Path, broker: Mosquitto) -> Iterator[Process]:
    process = Process(tmp_path, broker)
    eventually(process.is_ready)  # a heartbeat that it only finds retained shows it nothing of clocks
    yield process
    if process.process.poll() is None:
        process.stop()


@pytest.fixture
def ingest(broker: Mosquitto) -> Iterator[Ingest]:
    started = Ingest(broker.port)
    yield started
    started.bus.stop()


def test_a_dot_goes_from_the_bus_to_a_register_and_grows_stale_in_silence(gateway: Process, ingest: Ingest):
    gateway.shows(BAD, reasons=1, dot_mw=None)
    ingest.say(status(), dot())
    gateway.shows(GOOD)
    gateway.shows(BAD, reasons=STALE, dot_mw=None)
    ingest.say(status(), dot())
    gateway.shows(GOOD)
    ingest.bus.publish([Outgoing(TOPICS.dot("sierra", "SOLAR"), b"{}", retain=True)])
    eventually(lambda: gateway.dot()[1] & INVALID)


def test_test_dispatches_never_reach_a_production_register(gateway: Process, ingest: Ingest):
    ingest.say(status(), dot(Environment.SIMULATOR, dot_mw=99))
    gateway.shows(BAD, reasons=1 << 9, dot_mw=None)
    ingest.say(dot())
    gateway.shows(GOOD)
    ingest.say(dot(Environment.STAGE, dot_mw=98), status())
    eventually(lambda: 'outcome="wrong environment"} 2.0' in gateway.get("/metrics"))
    assert gateway.dot()[2] == 12.5


def test_an_ingest_that_ends_is_told_apart_from_one_that_is_silent(gateway: Process, ingest: Ingest):
    ingest.say(status(), dot())
    gateway.shows(GOOD)
    ingest.say(status(online=False))
    gateway.shows(UNCERTAIN, reasons=OFFLINE)
    gateway.shows(BAD, reasons=OFFLINE | STALE, dot_mw=None)


def test_a_broker_that_dies_and_returns_with_old_states_does_not_make_them_fresh(
    gateway: Process, ingest: Ingest, broker: Mosquitto
):
    ingest.say(status(), dot())
    gateway.shows(GOOD)
    ingest.bus.stop()
    broker.kill()
    eventually(lambda: gateway.dot()[1] & BROKER_LOST)
    gateway.shows(BAD, reasons=BROKER_LOST | STALE, dot_mw=None)
    broker.start()
    eventually(lambda: gateway.words(5, 1) == [1], within_s=40)
    quality, reasons, _ = gateway.dot()
    assert (quality, reasons & STALE) == (BAD, STALE)


def test_the_gateway_says_on_the_bus_that_it_is_there_and_that_it_went(gateway: Process, broker: Mosquitto):
    heard: list[ServiceStatus] = []

    def listen(delivery: Delivery) -> None:
        heard.append(decode_as(delivery.payload, ServiceStatus))
        delivery.ack()

    bus = Bus(BusSettings(port=broker.port), "listener", clock=now)
    bus.subscribe([TOPICS.service("modbus_gateway", "test")], listen)
    bus.start()
    eventually(lambda: heard and heard[-1].online)
    assert json.loads(gateway.get("/health"))["alive"] is True
    assert gateway.stop() == 0
    eventually(lambda: not heard[-1].online)
    bus.stop()


def test_ctrl_c_is_an_orderly_stop_while_the_broker_is_away(gateway: Process, broker: Mosquitto):
    broker.kill()
    eventually(lambda: gateway.words(5, 1) == [0])
    assert gateway.stop(signal.SIGINT) == 0
