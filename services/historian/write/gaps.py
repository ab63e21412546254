"""Gaps: what is missing of each stream, and when to ask for it. Pure; the time is an argument.

Something is missing when it neither came nor was given up, and the source says that it has published it. It may still be on
its way, from the broker or into the database, so only what stays missing is asked for, and again with growing pauses. Only the
source itself says what it has published and what it no longer has. Of a stream that no source speaks of the highest number
that came counts, until the source is asked and says that it knows nothing of it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from dotbus.contracts.messages import MAX_RANGES, ReplayReply, ServiceStatus
from dotbus.runtime.schedule import backoff_s
from dotbus.runtime.sequence import Range, SequenceRanges
from historian.write.events import MAX_SEQ
from historian.write.record import Stream
from historian.write.renumbered import Renumbered

RANGES_AT_ONCE = 2 * MAX_RANGES
"""How many ranges are looked at and asked for together."""


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

    Attributes:
        renumbered: streams in which no gap can be seen.
    """

    def __init__(self, grace_s: float, most_s: float, jitter: Callable[[], float]) -> None:
        self.renumbered = Renumbered(grace_s, most_s, jitter)
        self.grace_s = grace_s
        self._most_s = most_s
        self._jitter = jitter
        self._online: dict[tuple[str, str], bool] = {}
        self._of_source: dict[tuple[str, str], Stream] = {}
        self._published: dict[Stream, int] = {}
        self._gone: dict[Stream, SequenceRanges] = {}
        self._watched: dict[Stream, _Watched] = {}

    def heard(self, message: ServiceStatus | ReplayReply) -> None:
        """A source said something of itself."""
        match message:
            case ServiceStatus():
                self.heard_status(message)
            case ReplayReply():
                self.heard_reply(message)

    def heard_status(self, status: ServiceStatus) -> None:
        """A source said whether it is there and what it can send again. It speaks of one stream, its latest."""
        self.renumbered.heard_status(status)
        self._online[str(status.environment), status.source] = status.online
        span = status.outbox
        if not status.online or span is None or span.last_seq is None:
            return
        stream, source = Stream(str(status.environment), status.source, span.stream), (str(status.environment), status.source)
        if (before := self._of_source.get(source)) and before != stream:
            self._published.pop(before, None)
            self._gone.pop(before, None)
        self._of_source[source] = stream
        # What waits in the outbox was not published yet, and is always the newest.
        self._published[stream] = span.last_seq - span.unpublished
        oldest_seq = span.last_seq + 1 if span.first_seq is None else span.first_seq
        self._give_up(stream, [(1, oldest_seq - 1)])

    def heard_reply(self, reply: ReplayReply) -> None:
        """A source said what became of a request. No oldest number: it has nothing of that stream, nor will it.

        Only of a stream that something is missing of, or anybody could fill the memory with streams that there are not.
        """
        stream = Stream(str(reply.environment), reply.source, reply.stream)
        if stream not in self._watched:
            return
        oldest_seq = min(reply.last_seq, MAX_SEQ) + 1 if reply.oldest_seq is None else reply.oldest_seq
        self._give_up(stream, [*reply.lost, (1, min(oldest_seq, MAX_SEQ) - 1)])

    @property
    def streams(self) -> frozenset[Stream]:
        """Every stream that a source spoke of."""
        return frozenset(self._published)

    @property
    def missing(self) -> int:
        """How many numbers of all streams did not come, as of the last look at each, the first ranges of each."""
        return sum(last - first + 1 for watched in self._watched.values() for first, last in watched.missing)

    def last_seq(self, stream: Stream, came_last_seq: int) -> int:
        """The number up to which events of a stream should be there: what its source says, else the highest that came."""
        return self._published.get(stream, came_last_seq)

    def look(self, stream: Stream, missing: tuple[Range, ...], now: datetime) -> Action | None:
        """What to do now about a stream.

        Args:
            stream: which.
            missing: the first ranges that neither came nor were given up, ascending.
            now: the time.
        """
        watched = self._watched.get(stream)
        if not missing:
            self._watched.pop(stream, None)
            return None
        if watched is None:
            self._watch(stream, missing, 0, now)
            return None
        still = SequenceRanges(missing)
        all_came = watched.asked > 0 and not any(still.holds_any(part) for part in watched.missing)
        if now < watched.look_again_at and not all_came:
            return None
        if not all_came and not still.covers(watched.missing):  # some of it came: the rest may be on its way
            self._watch(stream, missing, 0, now)
            return None
        action = self._act(stream, missing)
        self._watch(stream, missing, (0 if all_came else watched.asked) + bool(action.ask), now)
        return action

    def _give_up(self, stream: Stream, ranges: Iterable[Range]) -> None:
        known = self._gone.get(stream, SequenceRanges())
        self._gone[stream] = known.joined(SequenceRanges.of(ranges))

    def _watch(self, stream: Stream, missing: tuple[Range, ...], asked: int, now: datetime) -> None:
        pause_s = max(self.grace_s, backoff_s(asked, self.grace_s, self._most_s, self._jitter()))
        self._watched[stream] = _Watched(missing, asked, now + timedelta(seconds=pause_s))

    def _act(self, stream: Stream, missing: Sequence[Range]) -> Action:
        gone = self._gone.get(stream, SequenceRanges())
        lost = SequenceRanges.of(missing).common(gone)
        ask = [part for first, last in missing for part in gone.missing(first, last)]
        online = self._online.get((stream.environment, stream.source), False)
        return Action(stream, tuple(ask) if online else (), lost.ranges)


def requests_of(ranges: Sequence[Range]) -> list[tuple[Range, ...]]:
    """Ranges as one request may name them."""
    return [tuple(ranges[start : start + MAX_RANGES]) for start in range(0, len(ranges), MAX_RANGES)]
