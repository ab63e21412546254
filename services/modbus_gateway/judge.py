"""Judge: may a value be believed now. Pure; design section 5.

Its age is the time since CAISO was last heard: by the state itself (`heard_at`) or, later, by the heartbeats of the source
that said it. Neither counts as later than the moment we received it, so that no clock but ours can make a value young, and a
state that a restarted broker hands out again is as old as it was. A heartbeat confirms only what was heard on the same
connection to the broker: what was retracted while we were away would never come again.

A value is judged by its own source. Where several sources have said one, a word that another knows to be out of date does not
count; of the others the one of the best quality does, and among equals the one that arrived last.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Generic, TypeVar

from dotbus.contracts.messages import Dot, Lmp, Trajectory
from dotbus.contracts.quality import CLOCK_DOUBT_S, Quality, Reason
from modbus_gateway.newer import is_behind
from modbus_gateway.received import HEARTBEATS_COMPARED, Problem, Received, Source, Word, upstream_behind

_UNKNOWN: Final = Source(online=True)  # its status has not come: nothing is known against it, nothing confirms it either

M = TypeVar("M", Dot, Trajectory, Lmp)


@dataclass(frozen=True)
class Judged(Generic[M]):
    """A state and why it is less than good.

    Attributes:
        message: None when nothing that may be used was ever said.
        age_s: since CAISO was last heard, never below 0.
        said_at: when the state was said, no later than it arrived.
    """

    message: M | None
    reasons: frozenset[Reason]
    age_s: float | None = None
    said_at: datetime | None = None

    def quality(self, *more: Reason) -> Quality:
        """The quality of the state, or of a value of it that `more` speaks against."""
        return Quality.of(self.reasons.union(more))


def judge(received: Received, topic: str, kind: type[M], stale_after_s: float, now: datetime) -> Judged[M]:
    """The word that counts on a topic, and how far it may be believed."""
    candidates = [judged for word in received.words(topic) if (judged := _judge_word(received, word, kind, stale_after_s, now))]
    known = [judged.message for judged in candidates if judged.message]
    current = [one for one in candidates if one.message and not any(is_behind(one.message, other) for other in known)]
    best = max(reversed(current or candidates), key=lambda judged: judged.quality().level, default=Judged[M](None, frozenset()))
    return replace(best, reasons=best.reasons.union(_against_topic(received, topic, said=best.message is not None)))


def hears_caiso(received: Received, service: str, stale_after_s: float, now: datetime, upstream: str | None = None) -> bool:
    """Whether any online instance of an ingest says that CAISO answers it, and said so recently enough.

    Args:
        received: what came until now.
        service: the ingest.
        stale_after_s: how long an answer counts.
        now: the gateway's clock.
        upstream: the one that matters; without it all of them must answer.
    """
    return received.connected and any(_hears(source, stale_after_s, now, upstream) for source in received.sources_of(service))


def _hears(source: Source, stale_after_s: float, now: datetime, upstream: str | None) -> bool:
    heard_at = source.heard_caiso_at(upstream)
    if not source.online or heard_at is None:
        return False
    return all(known.ok for known in source.behind(upstream)) and abs(_seconds(heard_at, now)) <= stale_after_s


def _judge_word(received: Received, word: Word, kind: type[M], stale_after_s: float, now: datetime) -> Judged[M] | None:
    message = word.message
    if not isinstance(message, kind):
        return None
    source: Source = received.sources.get(message.source, _UNKNOWN)
    upstream = upstream_behind(message)
    heard_at = min(message.heard_at, word.arrived_at)
    confirmed_at = source.heard_caiso_at(upstream)
    if confirmed_at and word.connection == received.connection:
        heard_at = max(heard_at, confirmed_at)
    age_s = _seconds(heard_at, now)
    reasons = set(_against_source(source, upstream))
    if abs(age_s) > stale_after_s:  # a clock that is wrong by as much as this says nothing about freshness
        reasons.add(Reason.STALE)
    ahead_s = max(_seconds(word.arrived_at, message.time), _seconds(word.arrived_at, message.heard_at))
    if ahead_s > CLOCK_DOUBT_S or age_s < -CLOCK_DOUBT_S:
        reasons.add(Reason.CLOCK_IN_DOUBT)
    return Judged(message, frozenset(reasons), max(age_s, 0.0), min(message.time, word.arrived_at))


def _against_topic(received: Received, topic: str, *, said: bool) -> Iterator[Reason]:
    problem = received.problem(topic)
    if not received.connected:
        yield Reason.BROKER_LOST
    if problem is Problem.UNDECODABLE:
        yield Reason.INVALID
    if not said:
        yield Reason.WRONG_ENVIRONMENT if problem is Problem.WRONG_ENVIRONMENT else Reason.NEVER_RECEIVED


def _against_source(source: Source, upstream: str) -> Iterator[Reason]:
    behind = source.behind(upstream)
    if not source.online:
        yield Reason.SOURCE_OFFLINE
    if not all(known.ok for known in behind):
        yield Reason.SOURCE_FAILING
    if any(abs(known.clock_offset_s or 0.0) > CLOCK_DOUBT_S for known in behind) or _clock_differs(source):
        yield Reason.CLOCK_IN_DOUBT


def _clock_differs(source: Source) -> bool:
    """Whether the heartbeats show that the source's clock is not ours.

    A heartbeat may come late, never early: the largest offset is the nearest to the truth. One from the future is proof; late
    ones are only when all that are compared were late.
    """
    if not source.clock_offsets_s:
        return False
    offset_s = max(source.clock_offsets_s)
    return offset_s > CLOCK_DOUBT_S or (len(source.clock_offsets_s) >= HEARTBEATS_COMPARED and offset_s < -CLOCK_DOUBT_S)


def _seconds(begin: datetime, end: datetime) -> float:
    return (end - begin).total_seconds()
