"""A source does not give a number twice: it reads what the broker retains of its stream before it publishes an event."""

import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from waiting import eventually

from dotbus.contracts.codec import decode, encode
from dotbus.contracts.messages import Dispatch, Environment, OutboxSpan, StreamState
from dotbus.contracts.topics import Topics
from dotbus.runtime.mqtt.messages import NotConnected
from dotbus.runtime.mqtt.topic_filters import TopicFilters
from dotbus.runtime.outbox import courier as courier_module
from dotbus.runtime.outbox import own_stream
from dotbus.runtime.outbox.courier import Courier
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.outbox.own_stream import OwnStream
from dotbus.runtime.presence import Identity
from dotbus.testing import samples
from dotbus.testing.bus import FakeBus

TOPICS = Topics()
STARTED = datetime(2026, 1, 1, tzinfo=UTC)
IDENTITY = Identity("ads_ingest", "a", Environment.SIMULATOR, STARTED)
STREAM_TOPIC, STATUS_TOPIC = TOPICS.stream("ads_ingest", "a"), TOPICS.service("ads_ingest", "a")


def event(number: int):
    return TOPICS.dispatch("sierra", "r"), msgspec.structs.replace(samples.dispatch(), id=f"id-{number}")


@pytest.fixture
def outbox(tmp_path: Path):
    box = Outbox(tmp_path / "outbox.sqlite", max_age_s=3600, max_bytes=10**9)
    box.commit(STARTED, events=[event(number) for number in range(1, 6)])
    box.mark_published([1, 2, 3])
    yield box
    box.close()


