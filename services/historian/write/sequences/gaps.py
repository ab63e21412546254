"""Gaps: what is missing of each stream, and when to ask for it. Pure; the time is an argument.

Something is missing when it neither came nor was given up, and the source says that it has published it. It may still be on
its way, from the broker or into the database, so only what stays missing is asked for, and again with growing pauses. Only the
source itself says what it has published and what it no longer has. Of a stream that no source speaks of the highest number
that came counts, until the source is asked and says that it knows nothing of it.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import msgspec

from dotbus.contracts.messages import MAX_RANGES, ReplayReply, ServiceStatus
from dotbus.runtime.outbox.sequence import Range, SequenceRanges
from dotbus.runtime.schedule import backoff_s
from historian.write.reading.events import MAX_SEQ
from historian.write.reading.record import Stream
from historian.write.sequences.renumbered import Renumbered

Source = tuple[str, str]
"""Environment, and SERVICE/INSTANCE."""
MAX_SOURCES = 2000
"""More than any installation has; whoever names more is not worth the memory."""
RANGES_AT_ONCE = 2 * MAX_RANGES
"""How many ranges are looked at and asked for together."""


@dataclass(frozen=True)
class Action:
    """What to do about a stream: ask for these ranges, give up those. `goes_on`: what was asked for before is answered."""

    stream: Stream
    ask: tuple[Range, ...]
    lost: tuple[Range, ...]
    goes_on: bool = False


@dataclass(frozen=True)
class _Watched:
    """A stream that something is missing of.

    Attributes:
        missing: the first ranges of it.
        asked: how often in vain.
        up_to: what is missing up to here has been so for some time; what is beyond may be on its way.
        asked_for: what we asked for.
        unanswered: the requests for it that nobody replied to yet, by their first and last number.
    """

    missing: tuple[Range, ...]
    asked: int
    look_again_at: datetime
    up_to: int
    asked_for: SequenceRanges
    unanswered: frozenset[Range]

    def is_answered(self, still: SequenceRanges) -> bool:
        """Whether all that we asked for came, or is replied to."""
        asked_for = self.asked_for.ranges
        return bool(asked_for) and (not self.unanswered or not any(still.holds_any(part) for part in asked_for))

    def next_ranges(self, missing: tuple[Range, ...]) -> tuple[Range, ...]:
        """What was not asked for yet and is no news."""
        old = [(first, min(last, self.up_to)) for first, last in missing if first <= self.up_to]
        return tuple(part for first, last in old for part in self.asked_for.missing(first, last))


class Spoken(msgspec.Struct, frozen=True):
    """The stream that a source speaks of, the oldest number that it has, and the one up to which it published it."""

    stream: Stream
    oldest_seq: int
    last_seq: int


class _Heard(msgspec.Struct, frozen=True):
    """What a source last said of itself."""

    online: bool
    spoken: Spoken | None


class Gaps:
    """Watches every stream of the sources that were heard last. What nobody needs any more is forgotten.

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
        self._heard: dict[Source, _Heard] = {}
        self._gone: dict[Stream, SequenceRanges] = {}
        self._oldest: dict[Stream, int] = {}
        self._has_again: dict[Stream, int] = {}
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
        source, span = (str(status.environment), status.source), status.outbox
        before = self._heard.pop(source, None)  # and to the end: the source that was silent for longest is forgotten first
        spoken = before.spoken if before else None
        if status.online and span is not None and span.last_seq is not None:
            # What waits in the outbox was not published yet, and is always the newest.
            oldest_seq = span.last_seq + 1 if span.first_seq is None else span.first_seq
            now = Spoken(Stream(*source, span.stream), oldest_seq, span.last_seq - span.unpublished)
            if spoken and spoken.stream != now.stream:
                self._forget_stream(spoken.stream)
            spoken = now
            self._believe(now)
        self._heard[source] = _Heard(status.online, spoken)
        if len(self._heard) > MAX_SOURCES:
            self._forget(next(iter(self._heard)))

    def heard_reply(self, reply: ReplayReply) -> None:
        """A source said what became of a request. No oldest number: it has nothing of that stream, nor will it.

        Only of a stream that something is missing of, or anybody could fill the memory with streams that there are not.
        """
        stream = Stream(str(reply.environment), reply.source, reply.stream)
        watched = self._watched.get(stream)
        if watched is None:
            return
        unanswered = watched.unanswered - {(reply.first_seq, reply.last_seq)}
        self._watched[stream] = replace(watched, unanswered=unanswered)
        told = min(reply.last_seq, MAX_SEQ) + 1 if reply.oldest_seq is None else reply.oldest_seq
        oldest_seq = min(told, MAX_SEQ)
        if stream in self._oldest:
            self._oldest[stream] = max(self._oldest[stream], oldest_seq)
        self._give_up(stream, [*reply.lost, (1, oldest_seq - 1)])

    def take_has_again(self) -> dict[Stream, int]:
        """Streams of which the source says now that it has what was said to be gone, and from which number on."""
        has_again, self._has_again = self._has_again, {}
        return has_again

    @property
    def heard_of(self) -> dict[Source, Spoken | None]:
        """Every source that was heard, with the stream that it speaks of, if it does."""
        return {source: heard.spoken for source, heard in self._heard.items()}

    @property
    def watched(self) -> frozenset[Stream]:
        """Every stream that something was missing of at the last look."""
        return frozenset(self._watched)

    @property
    def missing(self) -> int:
        """How many numbers of all streams did not come, as of the last look at each, the first ranges of each."""
        return sum(last - first + 1 for watched in self._watched.values() for first, last in watched.missing)

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
            if self._published_of(stream) is None:
                self._gone.pop(stream, None)
            return None
        if watched is None:
            self._watch(stream, missing, 0, now)
            return None
        still = SequenceRanges(missing)
        is_due, some_came = now >= watched.look_again_at, not still.covers(watched.missing)
        if (
            watched.is_answered(still)
            and (some_came or not is_due)
            and (following := self._go_on(stream, watched, missing, now))
        ):
            return following
        if not is_due:
            return None
        if some_came:  # the rest may be on its way
            self._watch(stream, missing, 0, now)
            return None
        action = self._act(stream, missing, missing)
        self._watch(stream, missing, watched.asked + bool(action.ask), now, SequenceRanges.of(action.ask))
        return action

    def left_to_another(self, stream: Stream) -> None:
        """Another historian asked, so what follows is for it to ask as well."""
        if watched := self._watched.get(stream):
            self._watched[stream] = replace(watched, asked_for=SequenceRanges(), unanswered=frozenset())

    def _go_on(self, stream: Stream, watched: _Watched, missing: tuple[Range, ...], now: datetime) -> Action | None:
        """Ask at once for the next, whatever is still to come of what was asked for: that has its own time."""
        action = replace(self._act(stream, missing, watched.next_ranges(missing)), goes_on=True)
        if not (action.ask or action.lost):
            return None
        asked_for = watched.asked_for.common(SequenceRanges(missing)).joined(SequenceRanges.of(action.ask))
        self._watch(stream, missing, 1, now, asked_for)
        unanswered = frozenset(_ends(request) for request in requests_of(action.ask))
        self._watched[stream] = replace(self._watched[stream], unanswered=unanswered, up_to=watched.up_to)
        return action

    def _believe(self, spoken: Spoken) -> None:
        """What a source says of itself last counts: it has what it had not before, and nothing from there on is gone.

        So one status that was wrong costs nothing. Also at its first word to us: we do not know what others were told before.
        """
        stream, oldest_seq = spoken.stream, spoken.oldest_seq
        before = self._oldest.get(stream)
        if before is None or oldest_seq < before:
            self._has_again[stream] = oldest_seq
            if stream in self._gone:
                self._gone[stream] = self._gone[stream].common(SequenceRanges.of([(1, oldest_seq - 1)]))
        self._oldest[stream] = oldest_seq
        self._give_up(stream, [(1, oldest_seq - 1)])

    def _give_up(self, stream: Stream, ranges: Iterable[Range]) -> None:
        known = self._gone.get(stream, SequenceRanges())
        gone = known.joined(SequenceRanges.of(ranges))
        self._gone[stream] = SequenceRanges(gone.ranges[:RANGES_AT_ONCE])

    def _forget(self, source: Source) -> None:
        heard = self._heard.pop(source)
        if heard.spoken:
            self._forget_stream(heard.spoken.stream)

    def _forget_stream(self, stream: Stream) -> None:
        self._gone.pop(stream, None)
        self._oldest.pop(stream, None)
        self._has_again.pop(stream, None)

    def _published_of(self, stream: Stream) -> int | None:
        """The number up to which a stream was published; None of one that its source does not speak of."""
        heard = self._heard.get((stream.environment, stream.source))
        return heard.spoken.last_seq if heard and heard.spoken and heard.spoken.stream == stream else None

    def _watch(
        self, stream: Stream, missing: tuple[Range, ...], asked: int, now: datetime, asked_for: SequenceRanges | None = None
    ) -> None:
        """Look again after a pause. `asked_for` is what we ask for now; without it what we asked for before still counts."""
        pause_s = max(self.grace_s, backoff_s(asked, self.grace_s, self._most_s, self._jitter()))
        before = self._watched.get(stream)
        if asked_for is not None:
            unanswered = frozenset(_ends(request) for request in requests_of(asked_for.ranges))
        elif before:
            asked_for, unanswered = before.asked_for, before.unanswered
        else:
            asked_for, unanswered = SequenceRanges(), frozenset()
        published = self._published_of(stream)
        up_to = MAX_SEQ if published is None else published
        self._watched[stream] = _Watched(missing, asked, now + timedelta(seconds=pause_s), up_to, asked_for, unanswered)

    def _act(self, stream: Stream, missing: Sequence[Range], wanted: Sequence[Range]) -> Action:
        """Ask for what is wanted, and give up what is lost of all that is missing."""
        gone = self._gone.get(stream, SequenceRanges())
        lost = SequenceRanges.of(missing).common(gone)
        ask = [part for first, last in wanted for part in gone.missing(first, last)]
        heard = self._heard.get((stream.environment, stream.source))
        return Action(stream, tuple(ask) if heard and heard.online else (), lost.ranges)


def _ends(ranges: Sequence[Range]) -> Range:
    return ranges[0][0], ranges[-1][1]


def requests_of(ranges: Sequence[Range]) -> list[tuple[Range, ...]]:
    """Ranges as one request may name them."""
    return [tuple(ranges[start : start + MAX_RANGES]) for start in range(0, len(ranges), MAX_RANGES)]
