"""What waits is taken in the order in which it came, and has its room until it is in the database."""

import threading
from datetime import timedelta

import msgspec
import pytest

from dotbus.runtime.mqtt.messages import Delivery
from dotbus.testing.samples import AT
from historian.write.waiting import Waiting


def delivery(second: int, size: int = 7) -> Delivery:
    return Delivery("topic", b" " * size, retained=False, received_at=AT + timedelta(seconds=second))


@pytest.fixture
def waiting() -> Waiting:
    """Room for a megabyte as it comes, and for two as they are read, which is twice as much."""
    return Waiting(3_000_000, threading.Event(), lambda _topic, payload: 2 * len(payload))


def put_later(waiting: Waiting, *deliveries: Delivery) -> threading.Thread:
    thread = threading.Thread(target=lambda: [waiting.put(each) for each in deliveries])
    thread.start()
    return thread


def test_where_nothing_waits_nothing_is_old(waiting: Waiting):
    assert (len(waiting), waiting.oldest_at) == (0, None)


def test_the_oldest_of_what_waits_says_since_when(waiting: Waiting):
    for second in (1, 2, 3):
        waiting.put(delivery(second))
    assert waiting.oldest_at == AT + timedelta(seconds=1)
    waiting.take(2, 1_000_000, 0.0)
    assert waiting.oldest_at == AT + timedelta(seconds=3)


def test_who_brings_more_than_may_wait_waits_himself(waiting: Waiting):
    for second in range(3):
        waiting.put(delivery(second, 300_000))
    thread = put_later(waiting, delivery(3, 300_000))
    assert len(waiting) == 3
    waiting.take(1, 2_000_000, 0.0)
    thread.join()
    assert len(waiting) == 3


def test_what_was_taken_keeps_its_room_until_it_is_in_the_database(waiting: Waiting):
    for second in range(3):
        waiting.put(delivery(second, 300_000))
    first = waiting.take(2, 2_000_000, 0.0)
    assert waiting.waiting_bytes > 2 * 600_000 + 300_000
    waiting.put(delivery(3, 300_000))
    assert len(waiting.take(5000, 2_000_000, 0.0).deliveries) == 1, "of two more only one has room beside the first two"
    assert waiting.take(5000, 2_000_000, 0.0).deliveries == []
    waiting.release(first.size)
    assert waiting.take(5000, 2_000_000, 0.0).deliveries == [delivery(3, 300_000)]


def test_one_that_is_larger_than_all_room_is_taken_alone(waiting: Waiting):
    huge = delivery(0, 5_000_000)
    waiting.put(delivery(1))
    first = waiting.take(5000, 1_000_000, 0.0)
    waiting.put(huge)
    thread = put_later(waiting, delivery(2))
    assert waiting.take(5000, 1_000_000, 0.0).deliveries == []
    waiting.release(first.size)
    taken = waiting.take(5000, 1_000_000, 0.0)
    assert taken.deliveries == [huge]
    thread.join()
    assert waiting.take(5000, 1_000_000, 0.0).deliveries == []
    waiting.release(taken.size)
    assert waiting.take(5000, 1_000_000, 0.0).deliveries == [delivery(2)]


def test_a_batch_is_no_larger_than_asked_unless_its_first_is(waiting: Waiting):
    for second in range(3):
        waiting.put(delivery(second, 300_000))
    first = waiting.take(5000, 1, 0.0)
    assert len(first.deliveries) == 1
    waiting.release(first.size)
    assert len(waiting.take(5000, 700_000, 0.0).deliveries) == 1


def test_what_only_requests_need_has_its_room_as_well(waiting: Waiting):
    """Anybody may add it to anything, and the broker hands it on."""
    answer = {"response_topic": "r" * 150_000, "correlation": b"c" * 150_000}
    for second in range(3):
        waiting.put(msgspec.structs.replace(delivery(second), **answer))
    thread = put_later(waiting, delivery(3, 300_000))
    assert len(waiting) == 3
    waiting.take(1, 2_000_000, 0.0)
    thread.join()
    assert len(waiting) == 3
