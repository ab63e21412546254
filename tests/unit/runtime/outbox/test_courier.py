"""The courier brings everything from the outbox to the bus, in order, and again when asked; what fails stays in the outbox."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from waiting import eventually

from dotbus.contracts.codec import decode, encode
from dotbus.contracts.messages import Dispatch, Environment, ReplayReply, ReplayRequest
from dotbus.contracts.topics import Topics
from dotbus.runtime.mqtt.messages import NotConnected, Outgoing, PublishRefused
from dotbus.runtime.outbox import courier as courier_module
from dotbus.runtime.outbox import own_stream
from dotbus.runtime.outbox.courier import Courier, next_piece
from dotbus.runtime.outbox.outbox import Outbox
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


def test_what_was_said_before_we_were_told_of_the_connection_is_not_said_again(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(1), states=[STATE])
    bus.connected = True
    courier.wake()
    eventually(lambda: len(said(bus)) == 2)
    bus.turn(connected=True)
    outbox.commit(clock(), events=events(2))
    courier.wake()
    eventually(lambda: len(said(bus)) == 3)
    assert [message.topic.rsplit("/", 1)[1] for message in said(bus)] == ["dot", "dispatch", "dispatch"]
    assert len([each for each in bus.published if each.topic == TOPICS.stream("ads_ingest", "a")]) == 2, "once a piece"


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


def unmarked(outbox: Outbox) -> int:
    with outbox._lock:
        return outbox._database.execute("SELECT count(*) FROM event WHERE published = 0").fetchone()[0]


def test_while_the_disk_takes_no_mark_each_event_goes_out_once_and_is_marked_when_it_does(
    bus: FakeBus, outbox: Outbox, courier: Courier, capsys: pytest.CaptureFixture[str]
):
    outbox.commit(clock(), events=events(*range(350)))
    outbox._database.execute("PRAGMA query_only = 1")
    bus.start()
    eventually(lambda: len(said(bus)) >= 350)
    eventually(lambda: outbox.span().unpublished == 0)
    bus.turn(connected=False)
    bus.turn(connected=True)
    eventually(lambda: capsys.readouterr().out.count("cannot be marked") == 1)
    assert [decode(message.payload).seq for message in said(bus)] == list(range(1, 351))
    assert unmarked(outbox) == 350
    outbox._database.execute("PRAGMA query_only = 0")
    courier.wake()
    eventually(lambda: unmarked(outbox) == 0)
    assert len(said(bus)) == 350


def test_a_piece_grows_while_the_broker_is_quick_and_shrinks_when_it_is_slow():
    assert next_piece(100, 100, 0.01) == 200
    assert next_piece(100, 99, 0.01) == 100, "it was not full, so nothing is known of a larger one"
    assert next_piece(800, 800, 0.01) == 800
    assert next_piece(100, 100, 0.5) == 100
    assert next_piece(100, 3, 10.0) == 50
    assert next_piece(25, 25, 10.0) == 25


def request(stream: str, first_seq: int, last_seq: int, *between: tuple[int, int], source: str = "historian/a") -> bytes:
    ranges = ((first_seq, first_seq), *between, (last_seq, last_seq)) if between else ()
    return encode(
        ReplayRequest(
            environment=Environment.SIMULATOR,
            source=source,
            time=clock(),
            stream=stream,
            first_seq=first_seq,
            last_seq=last_seq,
            ranges=ranges,
        )
    )


def ask(bus: FakeBus, *requests: bytes) -> None:
    for payload in requests:
        bus.deliver(TOPICS.replay("ads_ingest", "a"), payload)


def seqs(messages) -> list[int]:
    return [message.seq for message in map(decode, (m.payload for m in messages)) if isinstance(message, Dispatch)]


def test_many_ranges_are_sent_and_nothing_between_them(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(*range(30)))
    bus.start()
    eventually(lambda: outbox.span().unpublished == 0)
    before = len(said(bus))
    ask(bus, request(outbox.stream, 2, 29, (5, 7), (20, 20)))
    (reply,) = eventually(lambda: replies(bus))
    assert seqs(said(bus)[before:]) == [2, 5, 6, 7, 20, 29]
    assert (reply.sent, reply.lost, reply.ranges) == (6, (), ((2, 2), (5, 7), (20, 20), (29, 29)))


def test_a_reply_names_what_is_kept_no_more_and_not_what_has_no_number_yet(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(*range(10)))
    bus.start()
    eventually(lambda: outbox.span().unpublished == 0)
    with outbox._lock:
        outbox._database.execute("DELETE FROM event WHERE seq IN (1, 2, 3, 6)")
    ask(bus, request(outbox.stream, 2, 15))
    (reply,) = eventually(lambda: replies(bus))
    assert (reply.sent, reply.lost, reply.oldest_seq) == (6, ((2, 3), (6, 6)), 4)
    assert reply.detail == "6 of 14 sent, 3 kept no more"


def test_requests_that_wait_together_are_answered_each_and_sent_once(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(*range(500)))
    bus.start()
    eventually(lambda: outbox.span().unpublished == 0)
    publish, second = bus.publish, [request(outbox.stream, 250, 500, source="historian/b")]

    def publish_and_ask(messages, timeout_s: float = 10.0) -> None:
        publish(messages)
        if second:
            ask(bus, second.pop())

    before = len(said(bus))
    bus.publish = publish_and_ask
    ask(bus, request(outbox.stream, 1, 400))
    eventually(lambda: len(replies(bus)) == 2)
    assert seqs(said(bus)[before:]) == list(range(1, 501))
    assert [reply.sent for reply in replies(bus)] == [400, 251]


def test_what_is_kept_of_an_earlier_stream_is_sent_under_its_old_name(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(1, 2, 3))
    outbox.mark_published([1, 2])
    before = outbox.stream
    outbox.begin_stream()
    bus.start()
    eventually(lambda: outbox.span().unpublished == 0)
    start = len(said(bus))
    ask(bus, request(before, 1, 9))
    (reply,) = eventually(lambda: replies(bus))
    assert [(m.stream, m.seq) for m in map(decode, (m.payload for m in said(bus)[start:-1]))] == [(before, 1), (before, 2)]
    assert (reply.sent, reply.lost, reply.oldest_seq) == (2, ((3, 9),), 1)


def test_what_was_sent_before_another_asked_is_sent_again_to_it(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(*range(10)))
    bus.start()
    eventually(lambda: outbox.span().unpublished == 0)
    before = len(said(bus))
    for number in (1, 2):
        ask(bus, request(outbox.stream, 3, 4))
        eventually(lambda number=number: len(replies(bus)) == number)
    assert seqs(said(bus)[before:]) == [3, 4, 3, 4]


def test_a_replay_goes_on_where_a_lost_connection_left_it(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(*range(300)))
    bus.start()
    eventually(lambda: outbox.span().unpublished == 0)
    publish, before, pieces = bus.publish, len(said(bus)), []

    def lose_the_second(messages, timeout_s: float = 10.0) -> None:
        pieces.append(len(messages))
        if len(pieces) == 2:
            bus.turn(connected=False)
        publish(messages)

    bus.publish = lose_the_second
    ask(bus, request(outbox.stream, 1, 300))
    eventually(lambda: not bus.connected)
    bus.turn(connected=True)
    (reply,) = eventually(lambda: replies(bus))
    assert seqs(said(bus)[before:]) == list(range(1, 301))
    assert reply.sent == 300


def test_what_the_broker_refuses_of_a_replay_is_neither_sent_nor_lost(bus: FakeBus, outbox: Outbox, courier: Courier):
    outbox.commit(clock(), events=events(1, 2))
    bus.start()
    eventually(lambda: outbox.span().unpublished == 0)
    bus.forbidden = {TOPICS.dispatch("sierra", "r")}
    ask(bus, request(outbox.stream, 1, 2))
    (reply,) = eventually(lambda: replies(bus))
    assert (reply.sent, reply.lost) == (0, ())


@pytest.mark.parametrize("last_seq", [2**63 - 1, 10**18, 10**400, 0, -5])
def test_a_request_beyond_all_bounds_neither_hangs_nor_ends_the_source(
    bus: FakeBus, outbox: Outbox, courier: Courier, last_seq: int
):
    outbox.commit(clock(), events=events(1, 2))
    bus.start()
    eventually(lambda: outbox.span().unpublished == 0)
    ask(bus, request(outbox.stream, 1, 2).replace(b'"last_seq":2', b'"last_seq":%d' % last_seq))
    ask(bus, request(outbox.stream, 2, 2))
    eventually(
        lambda: seqs([replied for replied in said(bus) if replied.topic.endswith("dispatch")])[-1:] == [2] and replies(bus)
    )
    assert courier.is_alive


def test_scattered_events_are_read_with_one_question_for_a_piece_of_them(outbox: Outbox, bus: FakeBus):
    asked: list[str] = []
    outbox.commit(clock(), events=events(*range(2000)))
    outbox.mark_published(range(1, 2001))
    courier = Courier(bus, outbox, TOPICS, IDENTITY, clock=clock)
    bus.start()
    ask(bus, encode(scattered(outbox.stream, 1000)))
    outbox._database.set_trace_callback(asked.append)
    courier._answer_replays()
    outbox._database.set_trace_callback(None)
    assert seqs(said(bus)) == list(range(1, 2001, 2))
    assert sum("json_each" in question for question in asked) <= 1000 / courier_module.PIECE_FIRST + 1


def scattered(stream: str, count: int) -> ReplayRequest:
    ranges = tuple((seq, seq) for seq in range(1, 2 * count, 2))
    return ReplayRequest(
        environment=Environment.SIMULATOR,
        source="historian/a",
        time=clock(),
        stream=stream,
        first_seq=1,
        last_seq=2 * count - 1,
        ranges=ranges,
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
