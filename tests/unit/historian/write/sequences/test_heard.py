"""What sources say of themselves is kept until somebody looks, and takes a bounded room whatever they say."""

import msgspec

from dotbus.contracts.messages import MAX_RANGES
from dotbus.testing import samples
from historian.write.sequences.heard import MAX_LOST_RANGES, MAX_WORDS, Heard

replace = msgspec.structs.replace
STATUS, REPLY = samples.service_status(), samples.replay_reply()


def test_words_come_out_once_and_in_their_order():
    heard = Heard()
    heard.add([STATUS, REPLY])
    heard.add([STATUS])
    assert [type(word) for word in heard.take()] == [type(STATUS), type(REPLY), type(STATUS)]
    assert heard.take() == []


def test_all_that_tells_of_gaps_is_kept_and_nothing_else():
    heard = Heard()
    heard.add([replace(STATUS, cursors={"a": "b" * 1_000_000}), replace(REPLY, detail="d" * 1_000_000)])
    status, reply = heard.take()
    assert (status.environment, status.source, status.online) == (STATUS.environment, STATUS.source, STATUS.online)
    assert (status.outbox, status.cursors) == (STATUS.outbox, {})
    told = (REPLY.source, REPLY.stream, REPLY.first_seq, REPLY.last_seq, REPLY.lost, REPLY.oldest_seq)
    assert (reply.source, reply.stream, reply.first_seq, reply.last_seq, reply.lost, reply.oldest_seq) == told
    assert reply.detail == ""


def test_of_more_words_than_there_is_room_for_the_last_are_kept():
    heard = Heard()
    heard.add(replace(STATUS, certificate_days_left=float(number)) for number in range(MAX_WORDS + 5))
    kept = heard.take()
    assert (len(kept), kept[-1].certificate_days_left) == (MAX_WORDS, MAX_WORDS + 4)


def test_replies_name_so_many_lost_ranges_and_no_more_until_somebody_looks():
    heard = Heard()
    full = replace(REPLY, lost=tuple((3 * n + 1, 3 * n + 1) for n in range(MAX_RANGES)))
    heard.add([full] * 10)
    assert sum(len(reply.lost) for reply in heard.take()) == MAX_LOST_RANGES
    heard.add([full])
    assert len(heard.take()[0].lost) == MAX_RANGES
