"""A service says that it is there, again and again, and only when what it said before stands."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from waiting import eventually

from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Environment, OutboxSpan, ServiceStatus
from dotbus.contracts.topics import Topics
from dotbus.runtime.mqtt.messages import PublishRefused
from dotbus.runtime.presence import Identity, Presence
from dotbus.testing.bus import FakeBus

TOPICS = Topics()
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
IDENTITY = Identity("historian", "a", Environment.STAGE, STARTED)


def said(bus: FakeBus) -> list[ServiceStatus]:
    return [decode_as(message.payload, ServiceStatus) for message in bus.published]


@pytest.fixture
def bus():
    bus = FakeBus()
    bus.start()
    return bus


@pytest.fixture
def begin(bus: FakeBus):
    begun: list[Presence] = []

    def begin(ready: Callable[[], bool] = lambda: True) -> Presence:
        presence = Presence(bus, TOPICS, IDENTITY, IDENTITY.status, clock=lambda: STARTED, ready=ready, every_s=0.01)
        presence.start()
        begun.append(presence)
        return presence

    yield begin
    for presence in begun:
        presence.stop()


def test_the_heartbeat_goes_on_and_is_retained(bus: FakeBus, begin):
    begin()
    eventually(lambda: len(bus.published) > 3)
    assert {message.topic for message in bus.published} == {"dotbus/v1/service/historian/a"}
    assert all(message.retain for message in bus.published)
    assert all(status.online for status in said(bus))


def test_before_it_is_ready_it_says_nothing(bus: FakeBus, begin):
    ready: list[bool] = []
    asked: list[int] = []

    def is_ready() -> bool:
        asked.append(1)
        return bool(ready)

    begin(is_ready)
    eventually(lambda: len(asked) > 2)
    assert bus.published == []
    ready.append(True)
    eventually(lambda: bus.published)


def test_what_it_says_was_true_before_it_asked_whether_it_may(bus: FakeBus):
    order: list[str] = []

    def describe(now: datetime) -> ServiceStatus:
        order.append("described")
        return IDENTITY.status(now)

    def ready() -> bool:
        order.append("asked")
        return True

    presence = Presence(bus, TOPICS, IDENTITY, describe, clock=lambda: STARTED, ready=ready, every_s=10)
    presence.start()
    eventually(lambda: bus.published)
    presence.stop()
    assert order[:2] == ["described", "asked"]


def test_a_status_that_cannot_be_made_does_not_end_it(bus: FakeBus):
    failures = [sqlite3.OperationalError("disk I/O error")]

    def describe(now: datetime) -> ServiceStatus:
        if failures:
            raise failures.pop()
        return IDENTITY.status(now)

    presence = Presence(bus, TOPICS, IDENTITY, describe, clock=lambda: STARTED, every_s=0.01)
    presence.start()
    eventually(lambda: bus.published)
    assert presence.is_alive
    presence.stop()


def test_a_refused_heartbeat_does_not_end_it(bus: FakeBus, begin):
    bus.refuse = PublishRefused("not authorized")
    begin()
    eventually(lambda: len(bus.published) > 1)


def test_the_last_word_of_one_that_stops_is_offline(bus: FakeBus):
    presence = Presence(bus, TOPICS, IDENTITY, IDENTITY.status, clock=lambda: STARTED)
    presence.start()
    presence.stop()
    assert [status.online for status in said(bus)][-1] is False


def test_the_last_word_tells_all_that_was_known(bus: FakeBus):
    span = OutboxSpan(stream="s", first_seq=1, last_seq=9, unpublished=0)
    presence = Presence(bus, TOPICS, IDENTITY, lambda now: IDENTITY.status(now, outbox=span), clock=lambda: STARTED)
    presence.start()
    presence.stop()
    assert (said(bus)[-1].online, said(bus)[-1].outbox) == (False, span)


def test_that_it_goes_is_said_even_when_nothing_else_can_be_told(bus: FakeBus):
    def describe(now: datetime) -> ServiceStatus:
        raise sqlite3.OperationalError("disk I/O error")

    presence = Presence(bus, TOPICS, IDENTITY, describe, clock=lambda: STARTED)
    presence.start()
    presence.stop()
    assert [status.online for status in said(bus)] == [False]


def test_the_will_says_offline_and_is_retained():
    will = IDENTITY.will(TOPICS)
    assert will.retain
    assert not decode_as(will.payload, ServiceStatus).online
    assert will.topic == "dotbus/v1/service/historian/a"
