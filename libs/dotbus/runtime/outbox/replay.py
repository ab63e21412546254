"""Replays: which kept events were asked for again, and which of them are still to be sent. Pure.

Requests that wait together are answered together: a number that several of them ask for is sent once for all who asked before
it was sent. Numbers here are the outbox's own, which count on over all of its streams.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import accumulate, islice, pairwise

from dotbus.contracts.messages import MAX_RANGES, ReplayRequest
from dotbus.runtime.outbox.numbers import StreamNumbers
from dotbus.runtime.outbox.sequence import Range, SequenceRanges


class AskedFor:
    """A request, and what became of it so far.

    Args:
        request: what was asked for.
        known: the outbox's numbers of its stream; None when the stream is not of this outbox.

    Attributes:
        sent: how many events of it were sent.
        lost: the sequence numbers of it that are kept no more, the first ranges of them.
    """

    def __init__(self, request: ReplayRequest, known: StreamNumbers | None) -> None:
        self.request = request
        self.sent = 0
        self.lost: list[Range] = []
        self._base = known.base if known else 0
        self._rest: deque[Range] = deque()
        last_seq = known.last - known.base if known else 0
        for first, last in request.wanted:
            if first <= last_seq:
                self._rest.append((self._base + first, self._base + min(last, last_seq)))
            if last > last_seq and (known is None or known.ended):
                self._lose(max(first, last_seq + 1), last)

    @property
    def done(self) -> bool:
        """Whether everything that is there was sent or refused."""
        return not self._rest

    def next_ranges(self, limit: int) -> Iterable[Range]:
        """The lowest ranges that are still to be sent."""
        return islice(self._rest, limit)

    def note(self, end: int, kept: Sequence[int], taken: Sequence[int]) -> None:
        """All up to `end` was looked for: `kept` was there, the broker took `taken`. Both ascend."""
        while self._rest and self._rest[0][0] <= end:
            first, last = self._rest.popleft()
            if last > end:
                self._rest.appendleft((end + 1, last))
                last = end
            self.sent += _count(taken, first, last)
            if _count(kept, first, last) <= last - first:
                self._lose_but(kept[bisect_left(kept, first) : bisect_right(kept, last)], first, last)

    def _lose_but(self, kept: Sequence[int], first: int, last: int) -> None:
        for before, after in pairwise((first - 1, *kept, last + 1)):
            if after > before + 1:
                self._lose(before + 1 - self._base, after - 1 - self._base)

    def _lose(self, first_seq: int, last_seq: int) -> None:
        if self.lost and self.lost[-1][1] + 1 == first_seq:
            self.lost[-1] = (self.lost[-1][0], last_seq)
        elif len(self.lost) < MAX_RANGES:
            self.lost.append((first_seq, last_seq))


class Replays:
    """Every request that is being answered."""

    def __init__(self) -> None:
        self._asked: list[AskedFor] = []

    def __len__(self) -> int:
        return len(self._asked)

    def add(self, request: ReplayRequest, known: StreamNumbers | None) -> None:
        """Take a request. What of it others wait for as well is sent once."""
        self._asked.append(AskedFor(request, known))

    def next_ranges(self, limit: int) -> tuple[Range, ...]:
        """What is to be sent next, the lowest first: ranges of at most `limit` numbers together, or one that is wider."""
        heads = SequenceRanges.of(entry for asked in self._asked for entry in asked.next_ranges(limit)).ranges
        together = accumulate(last - first + 1 for first, last in heads)
        return heads[: max(1, sum(1 for count in together if count <= limit))]

    def note(self, end: int, kept: Sequence[int], taken: Sequence[int]) -> None:
        """All that was asked for up to a number was looked for.

        Args:
            end: that number.
            kept: the numbers that are there, ascending.
            taken: those that the broker took, ascending.
        """
        for asked in self._asked:
            asked.note(end, kept, taken)

    def take_done(self) -> list[AskedFor]:
        """The requests that can be replied to; they are known no more."""
        done = [asked for asked in self._asked if asked.done]
        self._asked = [asked for asked in self._asked if not asked.done]
        return done


def _count(numbers: Sequence[int], first: int, last: int) -> int:
    return bisect_right(numbers, last) - bisect_left(numbers, first)
