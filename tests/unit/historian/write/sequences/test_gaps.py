"""What is missing is asked for when it stays away, given up when its source lost it, and never asked for too often."""

from datetime import timedelta
from itertools import pairwise

import msgspec
import pytest

from dotbus.contracts.messages import OutboxSpan
from dotbus.runtime.outbox.sequence import SequenceRanges
from dotbus.testing import samples
from historian.write.reading.record import Stream
from historian.write.sequences.gaps import MAX_SOURCES, RANGES_AT_ONCE, Action, Gaps, requests_of

STREAM = Stream("simulator", "ads_ingest/a", samples.STREAM)
OTHER = Stream("simulator", "ads_ingest/a", "an earlier outbox")
GRACE_S = 5.0


def at(second: float):
    return samples.AT + timedelta(seconds=second)


def status(first_seq, last_seq, *, unpublished=0, online=True, stream=samples.STREAM):
    span = OutboxSpan(stream=stream, first_seq=first_seq, last_seq=last_seq, unpublished=unpublished)
    return msgspec.structs.replace(samples.service_status(), outbox=span, online=online)


def reply(first_seq, last_seq, *, stream=OTHER.stream, lost=(), oldest_seq=1):
    changes = {"first_seq": first_seq, "last_seq": last_seq, "stream": stream, "lost": lost, "oldest_seq": oldest_seq}
    return msgspec.structs.replace(samples.replay_reply(), ranges=(), **changes)


def missing(gaps, *came, stream=STREAM):
    """What the database would say is missing when these ranges came: up to what the source published, else the highest."""
    seen = SequenceRanges.of(came)
    spoken = gaps.heard_of.get((stream.environment, stream.source))
    return seen.missing(1, spoken.last_seq if spoken and spoken.stream == stream else seen.last_seq or 0)


def look(gaps, *came, second, stream=STREAM):
    return gaps.look(stream, missing(gaps, *came, stream=stream), at(second))


@pytest.fixture
def gaps() -> Gaps:
    return Gaps(GRACE_S, 300.0, lambda: 0.0)


def test_nothing_is_asked_for_while_nothing_is_missing(gaps):
    gaps.heard_status(status(1, 10))
    assert [look(gaps, (1, 10), second=second) for second in (0, 10, 1000)] == [None] * 3


def test_a_jump_is_asked_for_after_the_grace(gaps):
    gaps.heard_status(status(1, 10))
    seen = (1, 7), (10, 10)
    assert look(gaps, *seen, second=0) is None
    assert look(gaps, *seen, second=4.9) is None
    assert look(gaps, *seen, second=5) == Action(STREAM, ask=((8, 9),), lost=())


def test_what_a_source_published_and_never_came_is_asked_for(gaps):
    gaps.heard_status(status(1, 3))
    assert [spoken.stream for spoken in gaps.heard_of.values()] == [STREAM]
    look(gaps, second=0)
    assert look(gaps, second=5) == Action(STREAM, ask=((1, 3),), lost=())


def test_what_waits_in_the_outbox_is_not_missing(gaps):
    gaps.heard_status(status(1, 10, unpublished=4))
    assert look(gaps, (1, 6), second=0) is None
    assert look(gaps, (1, 6), second=100) is None
    assert gaps.missing == 0


def test_while_some_of_it_comes_the_rest_is_waited_for(gaps):
    gaps.heard_status(status(1, 100))
    look(gaps, second=0)
    assert look(gaps, (1, 50), second=5) is None
    assert look(gaps, (1, 50), second=9.9) is None
    assert look(gaps, (1, 50), second=10) == Action(STREAM, ask=((51, 100),), lost=())


def test_the_same_is_asked_for_again_with_growing_pauses(gaps):
    gaps.heard_status(status(1, 2))
    asked = [second for second in range(2000) if look(gaps, (2, 2), second=second)]
    pauses = [later - earlier for earlier, later in pairwise(asked)]
    assert asked[0] == 5
    assert pauses == [5, 10, 20, 40, 80, 160, 300, 300, 300, 300, 300]


def test_once_all_that_was_asked_for_came_the_next_is_asked_for_at_once(gaps):
    gaps.heard_status(status(1, 6))
    gaps.look(STREAM, ((1, 1), (3, 3)), at(0))
    gaps.look(STREAM, ((1, 1), (3, 3)), at(5))
    assert gaps.look(STREAM, ((5, 5),), at(5.1)).ask == ((5, 5),)


def asked_of_many(gaps, last=60_001):
    """Every other number is missing, more than are asked for together; the first of them are asked for at second 5."""
    gaps.heard_status(status(1, last))
    gaps.look(STREAM, waiting_beyond(0, last), at(0))
    action = gaps.look(STREAM, waiting_beyond(0, last), at(5))
    assert action.ask == waiting_beyond(0, last)
    return action


def waiting_beyond(seq, last=60_001):
    """The first ranges of what is missing beyond a number."""
    return tuple((each, each) for each in range(1, last + 1, 2) if each > seq)[:RANGES_AT_ONCE]


