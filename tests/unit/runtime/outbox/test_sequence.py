import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotbus.runtime.outbox.sequence import SequenceRanges, pieces

SEQS = st.sets(st.integers(1, 60))
RANGES = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)))


def numbers(ranges):
    return {seq for first, last in ranges for seq in range(first, last + 1)}


@given(SEQS, SEQS)
def test_it_holds_exactly_what_was_added_in_any_number_of_steps(some, more):
    assert numbers(SequenceRanges().adding(some).adding(more).ranges) == some | more


@given(RANGES)
def test_ranges_stand_in_order_and_apart(ranges):
    held = SequenceRanges.of(ranges).ranges
    assert numbers(held) == numbers(ranges)
    assert all(first <= last for first, last in held)
    assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(held))


@given(SEQS, st.integers(1, 60), st.integers(1, 60))
def test_missing_is_what_the_span_has_and_the_ranges_do_not(seqs, first, last):
    missing = SequenceRanges().adding(seqs).missing(first, last)
    assert numbers(missing) == set(range(first, last + 1)) - seqs


@given(SEQS, SEQS)
def test_joined_is_the_union(some, more):
    joined = SequenceRanges().adding(some).joined(SequenceRanges().adding(more))
    assert numbers(joined.ranges) == some | more


@given(SEQS, RANGES)
def test_covers_says_whether_all_of_it_is_there(seqs, ranges):
    assert SequenceRanges().adding(seqs).covers(ranges) == (numbers(ranges) <= seqs)


@given(SEQS)
def test_json_brings_back_the_same(seqs):
    ranges = SequenceRanges().adding(seqs)
    assert SequenceRanges.from_json(ranges.to_json()) == ranges


@given(RANGES, st.integers(1, 7))
def test_pieces_are_the_same_numbers_in_small_ranges(ranges, size):
    cut = list(pieces(ranges, size))
    assert numbers(cut) == numbers(ranges)
    assert all(last - first < size for first, last in cut)


def test_the_last_number_is_none_while_nothing_came():
    assert SequenceRanges().last_seq is None
    assert SequenceRanges().adding([3, 9]).last_seq == 9


def test_a_million_numbers_without_a_gap_are_one_range():
    assert SequenceRanges().adding(range(1, 1_000_001)).ranges == ((1, 1_000_000),)


def test_json_of_something_else_is_refused():
    with pytest.raises(msgspec.DecodeError):
        SequenceRanges.from_json('{"first": 1}')
