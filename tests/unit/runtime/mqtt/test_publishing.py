"""What goes to a broker when, worked out with brokers that are played here."""

import itertools
import threading
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from waiting import eventually

from dotbus.runtime.mqtt.messages import NotConnected, Outgoing, PublishTimedOut
from dotbus.runtime.mqtt.packets import encode_publish
from dotbus.runtime.mqtt.publishing import Pair, Publishing

LONG_S = 10.0


def pairs(*payloads: bytes) -> list[Pair]:
    return [(Outgoing("t", payload), encode_publish("t", payload, b"", retain=False)) for payload in payloads]


class Played:
    """A connection whose other end is the test.

    Attributes:
        sent: numbers and payloads, in the order in which they went.
    """

    def __init__(self, at_once: int = 100, numbers: Callable[[], int] | None = None) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.writes = 0
        self.publishing = Publishing(threading.Condition(), self._send, numbers or itertools.count(1).__next__)
        self.publishing.begin(at_once)

    def _send(self, packets: bytes) -> None:
        self.writes += 1
        while packets:  # b"2" LENGTH "\0\1t" NUMBER PAYLOAD, all of them short
            length = packets[1]
            self.sent.append((int.from_bytes(packets[5:7], "big"), packets[7 : 2 + length]))
            packets = packets[2 + length :]

    def publish(self, *payloads: bytes, timeout_s: float = LONG_S) -> "Call":
        """Publish in a thread of its own, and return once the messages wait or went."""
        return Call(lambda: self.publishing.publish(pairs(*payloads), timeout_s))


class Call(threading.Thread):
    """A call that waits."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self._work = work
        self.result: object = None
        self.start()

    def run(self) -> None:
        try:
            self.result = self._work()
        except Exception as error:  # noqa: BLE001  # it is looked at
            self.result = error

    def ended(self) -> object:
        """What came of it."""
        self.join(LONG_S)
        assert not self.is_alive()
        return self.result


def test_without_a_connection_nothing_is_published():
    played = Played()
    played.publishing.end()
    with pytest.raises(NotConnected):
        played.publishing.publish(pairs(b"a"), LONG_S)
    assert played.sent == []


def test_messages_of_one_call_go_in_one_write():
    played = Played()
    call = played.publish(*(b"%d" % n for n in range(50)))
    eventually(lambda: len(played.sent) == 50)
    assert played.writes == 1
    played.publishing.answered([(n, 0) for n in range(1, 51)])
    assert call.ended() == []


def test_no_more_are_on_their_way_than_the_broker_takes_and_each_answer_lets_the_next_go():
    played = Played(at_once=2)
    call = played.publish(b"a", b"b", b"c", b"d")
    eventually(lambda: len(played.sent) == 2)
    played.publishing.answered([(1, 0)])
    assert [payload for _, payload in played.sent] == [b"a", b"b", b"c"]
    played.publishing.answered([(2, 0), (3, 0), (4, 0)])
    assert [payload for _, payload in played.sent] == [b"a", b"b", b"c", b"d"]
    played.publishing.answered([(4, 0)])
    assert call.ended() == []


def test_the_refused_are_named_with_the_reason_and_the_others_are_taken():
    played = Played()
    call = played.publish(b"a", b"b", b"c")
    eventually(lambda: len(played.sent) == 3)
    played.publishing.answered([(3, 0x10), (2, 0x87), (1, 0)])
    assert call.ended() == [(Outgoing("t", b"b"), 0x87)]


def test_calls_of_several_threads_stay_together_and_in_order():
    played = Played(at_once=1)
    first = played.publish(b"a1", b"a2")
    eventually(lambda: len(played.sent) == 1)
    second = played.publish(b"b1", b"b2")
    eventually(lambda: len(played.publishing._waiting) == 2)
    for number in range(1, 5):
        played.publishing.answered([(number, 0)])
    assert (first.ended(), second.ended()) == ([], [])
    assert [payload for _, payload in played.sent] == [b"a1", b"a2", b"b1", b"b2"]


def test_when_the_connection_goes_whoever_waits_is_told_and_nothing_goes_on_the_next():
    played = Played(at_once=1)
    calls = [played.publish(b"a", b"b")]
    eventually(lambda: played.sent)
    calls.append(played.publish(b"c"))
    eventually(lambda: len(played.publishing._waiting) == 2)
    played.publishing.end()
    assert [type(call.ended()) for call in calls] == [NotConnected, NotConnected]
    played.publishing.begin(10)
    call = played.publish(b"d")
    eventually(lambda: [payload for _, payload in played.sent] == [b"a", b"d"])
    played.publishing.answered([(2, 0)])
    assert call.ended() == []


def test_after_a_time_out_what_has_not_gone_goes_no_more_and_what_went_keeps_its_place():
    played = Played(at_once=2)
    assert isinstance(played.publish(b"a", b"b", b"c", timeout_s=0.01).ended(), PublishTimedOut)
    call = played.publish(b"d")
    eventually(lambda: played.publishing._waiting)
    assert [payload for _, payload in played.sent] == [b"a", b"b"]
    played.publishing.answered([(1, 0)])
    assert [payload for _, payload in played.sent] == [b"a", b"b", b"d"]
    played.publishing.answered([(3, 0)])
    assert call.ended() == []


def test_a_number_that_may_still_be_answered_names_no_other_message():
    numbers = iter([1, 1, 2])
    played = Played(numbers=lambda: next(numbers))
    assert isinstance(played.publish(b"a", timeout_s=0.01).ended(), PublishTimedOut)
    call = played.publish(b"b")
    eventually(lambda: played.sent == [(1, b"a"), (2, b"b")])
    played.publishing.answered([(1, 0x87)])
    assert call.is_alive()
    played.publishing.answered([(2, 0)])
    assert call.ended() == []


def test_an_answer_to_nothing_is_passed_over():
    Played().publishing.answered([(7, 0)])


def test_nothing_to_publish_waits_for_nothing_even_when_the_broker_takes_no_more():
    played = Played(at_once=1)
    call = played.publish(b"a")
    eventually(lambda: played.sent)
    assert played.publishing.publish([], LONG_S) == []
    played.publishing.answered([(1, 0)])
    assert call.ended() == []


def test_large_messages_go_in_several_writes():
    encoded = encode_publish("t", bytes(100_000), b"", retain=False)
    writes: list[int] = []
    publishing = Publishing(threading.Condition(), lambda packets: writes.append(len(packets)), itertools.count(1).__next__)
    publishing.begin(10)
    with pytest.raises(PublishTimedOut):
        publishing.publish([(Outgoing("t", b""), encoded)] * 3, 0)
    assert writes == [encoded.size] * 3


@given(at_once=st.integers(1, 5), count=st.integers(1, 12), data=st.data())
def test_whatever_the_order_of_the_answers_all_go_in_order_within_the_limit(at_once: int, count: int, data: st.DataObject):
    played = Played(at_once)
    call = played.publish(*(b"%d" % n for n in range(count)))
    eventually(lambda: len(played.sent) == min(at_once, count), every_s=0)
    unanswered = {number for number, _ in played.sent}
    while unanswered:
        seen = len(played.sent)
        number = data.draw(st.sampled_from(sorted(unanswered)))
        played.publishing.answered([(number, 0)])
        unanswered = unanswered - {number} | {number for number, _ in played.sent[seen:]}
        assert len(unanswered) <= at_once
    assert call.ended() == []
    assert [payload for _, payload in played.sent] == [b"%d" % n for n in range(count)]