def answer(gaps, action):
    for request in requests_of(action.ask):
        gaps.heard_reply(reply(request[0][0], request[-1][1], stream=STREAM.stream))


def test_once_a_request_is_answered_the_next_is_asked_for_at_once_whatever_is_still_to_come_of_it(gaps):
    action = asked_of_many(gaps)
    some_to_come = ((3, 3), *waiting_beyond(20_000))[:RANGES_AT_ONCE]
    assert gaps.look(STREAM, some_to_come, at(6)) is None
    rest = ((3, 3), *waiting_beyond(40_000))
    answer(gaps, action)
    following = gaps.look(STREAM, rest, at(7))
    assert (following.goes_on, following.ask) == (True, rest[1:])
    assert gaps.look(STREAM, rest[:1], at(8)) is None
    assert [second for second in range(9, 30) if gaps.look(STREAM, rest[:1], at(second))] != []


def test_a_pause_within_an_answer_costs_no_new_grace_when_it_goes_on(gaps):
    action = asked_of_many(gaps)
    assert gaps.look(STREAM, waiting_beyond(9_000), at(10.5)) is None
    assert gaps.look(STREAM, waiting_beyond(21_000), at(12)) is None
    answer(gaps, action)
    assert gaps.look(STREAM, waiting_beyond(39_999), at(12.5)).ask == waiting_beyond(40_000)


def test_what_is_news_is_not_asked_for_at_once(gaps):
    action = asked_of_many(gaps, last=11)
    gaps.heard_status(status(1, 20))
    answer(gaps, action)
    assert gaps.look(STREAM, ((12, 20),), at(6)) is None
    assert gaps.look(STREAM, ((12, 20),), at(10)) is None
    assert gaps.look(STREAM, ((12, 20),), at(15)).ask == ((12, 20),)


def test_what_a_reply_says_is_lost_is_given_up_at_once(gaps):
    action = asked_of_many(gaps, last=11)
    gaps.heard_reply(reply(*(action.ask[0][0], action.ask[-1][1]), stream=STREAM.stream, lost=((5, 5),)))
    assert gaps.look(STREAM, ((3, 3), (5, 5)), at(6)) == Action(STREAM, ask=(), lost=((5, 5),), goes_on=True)


def test_what_another_historian_asked_for_is_its_own_to_go_on_with(gaps):
    action = asked_of_many(gaps)
    gaps.left_to_another(STREAM)
    answer(gaps, action)
    assert gaps.look(STREAM, waiting_beyond(40_000), at(6)) is None


def test_what_the_source_no_longer_keeps_is_lost_and_the_rest_is_asked_for(gaps):
    gaps.heard_status(status(6, 10))
    look(gaps, (2, 3), second=0)
    assert look(gaps, (2, 3), second=5) == Action(STREAM, ask=((6, 10),), lost=((1, 1), (4, 5)))


def test_a_source_that_keeps_nothing_any_more_has_lost_what_is_missing(gaps):
    gaps.heard_status(status(None, 10))
    look(gaps, (1, 4), second=0)
    assert look(gaps, (1, 4), second=5) == Action(STREAM, ask=(), lost=((5, 10),))


@pytest.mark.parametrize(("oldest_seq", "lost"), [(None, ((1, 4),)), (3, ((1, 2),)), (1, ())])
def test_a_reply_says_what_the_source_still_has(gaps, oldest_seq, lost):
    gaps.heard_status(status(1, 1))
    look(gaps, (5, 5), second=0, stream=OTHER)
    assert look(gaps, (5, 5), second=5, stream=OTHER) == Action(OTHER, ask=((1, 4),), lost=())
    gaps.heard_reply(reply(1, 4, oldest_seq=oldest_seq))
    assert look(gaps, (5, 5), second=10, stream=OTHER).lost == lost


def test_a_reply_says_which_of_many_are_lost(gaps):
    gaps.heard_status(status(1, 1))
    look(gaps, (5, 5), (9, 9), second=0, stream=OTHER)
    look(gaps, (5, 5), (9, 9), second=5, stream=OTHER)
    gaps.heard_reply(reply(1, 8, lost=((2, 3), (7, 7)), oldest_seq=1))
    action = look(gaps, (5, 5), (9, 9), second=10, stream=OTHER)
    assert (action.lost, action.ask) == (((2, 3), (7, 7)), ((1, 1), (4, 4), (6, 6), (8, 8)))


def test_a_source_that_is_away_is_not_asked(gaps):
    gaps.heard_status(status(1, 5))
    gaps.heard_status(status(None, None, online=False))
    look(gaps, (5, 5), second=0)
    assert look(gaps, (5, 5), second=5).ask == ()
    gaps.heard_status(status(1, 5))
    assert look(gaps, (5, 5), second=10).ask == ((1, 4),)


def test_how_much_is_missing_is_counted_over_all_streams(gaps):
    look(gaps, (3, 3), second=0)
    look(gaps, (1, 1), (9, 9), second=0, stream=OTHER)
    assert gaps.missing == 2 + 7
    look(gaps, (1, 9), second=1, stream=OTHER)
    assert gaps.missing == 2


