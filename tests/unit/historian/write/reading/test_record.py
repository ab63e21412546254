"""A delivery is an event, a word of a source, or refused with its reason; nobody is believed about anybody else."""

import json

import msgspec
import pytest
from historian_parts import topic_of
from hypothesis import given
from hypothesis import strategies as st

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import OutboxSpan
from dotbus.contracts.topics import Topics
from dotbus.testing import samples
from historian.write.reading.record import Position, Recorded, Recorder, Refused, Stream, Withdrawn
from historian.write.reading.size import MAX_PAYLOAD_BYTES

TOPICS = Topics()
DISPATCH = TOPICS.dispatch("sierra", "TEST_RESOURCE_1")
TRAJECTORY = TOPICS.trajectory_batch("sierra", "TEST_RESOURCE_1")
RESPONSE = TOPICS.response("sierra", "TEST_RESOURCE_1")
PRICES = TOPICS.prices("RTM")
GAP = TOPICS.gap("ads_ingest", "a")
STATUS = TOPICS.service("ads_ingest", "a")
ADS = Stream("simulator", "ads_ingest/a", samples.STREAM)
record = Recorder(TOPICS).record


def refusal(topic, message):
    refused = record(topic, message if isinstance(message, bytes) else encode(message))
    assert isinstance(refused, Refused)
    return refused


@pytest.mark.parametrize(
    ("message", "topic"),
    [
        (samples.dispatch(), DISPATCH),
        (samples.trajectory_batch(), TRAJECTORY),
        (samples.answered(), RESPONSE),
        (samples.prices(), PRICES),
        (samples.upstream_gap(), GAP),
    ],
)
def test_an_event_comes_out_whole_with_its_place(message, topic):
    recorded = record(topic, encode(message))
    assert isinstance(recorded, Recorded)
    assert msgspec.convert(recorded.event, type(message), from_attributes=True) == message
    assert recorded.position == Position(Stream("simulator", message.source, message.stream), message.seq)


def test_what_sources_say_of_themselves_comes_out_whole():
    status, reply = samples.service_status(), samples.replay_reply()
    assert record(STATUS, encode(status)) == status
    assert record(TOPICS.replay_reply("ads_ingest", "a"), encode(reply)) == reply


def test_a_cleared_status_is_no_message_and_no_fault():
    assert record(STATUS, b"") == Withdrawn()
    assert isinstance(record(DISPATCH, b""), Refused)
    assert isinstance(record("elsewhere/service/ads_ingest/a", b""), Refused)


@pytest.mark.parametrize(
    ("topic", "message", "reason"),
    [
        ("elsewhere/plant/sierra/R/dispatch", samples.dispatch(), "no topic of ours"),
        (TOPICS.dispatch("delta", "TEST_RESOURCE_1"), samples.dispatch(), "its topic is"),
        (TOPICS.trajectory_batch("sierra", "TEST_RESOURCE_1"), samples.dispatch(), "its topic is"),
        (TOPICS.response("delta", "TEST_RESOURCE_1"), samples.answered(), "its topic is"),
        (RESPONSE, msgspec.structs.replace(samples.answered(), requested_by="x" * 201), "length <= 200 - at `$.requested_by`"),
        (TOPICS.prices("DAM"), samples.prices(), "its topic is"),
        (TOPICS.service("ads_ingest", "b"), samples.service_status(), "its topic is"),
        (TOPICS.replay_reply("lmp_ingest", "a"), samples.replay_reply(), "its topic is"),
        (TOPICS.dot("sierra", "TEST_RESOURCE_1"), samples.dot(), "not kept here"),
        (PRICES, msgspec.structs.replace(samples.prices(), nodes=("A",)), "one entry for each node"),
        (DISPATCH, msgspec.structs.replace(samples.dispatch(), source="s" * 201), "beyond bounds"),
        (DISPATCH, msgspec.structs.replace(samples.dispatch(), seq=2**63), str(2**63 - 1)),
        (DISPATCH, msgspec.structs.replace(samples.dispatch(), seq=2**63 - 1), "beyond bounds"),
        (PRICES, msgspec.structs.replace(samples.prices(), nodes=("A", "A")), "twice"),
        (PRICES, msgspec.structs.replace(samples.prices(), id="i" * 201), "length <= 200 - at `$.id`"),
        (DISPATCH, msgspec.structs.replace(samples.dispatch(), id="i" * 201), "length <= 200 - at `$.id`"),
        (STATUS, msgspec.structs.replace(samples.service_status(), source="lmp_ingest/a"), "another source"),
        (TOPICS.gap("ads_ingest", "b"), samples.upstream_gap(), "its topic is"),
    ],
)
def test_what_contradicts_its_topic_or_itself_is_refused(topic, message, reason):
    assert reason in refusal(topic, message).reason


