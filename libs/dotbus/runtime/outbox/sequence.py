"""Sequence numbers: which of a stream have come, and so which are missing. Pure.

A stream counts its events from 1 without gaps, so a set of numbers that came is a short list of ranges: one, when nothing is
missing.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import Self

import msgspec

Range = tuple[int, int]
"""First and last number, both included."""


@dataclass(frozen=True)
class SequenceRanges:
    """A set of sequence numbers as ranges: ascending, apart from each other, none empty. Make it with `of`."""

    ranges: tuple[Range, ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[Range]) -> Self:
        """The numbers of any ranges, in any order, overlapping or not. A range whose last is below its first is empty."""
        merged: list[Range] = []
        for first, last in sorted(entry for entry in ranges if entry[0] <= entry[1]):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        return cls(tuple(merged))

    def adding(self, seqs: Iterable[int]) -> Self:
        """These numbers and those."""
        return self.of([*self.ranges, *((seq, seq) for seq in seqs)])

    def joined(self, other: "SequenceRanges") -> Self:
        """The numbers that are in either."""
        return self.of([*self.ranges, *other.ranges])

    def missing(self, first_seq: int, last_seq: int) -> tuple[Range, ...]:
        """What is not here of `first_seq` to `last_seq`."""
        gaps: list[Range] = []
        wanted = first_seq
        for first, last in self.ending_from(first_seq):
            if first > last_seq:
                break
            if first > wanted:
                gaps.append((wanted, first - 1))
            wanted = last + 1
        if wanted <= last_seq:
            gaps.append((wanted, last_seq))
        return tuple(gaps)

    def common(self, other: "SequenceRanges") -> "SequenceRanges":
        """The numbers that are in both."""
        found: list[Range] = []
        for first, last in self.ranges:
            for start, end in other.ending_from(first):
                if start > last:
                    break
                found.append((max(first, start), min(last, end)))
        return SequenceRanges.of(found)

    def holds_any(self, wanted: Range) -> bool:
        """Whether any number of a range is here."""
        return any(first <= wanted[1] for first, _last in islice(self.ending_from(wanted[0]), 1))

    def covers(self, ranges: Iterable[Range]) -> bool:
        """Whether every number of these ranges is here."""
        return not any(self.missing(first, last) for first, last in ranges)

    def end_of(self, seq: int) -> int | None:
        """The last number of the range that a number is in, None when it is in none."""
        place = bisect_right(self.ranges, seq, key=itemgetter(0)) - 1
        return self.ranges[place][1] if place >= 0 and seq <= self.ranges[place][1] else None

    def after(self, seq: int) -> Self:
        """The numbers above one."""
        return self.of((max(first, seq + 1), last) for first, last in self.ranges if last > seq)

    @property
    def size(self) -> int:
        """How many numbers there are."""
        return sum(last - first + 1 for first, last in self.ranges)

    def ending_from(self, seq: int) -> Iterator[Range]:
        """The ranges that end at a number or later."""
        begin = bisect_left(self.ranges, seq, key=itemgetter(1))
        return (self.ranges[place] for place in range(begin, len(self.ranges)))

    @property
    def last_seq(self) -> int | None:
        """The highest number, None when there is none."""
        return self.ranges[-1][1] if self.ranges else None

    def to_json(self) -> str:
        """A list of [first, last]."""
        return msgspec.json.encode(self.ranges).decode()

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `to_json` made.

        Raises:
            msgspec.DecodeError: it is something else.
        """
        return cls.of(msgspec.json.decode(text, type=list[Range]))


def pieces(ranges: Iterable[Range], size: int) -> Iterable[Range]:
    """The same numbers in ranges of at most `size`."""
    for first, last in ranges:
        for start in range(first, last + 1, size):
            yield start, min(start + size - 1, last)
