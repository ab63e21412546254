"""The courier brings everything from the outbox to the bus, in order, and again when asked; what fails stays in the outbox."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from waiting import eventually

from dotbus.contracts.codec import decode, encode
from dotbus.contracts.messages import Environment, ReplayReply, ReplayRequest
from dotbus.contracts.topics import Topics
from dotbus.runtime import courier as courier_module
from dotbus.runtime import own_stream
from dotbus.runtime.bus_messages import NotConnected, Outgoing, PublishRefused
from dotbus.runtime.courier import Courier
from dotbus.runtime.outbox import Outbox
from dotbus.runtime.presence import Identity
from dotbus.testing import samples
from dotbus.testing.bus import FakeBus

TOPICS = Topics()
IDENTITY = Identity("ads_ingest", "a", Environment.SIMULATOR, samples.AT)
STATE = (TOPICS.dot("sierra", "r"), samples.dot())


def clock() -> datetime:
    return datetime(2026, 1, 1, tzinfo=UTC)


def events(*numbers: int):
    return [
        (TOPICS.dispatch("sierra", "r"), msgspec.structs.replace(samples.dispatch(), id=f"id-{n}", seq=0, stream=""))
        for n in numbers
    ]


def said(bus: FakeBus) -> list[Outgoing]:
    """What was published, but for how far the stream goes."""
    return [message for message in bus.published if message.topic != TOPICS.stream("ads_ingest", "a")]


@pytest.fixture
def outbox(tmp_path: Path):
    box = Outbox(tmp_path / "outbox.sqlite", max_age_s=3600, max_bytes=10**9)
    yield box
    box.close()


@pytest.fixture
def bus():
    return FakeBus()


@pytest.fixture
def courier(bus: FakeBus, outbox: Outbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(courier_module, "PAUSE_AFTER_REFUSAL_S", 0.01)
    monkeypatch.setattr(courier_module, "IDLE_S", 0.01)
    monkeypatch.setattr(courier_module, "PIECE_MOST", courier_module.PIECE_FIRST)
    monkeypatch.setattr(own_stream, "SETTLE_S", 0.01)
    courier = Courier(bus, outbox, TOPICS, IDENTITY, clock=clock)
    courier.start()
    yield courier
    courier.stop()


def test_what_waits_goes_out_in_order_when_the_broker_comes(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(*range(230)), states=[STATE])
    bus.start()
    eventually(lambda: len(said(bus)) == 231)
    state, *rest = said(bus)
    assert (state.topic, state.retain) == (STATE[0], True), "plants act on states: they come before a backlog"
    assert [decode(message.payload).seq for message in rest] == list(range(1, 231))
    assert not any(message.retain for message in rest)
    assert outbox.span().unpublished == 0


def test_a_state_that_did_not_change_is_said_once_per_connection(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), states=[STATE])
    bus.start()
    eventually(lambda: len(said(bus)) == 1)
    outbox.commit(clock(), events=events(1))
    courier.wake()
    eventually(lambda: len(said(bus)) == 2)
    bus.turn(connected=False)
    bus.turn(connected=True)
    eventually(lambda: len(said(bus)) == 3)
    assert [message.topic.rsplit("/", 1)[1] for message in said(bus)] == ["dot", "dispatch", "dot"]


def test_a_state_that_changes_during_a_backlog_does_not_wait_for_its_end(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(*range(1000)), states=[STATE])
    publish, changed = bus.publish, []

    def publish_and_change(messages, timeout_s: float = 10.0) -> None:
        publish(messages)
        if len(said(bus)) > 300 and not changed:
            changed.append(outbox.commit(clock(), states=[STATE]))

    bus.publish = publish_and_change
    bus.start()
    eventually(lambda: len(said(bus)) == 1002)
    assert [number for number, message in enumerate(said(bus)) if message.retain] == [0, 301]


def test_a_state_that_changes_during_a_replay_does_not_wait_for_its_end(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(*range(1000)))
    bus.start()
    eventually(lambda: outbox.span().unpublished == 0)
    publish, changed = bus.publish, []

    def publish_and_change(messages, timeout_s: float = 10.0) -> None:
        publish(messages)
        if not changed:
            changed.append(outbox.commit(clock(), events=events(2000), states=[STATE]))

    bus.publish = publish_and_change
    bus.deliver(TOPICS.replay("ads_ingest", "a"), request(outbox.stream, 1, 1000))
    eventually(lambda: replies(bus))
    assert [number for number, message in enumerate(said(bus)) if message.retain] == [1100]
    assert decode(said(bus)[1101].payload).seq == 1001
    assert replies(bus)[0].sent == 1000


def test_a_topic_that_the_broker_refuses_holds_up_no_other(bus: FakeBus, outbox: Outbox, courier: Courier):
    forbidden = TOPICS.dispatch("sierra", "secret"), events(1)[0][1]
    bus.forbidden = {forbidden[0], TOPICS.dot("sierra", "secret")}
    outbox.commit(clock(), events=[forbidden, *events(2, 3)], states=[(TOPICS.dot("sierra", "secret"), samples.dot()), STATE])
    bus.start()
    eventually(lambda: len(said(bus)) == 3)
    assert [message.topic for message in said(bus)] == [STATE[0], *[TOPICS.dispatch("sierra", "r")] * 2]
    assert [kept.number for kept in outbox.unpublished(10)] == [1]
    assert not courier.caught_up, "what the broker retains there may be old, so a heartbeat must not confirm it"
    bus.forbidden = set()
    eventually(lambda: courier.caught_up and outbox.span().unpublished == 0)


def test_a_retracted_state_is_emptied_at_the_broker_on_each_connection_until_it_is_old(
    bus: FakeBus, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(courier_module, "IDLE_S", 0.01)
    monkeypatch.setattr(courier_module, "PRUNE_EVERY_S", 0.0)
    now = [clock()]
    outbox.commit(now[0], states=[STATE])
    outbox.retract([STATE[0]], now[0])
    courier = Courier(bus, outbox, TOPICS, IDENTITY, clock=lambda: now[0])
    courier.start()
    bus.start()
    eventually(lambda: courier.caught_up)
    bus.turn(connected=False)
    bus.turn(connected=True)
    eventually(lambda: len(said(bus)) == 2)
    assert {(message.topic, message.payload, message.retain) for message in said(bus)} == {(STATE[0], b"", True)}
    now[0] += timedelta(days=2)
    eventually(lambda: not outbox.state_revisions())
    courier.stop()


def test_a_retraction_that_the_broker_refuses_keeps_no_heartbeat_back(bus: FakeBus, outbox: Outbox, courier: Courier):
    bus.forbidden = {STATE[0]}
    outbox.commit(clock(), states=[STATE])
    outbox.retract([STATE[0]], clock())
    bus.start()
    eventually(lambda: courier.caught_up)
    assert said(bus) == []


def test_a_refused_publish_leaves_everything_in_the_outbox_and_is_tried_again(bus: FakeBus, outbox: Outbox, courier: Courier):
    bus.refuse = PublishRefused("not authorized")
    outbox.commit(clock(), events=events(1))
    bus.start()
    eventually(lambda: said(bus))
    assert len(said(bus)) == 1
    eventually(lambda: outbox.span().unpublished == 0)


def test_after_a_lost_connection_the_next_one_is_used_at_once(
    bus: FakeBus, outbox: Outbox, courier: Courier, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(courier_module, "PAUSE_AFTER_REFUSAL_S", 60)
    publish = bus.publish

    def lose_the_connection(messages, timeout_s: float = 10.0) -> None:
        bus.publish = publish
        bus.turn(connected=False)
        publish(messages)

    bus.publish = lose_the_connection
    outbox.commit(clock(), states=[STATE])
    bus.start()
    eventually(lambda: not bus.connected)
    bus.turn(connected=True)
    eventually(lambda: courier.caught_up)


def request(stream: str, first_seq: int, last_seq: int) -> bytes:
    return encode(
        ReplayRequest(
            environment=Environment.SIMULATOR,
            source="historian/a",
            time=clock(),
            stream=stream,
            first_seq=first_seq,
            last_seq=last_seq,
        )
    )


def replies(bus: FakeBus) -> list[ReplayReply]:
    return [reply for message in said(bus) if isinstance(reply := decode(message.payload), ReplayReply)]


def test_a_replay_sends_the_same_bytes_again_and_says_what_it_has(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(*range(10)))
    bus.start()
    eventually(lambda: len(said(bus)) == 10)
    bus.deliver(TOPICS.replay("ads_ingest", "a"), request(outbox.stream, 4, 99))
    eventually(lambda: replies(bus))
    assert said(bus)[10:17] == said(bus)[3:10]
    assert (replies(bus)[0].sent, replies(bus)[0].oldest_seq) == (7, 1)
    assert bus.acknowledged == [TOPICS.replay("ads_ingest", "a")]


def test_a_replay_of_another_stream_sends_nothing_and_says_so(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(1))
    bus.start()
    bus.deliver(TOPICS.replay("ads_ingest", "a"), request("another", 1, 1))
    eventually(lambda: replies(bus))
    assert (replies(bus)[0].sent, replies(bus)[0].oldest_seq) == (0, None)


def test_a_request_that_is_none_is_acknowledged_and_passed_over(bus: FakeBus, outbox: Outbox, courier: Courier):
    bus.start()
    bus.deliver(TOPICS.replay("ads_ingest", "a"), b"{}")
    outbox.commit(clock(), events=events(1))
    courier.wake()
    eventually(lambda: len(said(bus)) == 1)
    assert bus.acknowledged


def test_stopping_delivers_what_waits(bus: FakeBus, outbox: Outbox):
    courier = Courier(bus, outbox, TOPICS, IDENTITY, clock=clock)
    bus.start()
    outbox.commit(clock(), events=events(1, 2))
    courier.start()
    courier.stop()
    assert outbox.span().unpublished == 0


def test_it_has_caught_up_once_every_state_was_said_on_this_connection(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), states=[STATE])
    assert not courier.caught_up
    bus.start()
    eventually(lambda: courier.caught_up)
    assert [message.topic for message in said(bus)] == [STATE[0]]
    bus.turn(connected=False)
    assert not courier.caught_up
    bus.turn(connected=True)
    eventually(lambda: courier.caught_up)
    assert len(said(bus)) == 2


def test_it_has_not_caught_up_while_a_state_changed_that_was_not_said(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), states=[STATE])
    bus.start()
    eventually(lambda: courier.caught_up)
    bus.refuse = NotConnected("lost")
    outbox.commit(clock(), states=[STATE])
    assert not courier.caught_up
    eventually(lambda: courier.caught_up)
    assert len(said(bus)) == 2