def test_an_instruction_of_another_resource_is_refused():
    stranger = msgspec.structs.replace(samples.instruction(), resource_id="ANOTHER")
    assert "another resource" in refusal(DISPATCH, msgspec.structs.replace(samples.dispatch(), instructions=(stranger,))).reason


@pytest.mark.parametrize(
    "outbox",
    [
        OutboxSpan(stream="s", first_seq=2**65, last_seq=10, unpublished=0),
        OutboxSpan(stream="s", first_seq=1, last_seq=2**63 - 1, unpublished=0),
        OutboxSpan(stream="s", first_seq=1, last_seq=10**300, unpublished=0),
        OutboxSpan(stream="s", first_seq=1, last_seq=10, unpublished=10**300),
        OutboxSpan(stream="s", first_seq=1, last_seq=10, unpublished=-1),
        OutboxSpan(stream="s", first_seq=-1, last_seq=10, unpublished=0),
        OutboxSpan(stream="s", first_seq=12, last_seq=10, unpublished=0),
        OutboxSpan(stream="s", first_seq=None, last_seq=-5, unpublished=0),
        OutboxSpan(stream="s" * 40_000, first_seq=1, last_seq=10, unpublished=0),
    ],
)
def test_an_outbox_that_there_cannot_be_is_refused(outbox):
    assert refusal(STATUS, msgspec.structs.replace(samples.service_status(), outbox=outbox)).position is None


@pytest.mark.parametrize(
    "outbox",
    [
        None,
        OutboxSpan(stream="s", first_seq=None, last_seq=None, unpublished=0),
        OutboxSpan(stream="s", first_seq=None, last_seq=10, unpublished=0),
        OutboxSpan(stream="s", first_seq=3, last_seq=10, unpublished=8),
    ],
)
def test_an_outbox_may_be_empty_or_wait(outbox):
    status = msgspec.structs.replace(samples.service_status(), outbox=outbox)
    assert record(STATUS, encode(status)) == status


def test_a_quantity_that_there_cannot_be_is_refused_with_its_place_since_nobody_could_have_a_sum_of_it():
    huge = msgspec.structs.replace(samples.instruction(), dot_mw=1e308)
    dispatch = msgspec.structs.replace(samples.dispatch(), instructions=(huge,))
    prices = msgspec.structs.replace(samples.prices(), lmp_usd_per_mwh=(-1.1e15, 1.0))
    telemetry = msgspec.structs.replace(samples.telemetry(), value=3e38)

    assert refusal(DISPATCH, dispatch).position is not None, "it has come, and is not asked for again"
    assert "`$.instructions[0].dot_mw`" in refusal(DISPATCH, dispatch).reason
    assert "`$.lmp_usd_per_mwh[0]`" in refusal(PRICES, prices).reason
    assert refusal(topic_of(telemetry), telemetry).reason == "the value 3e+38 is beyond 1e+15"


def test_a_number_with_400_digits_is_refused():
    payload = encode(samples.service_status()).replace(b'"last_seq":2', b'"last_seq":1' + b"0" * 400)
    assert "last_seq" in refusal(STATUS, payload).reason


def test_a_message_beyond_all_bounds_is_not_even_read():
    assert str(61_000_000) in refusal(PRICES, b" " * 61_000_000).reason
    assert "truncated" in refusal(PRICES, b" " * MAX_PAYLOAD_BYTES).reason