def test_an_event_far_ahead_hides_nothing_of_a_source_that_says_how_far_it_is(gaps):
    """One that was refused says so, for instance, whoever sent it."""
    gaps.heard_status(status(1, 100))
    far = (2**62, 2**62)
    look(gaps, (1, 90), far, second=0)
    assert look(gaps, (1, 90), far, second=5).ask == ((91, 100),)


def test_a_source_has_one_stream_so_that_no_status_fills_the_memory(gaps):
    for number in range(1000):
        gaps.heard_status(status(1, 5, stream=f"stream {number}"))
        gaps.heard_reply(reply(1, 4, stream=f"answered {number}", oldest_seq=None))
    assert [spoken.stream.stream for spoken in gaps.heard_of.values()] == ["stream 999"]
    assert len(gaps._gone) <= 1


def test_a_hundred_thousand_scattered_gaps_heal_in_some_rounds(gaps):
    """A round is a look, a request and its answer. Each asks for a bounded number of ranges."""
    last, rounds = 200_000, 0
    gaps.heard_status(status(1, last))
    came = SequenceRanges.of((seq, seq) for seq in range(2, last + 1, 2))
    second = 0
    while (waits := came.missing(1, last)[:RANGES_AT_ONCE]) and rounds < 100:
        action = gaps.look(STREAM, waits, at(second))
        second += 1
        if action and action.ask:
            rounds += 1
            assert len(action.ask) <= RANGES_AT_ONCE
            came = came.joined(SequenceRanges.of(part for request in requests_of(action.ask) for part in request))
    assert (rounds, came.ranges) == (5, ((1, last),))
    assert second < 30


def test_whoever_names_sources_without_end_takes_no_memory_without_end(gaps):
    for number in range(MAX_SOURCES + 50):
        gaps.heard_status(msgspec.structs.replace(status(5, 9), source=f"z{number}/a", service=f"z{number}", instance="a"))
        gaps.heard_status(status(1, 10))
    assert len(gaps.heard_of) == MAX_SOURCES
    assert gaps.heard_of["simulator", "ads_ingest/a"] is not None, "one that goes on speaking stays"
    assert len(gaps._gone) == MAX_SOURCES  # what is forgotten cannot be seen from outside


def test_nothing_is_kept_of_a_stream_of_before_that_is_whole(gaps):
    gaps.heard_status(status(1, 10))
    look(gaps, (3, 7), second=0, stream=OTHER)
    gaps.heard_reply(reply(1, 2, lost=((1, 2),)))
    assert look(gaps, (3, 7), second=5, stream=OTHER).lost == ((1, 2),)
    look(gaps, (1, 7), second=6, stream=OTHER)
    assert (gaps.watched, set(gaps._gone)) == (frozenset(), {STREAM})  # as above


def test_what_a_source_has_no_more_is_bounded_and_the_first_of_it_counts(gaps):
    look(gaps, (100_000, 100_000), second=0, stream=OTHER)
    for start in range(10):
        lost = tuple((first, first) for first in range(start * 5000 + 1, start * 5000 + 5000, 2))
        gaps.heard_reply(reply(1, 50_000, lost=lost))
    action = look(gaps, (100_000, 100_000), second=5, stream=OTHER)
    assert len(action.lost) == RANGES_AT_ONCE
    assert action.lost[0] == (1, 1)


def test_what_one_status_said_to_be_gone_is_asked_for_once_the_source_says_that_it_has_it(gaps):
    """A status that was wrong, or that somebody wrote with the source's own credentials, must not cost an event for good."""
    gaps.heard_status(status(1, 10))
    assert gaps.take_has_again() == {STREAM: 1}, "what was said before we listened is not known"
    gaps.heard_status(status(2**62, 2**62))
    look(gaps, (1, 7), second=0)
    assert look(gaps, (1, 7), second=5).lost == ((8, 2**62 - 1),)
    gaps.heard_status(status(1, 10))
    assert gaps.take_has_again() == {STREAM: 1}
    look(gaps, (1, 7), second=6)
    assert look(gaps, (1, 7), second=20) == Action(STREAM, ask=((8, 10),), lost=())


def test_what_a_reply_said_to_be_gone_is_taken_back_likewise(gaps):
    gaps.heard_status(status(3, 10))
    gaps.take_has_again()
    look(gaps, (1, 7), second=0)
    gaps.heard_reply(reply(8, 10, stream=STREAM.stream, oldest_seq=2**62))
    assert look(gaps, (1, 7), second=5).lost == ((8, 10),)
    gaps.heard_status(status(3, 10))
    assert gaps.take_has_again() == {STREAM: 3}


def test_a_source_that_keeps_less_takes_nothing_back(gaps):
    gaps.heard_status(status(1, 10))
    gaps.take_has_again()
    for first_seq in (1, 4, 4, 11):
        gaps.heard_status(status(first_seq, 12))
    assert gaps.take_has_again() == {}
    assert gaps.take_has_again() == {}
