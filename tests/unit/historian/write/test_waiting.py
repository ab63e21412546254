"""What waits is taken in the order in which it came, and its oldest says since when something waits."""

import threading
from datetime import timedelta

import pytest

from dotbus.runtime.bus_messages import Delivery
from dotbus.testing.samples import AT
from historian.write.waiting import Waiting


def delivery(second: int) -> Delivery:
    return Delivery("topic", b"payload", retained=False, received_at=AT + timedelta(seconds=second))


@pytest.fixture
def waiting() -> Waiting:
    return Waiting(1_000_000, threading.Event())


def test_where_nothing_waits_nothing_is_old(waiting: Waiting):
    assert (len(waiting), waiting.oldest_at) == (0, None)


def test_the_oldest_of_what_waits_says_since_when(waiting: Waiting):
    for second in (1, 2, 3):
        waiting.put(delivery(second))
    assert waiting.oldest_at == AT + timedelta(seconds=1)
    waiting.take(2, 1_000_000, 0.0)
    assert waiting.oldest_at == AT + timedelta(seconds=3)