def test_a_reason_is_short_whatever_was_said():
    message = msgspec.structs.replace(samples.dispatch(), resource_id="r" * 1_000_000)
    assert len(refusal(DISPATCH, message).reason) <= 500


def of_another_version(seq):
    return json.dumps({**json.loads(encode(samples.dispatch())), "version": 9, "seq": seq}).encode()


def test_a_refused_event_keeps_its_place_when_it_can_be_read():
    refused = refusal(DISPATCH, of_another_version(41))
    assert refused == Refused("version 9 of a message; this software speaks version 1", Position(ADS, 41))


@pytest.mark.parametrize("source", ["", "/", "x", "ads_ingest", "ads_ingest/", "/a"])
def test_a_source_that_no_topic_can_name_is_refused(source):
    """It could not be asked for what is missing, nor told that it gave its numbers twice."""
    refused = refusal(DISPATCH, msgspec.structs.replace(samples.dispatch(), source=source))
    assert ("SERVICE/INSTANCE" in refused.reason, refused.position) == (True, None)
    service, _, instance = source.partition("/")
    names = {"source": f"{service}/{instance}", "service": service, "instance": instance}
    status = msgspec.structs.replace(samples.service_status(), **names)
    assert "SERVICE/INSTANCE" in refusal(f"dotbus/v1/service/{service}/{instance}", status).reason
    reply = msgspec.structs.replace(samples.replay_reply(), source=f"{service}/{instance}")
    assert "SERVICE/INSTANCE" in refusal(f"dotbus/v1/service/{service}/{instance}/replay/reply", reply).reason


@pytest.mark.parametrize("topic", [STATUS, TOPICS.service("modbus_gateway", "g"), "elsewhere", TOPICS.dot("sierra", "R")])
def test_nobody_says_on_another_topic_that_an_event_has_come(topic):
    """Else who may publish his own status only could hide that an event of another is missing."""
    assert refusal(topic, of_another_version(41)).position is None
    assert refusal(topic, samples.dispatch()).position is None


def test_no_name_holds_what_postgresql_refuses():
    recorded = record(DISPATCH, encode(msgspec.structs.replace(samples.dispatch(), stream="a\0b")))
    assert (recorded.position.stream.stream, recorded.event.stream) == ("a␀b", "a␀b")


def test_a_text_of_a_status_holds_nothing_that_postgresql_refuses():
    status = msgspec.structs.replace(samples.service_status(), cursors={"a\0": "b\0"})
    assert record(STATUS, encode(status)).cursors == {"a␀": "b␀"}


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
@pytest.mark.parametrize("message", [samples.service_status(), samples.dispatch()])
def test_a_time_that_no_calendar_has_is_refused(message, time):
    """UTC puts it into the year 0 or 10000, which PostgreSQL keeps and nobody can read back."""
    document = {**json.loads(encode(message)), "time": time}
    topic = DISPATCH if "seq" in document else STATUS
    assert "calendar" in refusal(topic, json.dumps(document).encode()).reason


@given(st.binary(max_size=60) | st.text(max_size=30).map(lambda text: json.dumps(text).encode()))
def test_arbitrary_bytes_are_refused_and_never_raise(payload):
    assert isinstance(record(DISPATCH, payload), Refused)


@pytest.mark.parametrize("damage", [b"", b","])
@pytest.mark.parametrize(
    ("topic", "message"),
    [
        (PRICES, msgspec.structs.replace(samples.prices(), source="ads_ingest/a")),
        (DISPATCH, msgspec.structs.replace(samples.dispatch(), source="lmp_ingest/a")),
        (GAP, msgspec.structs.replace(samples.upstream_gap(), source="ads_ingest/b")),
        (TOPICS.gap("lmp_ingest", "a"), msgspec.structs.replace(samples.upstream_gap(), source="ads_ingest/a")),
    ],
)
def test_whoever_may_say_other_events_cannot_hide_that_one_of_a_source_is_missing(topic, message, damage):
    payload = encode(message).replace(b'"version":1', b'"version":1' if not damage else b'"version":9')
    refused = Recorder(Topics()).record(topic, payload)
    assert isinstance(refused, Refused)
    assert refused.position is None
