"""What a message takes once it is read is known before it is read, never too low."""

import tracemalloc

import msgspec
import pytest

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import MAX_NODES
from dotbus.contracts.topics import Topics
from dotbus.testing import samples
from historian.write.reading.record import Recorded, Recorder, Refused
from historian.write.reading.size import MAX_PAYLOAD_BYTES

TOPICS = Topics()
PRICES, DISPATCH = TOPICS.prices("RTM"), TOPICS.dispatch("sierra", "TEST_RESOURCE_1")
COLUMNS = [name for name in samples.prices().__struct_fields__ if name.endswith("_per_mwh")]


def prices(count: int) -> bytes:
    names = tuple(f"NODE_{place:06}" for place in range(count))
    columns = {column: tuple(place / 8 for place in range(count)) for column in COLUMNS}
    return encode(msgspec.structs.replace(samples.prices(), nodes=names, **columns))


def dispatch(segments: int) -> bytes:
    """With segments that take two bytes each and are a structure nevertheless."""
    whole = encode(msgspec.structs.replace(samples.dispatch(), instructions=(samples.instruction(),)))
    before, _, after = whole.rpartition(b'"details":[')
    return before + b'"details":[' + b",".join([b"{}"] * segments) + after[after.index(b"]") :]


@pytest.mark.parametrize(
    ("topic", "payload"),
    [(PRICES, prices(1)), (PRICES, prices(MAX_NODES)), (DISPATCH, dispatch(1)), (DISPATCH, dispatch(90_000))],
)
def test_a_message_takes_no_more_than_is_said_beforehand(topic: str, payload: bytes):
    recorder = Recorder(TOPICS)
    recorder.record(topic, payload)
    tracemalloc.start()
    try:
        meaning = recorder.record(topic, payload)
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert isinstance(meaning, Recorded)
    assert taken <= recorder.memory_bytes(topic, payload)


@pytest.mark.parametrize(
    ("topic", "payload", "reason"),
    [
        (PRICES, prices(MAX_NODES + 1), f"length <= {MAX_NODES}"),
        (PRICES, b"," * 700_000, "700001 values in one message; the most that are read are 700000"),
        (DISPATCH, dispatch(100_001), "values in one message; the most that are read are 100000"),
        (PRICES, b" " * (MAX_PAYLOAD_BYTES + 1), "8388609 bytes; the largest message that is read has 8388608"),
    ],
)
def test_what_is_too_much_is_refused_with_the_bound(topic: str, payload: bytes, reason: str):
    meaning = Recorder(TOPICS).record(topic, payload)
    assert isinstance(meaning, Refused)
    assert reason in meaning.reason


def test_what_is_too_large_is_not_read_and_takes_what_came():
    payload = b"," * (MAX_PAYLOAD_BYTES + 1)
    assert Recorder(TOPICS).memory_bytes(PRICES, payload) == len(payload)
