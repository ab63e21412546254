"""What is asked for again is sent once to all who wait for it: exactly what is kept of it, and what is not is told."""

from hypothesis import given
from hypothesis import strategies as st

from dotbus.contracts.messages import MAX_RANGES, MAX_SEQ, Environment, ReplayRequest
from dotbus.runtime.outbox.numbers import StreamNumbers
from dotbus.runtime.outbox.replay import AskedFor, Replays
from dotbus.runtime.outbox.sequence import SequenceRanges
from dotbus.testing import samples

SEQS = st.sets(st.integers(1, 60), min_size=1)
BASE = 100


def request(seqs: set[int]) -> ReplayRequest:
    return of_ranges(SequenceRanges().adding(seqs).ranges)


def of_ranges(ranges: tuple[tuple[int, int], ...]) -> ReplayRequest:
    return ReplayRequest(
        environment=Environment.SIMULATOR,
        source="historian/a",
        time=samples.AT,
        stream="s",
        first_seq=ranges[0][0],
        last_seq=ranges[-1][1],
        ranges=ranges,
    )


def numbers(ranges) -> list[int]:
    return [seq for first, last in ranges for seq in range(first, last + 1)]


def send_piece(replays: Replays, kept: list[int], limit: int, refused: set[int]) -> list[int]:
    """As the courier does it. Returns what was sent."""
    ranges = replays.next_ranges(limit)
    there = [number for number in kept if any(first <= number <= last for first, last in ranges)][:limit]
    taken = [number for number in there if number not in refused]
    replays.note(there[-1] if there else ranges[-1][1], there, taken)
    return taken


def is_over(replays: Replays) -> bool:
    return not replays.next_ranges(1)


@given(SEQS, SEQS, st.sets(st.integers(1, 60)), st.integers(1, 9), st.booleans())
def test_any_ranges_give_exactly_what_is_kept_of_them_once(asked, kept, refused, limit, ended):
    replays, sent = Replays(), []
    replays.add(request(asked), StreamNumbers(BASE, BASE + 50, ended=ended))
    stream = sorted(BASE + seq for seq in kept if seq <= 50)
    others = [BASE - 1, BASE + 51, BASE + 52]
    while not is_over(replays):
        sent += send_piece(replays, sorted([*stream, *others]), limit, {BASE + seq for seq in refused})
    (done,) = replays.take_done()
    wanted = {seq for seq in asked if seq in kept and seq <= 50}
    assert sent == [BASE + seq for seq in sorted(wanted - refused)]
    assert done.sent == len(sent)
    lost = {seq for seq in asked - wanted if seq <= 50 or ended}
    assert sorted(numbers(done.lost)) == sorted(lost)
    assert len(replays) == 0


@given(st.lists(SEQS, min_size=1, max_size=4), SEQS, st.integers(1, 9), st.lists(st.integers(0, 5), min_size=4, max_size=4))
def test_whoever_asks_while_others_wait_gets_all_of_it_and_nothing_is_sent_more_often_than_needed(asked, kept, limit, after):
    replays, stream, done = Replays(), sorted(kept), []
    sent: list[int] = []
    begun: list[int] = []
    waiting = list(zip(asked, after, strict=False))
    while waiting or not is_over(replays):
        while waiting and (waiting[0][1] == 0 or is_over(replays)):
            begun.append(len(sent))
            replays.add(request(waiting.pop(0)[0]), StreamNumbers(0, 60, ended=False))
        waiting = [(seqs, pieces - 1) for seqs, pieces in waiting]
        if not is_over(replays):
            sent += send_piece(replays, stream, limit, set())
        done += replays.take_done()
    for seqs, start in zip(asked, begun, strict=True):
        assert {number for number in sent[start:] if number in seqs} == seqs & kept
    assert len(done) == len(asked)
    for number in kept:
        assert sent.count(number) <= sum(number in seqs for seqs in asked)
    if not any(begun):
        assert sent == sorted(set().union(*asked) & kept)


def test_what_cannot_be_of_this_outbox_is_lost_at_once():
    replays = Replays()
    replays.add(of_ranges(((1, 10), (20, MAX_SEQ))), None)
    (done,) = replays.take_done()
    assert (done.sent, done.lost) == (0, [(1, 10), (20, MAX_SEQ)])


def test_all_numbers_that_there_can_be_are_one_question():
    replays = Replays()
    replays.add(of_ranges(((1, MAX_SEQ),)), StreamNumbers(7, 10**9, ended=False))
    assert replays.next_ranges(500) == ((8, 10**9),)
    replays.note(10**9, [], [])
    (done,) = replays.take_done()
    assert done.lost == [(1, 10**9 - 7)]


def test_no_more_is_told_lost_than_a_reply_may_name():
    ranges = tuple((seq, seq) for seq in range(1, 2 * MAX_RANGES, 2))
    asked = AskedFor(of_ranges(ranges), None)
    assert len(asked.lost) == MAX_RANGES
    wide = AskedFor(of_ranges(((1, 4 * MAX_RANGES),)), StreamNumbers(0, 4 * MAX_RANGES, ended=False))
    wide.note(4 * MAX_RANGES, range(1, 4 * MAX_RANGES, 2), [])
    assert len(wide.lost) == MAX_RANGES
