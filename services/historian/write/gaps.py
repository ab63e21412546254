"""Gaps: what is missing of each stream, and when to ask for it. Pure; the time is an argument.

Something is missing when it is not among what came and a later number is: one that came, or one that the source says it has
published. It may still be on its way, from the broker or into the database, so only what stays missing while nothing else of it
arrives is asked for, and again with growing pauses. What the source no longer has is lost.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from dotbus.contracts.messages import ReplayReply, ServiceStatus
from dotbus.runtime.schedule import backoff_s
from dotbus.runtime.sequence import Range, SequenceRanges, pieces
from historian.record import Stream

PIECE = 1000
PIECES_AT_ONCE = 10


@dataclass(frozen=True)
class Action:
    """What to do about a stream: ask for these ranges, give up those."""

    stream: Stream
    ask: tuple[Range, ...]
    lost: tuple[Range, ...]


@dataclass(frozen=True)
class _Watched:
    missing: tuple[Range, ...]
    asked: int
    look_again_at: datetime


class Gaps:
    """Watches every stream.

    Args:
        grace_s: how long a number may be missing before it is asked for.
        most_s: the longest pause between two requests for the same numbers.
        jitter: 0 to 1, see `backoff_s`.
    """

    def __init__(self, grace_s: float, most_s: float, jitter: Callable[[], float]) -> None:
        self._grace_s = grace_s
        self._most_s = most_s
        self._jitter = jitter
        self._online: dict[tuple[str, str], bool] = {}
        self._published: dict[Stream, int] = {}
        self._oldest: dict[Stream, int] = {}
        self._watched: dict[Stream, _Watched] = {}

    def heard_status(self, status: ServiceStatus) -> None:
        """A source said whether it is there and what it can send again."""
        self._online[status.environment, status.source] = status.online
        span = status.outbox
        if not status.online or span is None or span.last_seq is None:
            return
        stream = Stream(str(status.environment), status.source, span.stream)
        # What waits in the outbox was not published yet, and is always the newest.
        self._published[stream] = span.last_seq - span.unpublished
        self._oldest[stream] = span.last_seq + 1 if span.first_seq is None else span.first_seq

    def heard_reply(self, reply: ReplayReply) -> None:
        """A source said what became of a request. No oldest number: it has nothing of that stream, nor will it."""
        stream = Stream(str(reply.environment), reply.source, reply.stream)
        oldest = reply.last_seq + 1 if reply.oldest_seq is None else reply.oldest_seq
        self._oldest[stream] = max(oldest, self._oldest.get(stream, 0))

    @property
    def streams(self) -> frozenset[Stream]:
        """Every stream that a source spoke of."""
        return frozenset(self._published)

    @property
    def missing(self) -> int:
        """How many numbers of all streams did not come, as of the last look at each."""
        return sum(last - first + 1 for watched in self._watched.values() for first, last in watched.missing)

    def look(self, stream: Stream, accounted: SequenceRanges, now: datetime) -> Action | None:
        """What to do now about a stream.

        Args:
            stream: which.
            accounted: its numbers that came, and those that are known to be lost.
            now: the time.
        """
        last_seq = max(accounted.last_seq or 0, self._published.get(stream, 0))
        missing = accounted.missing(1, last_seq)
        watched = self._watched.get(stream)
        if not missing:
            self._watched.pop(stream, None)
            return None
        if watched is None:
            self._watch(stream, missing, 0, now)
            return None
        if now < watched.look_again_at:
            return None
        if not SequenceRanges(missing).covers(watched.missing):  # some of it came: the rest may be on its way
            self._watch(stream, missing, 0, now)
            return None
        action = self._act(stream, watched.missing)
        self._watch(stream, missing, watched.asked + bool(action.ask), now)
        return action

    def _watch(self, stream: Stream, missing: tuple[Range, ...], asked: int, now: datetime) -> None:
        pause_s = max(self._grace_s, backoff_s(asked, self._grace_s, self._most_s, self._jitter()))
        self._watched[stream] = _Watched(missing, asked, now + timedelta(seconds=pause_s))

    def _act(self, stream: Stream, missing: Sequence[Range]) -> Action:
        oldest = self._oldest.get(stream, 1)
        lost = tuple((first, min(last, oldest - 1)) for first, last in missing if first < oldest)
        rest = [(max(first, oldest), last) for first, last in missing if last >= oldest]
        online = self._online.get((stream.environment, stream.source), False)
        return Action(stream, tuple(islice(pieces(rest, PIECE), PIECES_AT_ONCE)) if online else (), lost)