@pytest.fixture
def bus(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(own_stream, "SETTLE_S", 0.01)
    return FakeBus()


@pytest.fixture
def own(bus: FakeBus, outbox: Outbox):
    own = OwnStream(bus, outbox, TOPICS, IDENTITY, clock=lambda: STARTED)
    bus.start()
    return own


def state(stream: str, last_seq: int, source: str = "ads_ingest/a") -> bytes:
    return encode(StreamState(environment=Environment.SIMULATOR, source=source, time=STARTED, stream=stream, last_seq=last_seq))


def status(stream: str, last_seq: int, **changed: object) -> bytes:
    span = OutboxSpan(stream=stream, first_seq=1, last_seq=last_seq, unpublished=0)
    before = Identity("ads_ingest", "a", Environment.SIMULATOR, STARTED - timedelta(days=1))
    return encode(msgspec.structs.replace(before.status(STARTED, online=False, outbox=span), **changed))


def test_a_file_that_is_older_than_what_was_published_begins_a_stream(
    bus: FakeBus, outbox: Outbox, own: OwnStream, capsys: pytest.CaptureFixture[str]
):
    before = outbox.stream
    bus.deliver(STREAM_TOPIC, state(before, 6), retained=True)
    own.settle()
    assert outbox.stream != before
    assert (outbox.span().last_seq, outbox.span().unpublished) == (2, 2)
    assert "a new stream begins" in capsys.readouterr().out


def test_the_last_status_of_the_process_before_tells_it_too(bus: FakeBus, outbox: Outbox, own: OwnStream):
    before = outbox.stream
    bus.deliver(STATUS_TOPIC, status(before, 6), retained=True)
    own.settle()
    assert outbox.stream != before


@pytest.mark.parametrize(
    ("topic", "payload"),
    [
        (STREAM_TOPIC, lambda stream: state(stream, 5)),
        (STREAM_TOPIC, lambda _stream: state("of a file that is gone", 99)),
        (STREAM_TOPIC, lambda stream: state(stream, 99, source="ads_ingest/b")),
        (STREAM_TOPIC, lambda stream: state(stream, 99).replace(b'"last_seq":99', b'"last_seq":%d' % 10**400)),
        (STREAM_TOPIC, lambda stream: state(stream, 99).replace(b'"last_seq":99', b'"last_seq":-99')),
        (STREAM_TOPIC, lambda stream: status(stream, 99)),
        (STREAM_TOPIC, lambda _stream: b""),
        (STREAM_TOPIC, lambda _stream: b"\xff"),
        (STATUS_TOPIC, lambda stream: status(stream, 5)),
        (STATUS_TOPIC, lambda stream: status(stream, 99, source="lmp_ingest/a")),
        (STATUS_TOPIC, lambda stream: status(stream, 99, started_at=STARTED)),
        (STATUS_TOPIC, lambda stream: status(stream, 99, outbox=None)),
        (STATUS_TOPIC, lambda stream: status(stream, 99).replace(b'"last_seq":99', b'"last_seq":%d' % 2**63)),
        (STATUS_TOPIC, lambda _stream: b""),
        (STATUS_TOPIC, lambda _stream: b"{}"),
    ],
)
def test_what_says_no_more_than_the_file_or_is_not_ours_changes_nothing(
    bus: FakeBus, outbox: Outbox, own: OwnStream, topic: str, payload
):
    before = outbox.stream
    bus.deliver(topic, payload(before), retained=True)
    own.settle()
    assert outbox.stream == before
    assert bus.acknowledged == [topic]


def test_a_broker_that_knows_nothing_of_us_is_waited_for_once(outbox: Outbox, own: OwnStream):
    assert not own.settled
    own.settle()
    assert own.settled


def test_without_a_connection_nothing_is_settled(bus: FakeBus, own: OwnStream):
    bus.turn(connected=False)
    with pytest.raises(NotConnected):
        own.settle()
    assert not own.settled


def test_events_that_came_before_the_broker_did_do_not_hide_that_the_file_is_old(bus: FakeBus, outbox: Outbox, own: OwnStream):
    before = outbox.stream
    outbox.commit(STARTED, events=[event(number) for number in range(6, 20)])
    bus.deliver(STREAM_TOPIC, state(before, 8), retained=True)
    own.settle()
    assert outbox.stream != before
    assert outbox.span().unpublished == outbox.span().last_seq == 16


def test_what_we_said_ourselves_begins_no_stream(bus: FakeBus, outbox: Outbox, own: OwnStream):
    before = outbox.stream
    own.settle()
    outbox.commit(STARTED, events=[event(6)])
    own.announce()
    bus.deliver(STREAM_TOPIC, bus.published[-1].payload)
    own.settle()
    assert outbox.stream == before


def test_a_process_that_went_on_with_a_copy_is_found_by_what_it_said(bus: FakeBus, outbox: Outbox, own: OwnStream):
    before = outbox.stream
    own.settle()
    own.announce()
    bus.deliver(STREAM_TOPIC, state(before, 9))
    own.settle()
    assert outbox.stream != before


def test_how_far_the_stream_goes_is_said_once_for_each_number_and_connection(bus: FakeBus, outbox: Outbox, own: OwnStream):
    for _ in range(2):
        own.announce()
    bus.turn(connected=False)
    bus.turn(connected=True)
    own.announce()
    outbox.commit(STARTED, events=[event(6)])
    own.announce()
    bus.deliver(STREAM_TOPIC, b"")
    own.announce()
    assert [(m.topic, m.retain, decode(m.payload).last_seq) for m in bus.published] == [
        (STREAM_TOPIC, True, last_seq) for last_seq in (5, 5, 6, 6)
    ]


def test_a_broker_that_refuses_it_is_told_of_once_and_holds_nothing_up(
    bus: FakeBus, outbox: Outbox, own: OwnStream, capsys: pytest.CaptureFixture[str]
):
    bus.forbidden = {STREAM_TOPIC}
    for number in (6, 7):
        own.announce()
        outbox.commit(STARTED, events=[event(number)])
    assert capsys.readouterr().out.count("will not be noticed") == 1


def test_a_disk_that_cannot_begin_a_stream_lets_no_event_out(bus: FakeBus, outbox: Outbox, own: OwnStream):
    bus.deliver(STREAM_TOPIC, state(outbox.stream, 6), retained=True)
    outbox._database.execute("PRAGMA query_only = 1")
    for _ in range(2):
        with pytest.raises(sqlite3.Error):
            own.settle()
    outbox._database.execute("PRAGMA query_only = 0")
    own.settle()
    assert outbox.span().last_seq == 2


def test_a_restored_outbox_publishes_nothing_under_a_number_that_is_taken(
    tmp_path: Path, bus: FakeBus, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(courier_module, "IDLE_S", 0.01)
    path = tmp_path / "outbox.sqlite"
    run(path, bus, [1, 2])
    shutil.copy(path, tmp_path / "backup.sqlite")
    run(path, bus, [3, 4])
    shutil.copy(tmp_path / "backup.sqlite", path)
    run(path, bus, [5])
    said = [message for message in map(decode, (m.payload for m in bus.published)) if isinstance(message, Dispatch)]
    ids = {(message.stream, message.seq): message.id for message in said}
    assert len(ids) == len({message.id for message in said}) == 5
    assert (said[-1].id, said[-1].seq) == ("id-5", 1)


def run(path: Path, bus: FakeBus, numbers: list[int]) -> None:
    """One process, from the broker's retained message to the last event of its own."""
    outbox = Outbox(path, max_age_s=3600, max_bytes=10**9)
    retained = [message for message in bus.published if message.topic == STREAM_TOPIC]
    bus._subscribers = TopicFilters()
    bus._listeners.clear()
    courier = Courier(bus, outbox, TOPICS, IDENTITY, clock=lambda: STARTED)
    outbox.commit(STARTED, events=[event(number) for number in numbers])
    bus.turn(connected=True)
    for message in retained[-1:]:
        bus.deliver(STREAM_TOPIC, message.payload, retained=True)
    courier.start()
    eventually(lambda: outbox.span().unpublished == 0)
    courier.stop()
    outbox.close()


def test_a_consumer_that_has_other_events_under_our_numbers_gets_all_that_is_kept_under_others(outbox: Outbox, own: OwnStream):
    before = outbox.stream
    own.settle()
    own.give_other_numbers("of a file that is gone")
    assert outbox.stream == before
    own.give_other_numbers(before)
    assert outbox.stream != before
    assert (outbox.span().first_seq, outbox.span().last_seq, outbox.span().unpublished) == (1, 5, 5)
    assert [decode(kept.payload).id for kept in outbox.unpublished(9)] == [f"id-{number}" for number in range(1, 6)]
