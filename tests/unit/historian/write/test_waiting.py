"""What waits is taken in the order in which it came, and has its room until it is in the database."""

import threading
from datetime import timedelta

import pytest

from dotbus.runtime.bus_messages import Delivery
from dotbus.testing.samples import AT
from historian.write.waiting import Waiting


def delivery(second: int) -> Delivery:
    return Delivery("topic", b"payload", retained=False, received_at=AT + timedelta(seconds=second))


def large(second: int) -> Delivery:
    return Delivery("topic", b" " * 300_000, retained=False, received_at=AT + timedelta(seconds=second))


@pytest.fixture
def waiting() -> Waiting:
    return Waiting(1_000_000, threading.Event(), lambda _topic, payload: len(payload))


def test_where_nothing_waits_nothing_is_old(waiting: Waiting):
    assert (len(waiting), waiting.oldest_at) == (0, None)


def test_the_oldest_of_what_waits_says_since_when(waiting: Waiting):
    for second in (1, 2, 3):
        waiting.put(delivery(second))
    assert waiting.oldest_at == AT + timedelta(seconds=1)
    waiting.take(2, 1_000_000, 0.0)
    assert waiting.oldest_at == AT + timedelta(seconds=3)


def put_later(waiting: Waiting, *deliveries: Delivery) -> threading.Thread:
    thread = threading.Thread(target=lambda: [waiting.put(each) for each in deliveries])
    thread.start()
    return thread


def test_what_was_taken_keeps_its_room_until_it_is_in_the_database(waiting: Waiting):
    for second in range(3):
        waiting.put(large(second))
    taken = waiting.take(2, 1_000_000, 0.0)
    assert waiting.waiting_bytes == 3 * taken.size // 2
    thread = put_later(waiting, large(3))
    assert len(waiting) == 1
    waiting.release(taken.size)
    thread.join()
    assert len(waiting) == 2
    assert waiting.waiting_bytes == taken.size


def test_one_that_is_larger_than_all_room_is_taken_alone(waiting: Waiting):
    huge = Delivery("topic", b" " * 5_000_000, retained=False, received_at=AT)
    waiting.put(huge)
    thread = put_later(waiting, delivery(1))
    taken = waiting.take(5000, 1_000, 0.0)
    assert taken.deliveries == [huge]
    waiting.release(taken.size)
    thread.join()
    assert waiting.take(5000, 1_000, 0.0).deliveries == [delivery(1)]


def test_a_batch_is_no_larger_than_asked_unless_its_first_is(waiting: Waiting):
    for second in range(3):
        waiting.put(large(second))
    assert [len(waiting.take(5000, size, 0.0).deliveries) for size in (1, 700_000)] == [1, 2]
