"""What is missing is asked for when it stays away, given up when its source lost it, and never asked for too often."""

from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest
from historian.gaps import Action, Gaps
from historian.record import Stream

from dotbus.contracts.messages import OutboxSpan
from dotbus.runtime.sequence import SequenceRanges
from dotbus.testing import samples

STREAM = Stream("simulator", "ads_ingest/a", samples.STREAM)
GRACE_S = 5.0


def at(second: float):
    return samples.AT + timedelta(seconds=second)


def status(first_seq, last_seq, *, unpublished=0, online=True, stream=samples.STREAM):
    span = OutboxSpan(stream=stream, first_seq=first_seq, last_seq=last_seq, unpublished=unpublished)
    return msgspec.structs.replace(samples.service_status(), outbox=span, online=online)


def came(*ranges):
    return SequenceRanges.of(ranges)


@pytest.fixture
def gaps() -> Gaps:
    return Gaps(GRACE_S, 300.0, lambda: 0.0)


def test_nothing_is_asked_for_while_nothing_is_missing(gaps):
    gaps.heard_status(status(1, 10))
    assert [gaps.look(STREAM, came((1, 10)), at(second)) for second in (0, 10, 1000)] == [None] * 3


def test_a_jump_is_asked_for_after_the_grace(gaps):
    gaps.heard_status(status(1, 7))
    seen = came((1, 7), (10, 10))
    assert gaps.look(STREAM, seen, at(0)) is None
    assert gaps.look(STREAM, seen, at(4.9)) is None
    assert gaps.look(STREAM, seen, at(5)) == Action(STREAM, ask=((8, 9),), lost=())


def test_what_a_source_published_and_never_came_is_asked_for(gaps):
    gaps.heard_status(status(1, 3))
    assert gaps.streams == {STREAM}
    gaps.look(STREAM, came(), at(0))
    assert gaps.look(STREAM, came(), at(5)) == Action(STREAM, ask=((1, 3),), lost=())


def test_what_waits_in_the_outbox_is_not_missing(gaps):
    gaps.heard_status(status(1, 10, unpublished=4))
    assert gaps.look(STREAM, came((1, 6)), at(0)) is None
    assert gaps.look(STREAM, came((1, 6)), at(100)) is None
    assert gaps.missing == 0


def test_while_some_of_it_comes_the_rest_is_waited_for(gaps):
    gaps.heard_status(status(1, 100))
    gaps.look(STREAM, came(), at(0))
    assert gaps.look(STREAM, came((1, 50)), at(5)) is None
    assert gaps.look(STREAM, came((1, 50)), at(9.9)) is None
    assert gaps.look(STREAM, came((1, 50)), at(10)) == Action(STREAM, ask=((51, 100),), lost=())


def test_the_same_is_asked_for_again_with_growing_pauses(gaps):
    gaps.heard_status(status(1, 2))
    asked = [second for second in range(2000) if gaps.look(STREAM, came((2, 2)), at(second))]
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert asked[0] == 5
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300]


def test_a_long_gap_is_asked_for_in_pieces_and_not_all_at_once(gaps):
    gaps.heard_status(status(1, 25_000))
    gaps.look(STREAM, came(), at(0))
    action = gaps.look(STREAM, came(), at(5))
    assert action.ask == tuple((first, first + 999) for first in range(1, 10_001, 1000))


def test_what_the_source_no_longer_keeps_is_lost_and_the_rest_is_asked_for(gaps):
    gaps.heard_status(status(6, 10))
    gaps.look(STREAM, came((2, 3)), at(0))
    assert gaps.look(STREAM, came((2, 3)), at(5)) == Action(STREAM, ask=((6, 10),), lost=((1, 1), (4, 5)))


def test_a_source_that_keeps_nothing_any_more_has_lost_what_is_missing(gaps):
    gaps.heard_status(status(None, 10))
    gaps.look(STREAM, came((1, 4)), at(0))
    assert gaps.look(STREAM, came((1, 4)), at(5)) == Action(STREAM, ask=(), lost=((5, 10),))


@pytest.mark.parametrize(("oldest_seq", "lost"), [(None, ((1, 4),)), (3, ((1, 2),)), (1, ())])
def test_a_reply_says_what_the_source_still_has(gaps, oldest_seq, lost):
    other = Stream("simulator", "ads_ingest/a", "an earlier outbox")
    gaps.heard_status(status(1, 1))
    gaps.look(other, came((5, 5)), at(0))
    assert gaps.look(other, came((5, 5)), at(5)) == Action(other, ask=((1, 4),), lost=())
    reply = msgspec.structs.replace(samples.replay_reply(), stream=other.stream, first_seq=1, last_seq=4, oldest_seq=oldest_seq)
    gaps.heard_reply(reply)
    assert gaps.look(other, came((5, 5)), at(10)).lost == lost


def test_a_source_that_is_away_is_not_asked(gaps):
    gaps.heard_status(status(1, 5))
    gaps.heard_status(status(None, None, online=False))
    gaps.look(STREAM, came((5, 5)), at(0))
    assert gaps.look(STREAM, came((5, 5)), at(5)).ask == ()
    gaps.heard_status(status(1, 5))
    assert gaps.look(STREAM, came((5, 5)), at(10)).ask == ((1, 4),)


def test_how_much_is_missing_is_counted_over_all_streams(gaps):
    other = Stream("simulator", "lmp_ingest/a", "s")
    gaps.look(STREAM, came((3, 3)), at(0))
    gaps.look(other, came((1, 1), (9, 9)), at(0))
    assert gaps.missing == 2 + 7
    gaps.look(other, came((1, 9)), at(1))
    assert gaps.missing == 2
