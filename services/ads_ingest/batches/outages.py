"""Outages: CAISO was not heard for longer than it keeps batches, so that ADS cannot say any more what it had in between.

Each is an event, which the historian keeps for ever, so that no single clock makes one: neither ours, which somebody may set,
nor CAISO's, which may lie in a reply. When CAISO was heard last is kept beside the cursor, of each stream and account by itself
and by both clocks, so that an outage is seen across a restart.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Final, NamedTuple, Self

import msgspec

from ads_ingest.publishing import kept_events
from ads_ingest.translate import Sender
from dotbus.contracts.messages import UpstreamGap
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox.outbox import Outbox

CACHE: Final = timedelta(hours=24)
"""How long ADS keeps a batch (specification, 2.1)."""
TOLD_FOR: Final = 2 * CACHE
KEPT_EVERY: Final = timedelta(minutes=1)
"""How far what is kept may be behind: the disk is spared what tells a minute of a day."""
NOT_TOLD: Final = "-"
"""In place of a time of CAISO's."""
UNDECIDED_S: Final = 600.0
"""How long after a restart the two clocks may differ about an outage: one of them is being set, or lies for a reply. Then
CAISO's counts, which has said the same for so long."""
EVENT_IDS: Final = "gap/"


class Missed(NamedTuple):
    """The time of which batches may be missing."""

    begin: datetime
    end: datetime


def missed(heard_at: datetime | None, now: datetime) -> Missed | None:
    """What CAISO has had and given up between two answers; None when it still has all, or was never heard before."""
    if heard_at is None or now - heard_at <= CACHE:
        return None
    return Missed(heard_at, now - CACHE)


@dataclass(frozen=True)
class Heard:
    """When CAISO answered, by each clock that tells.

    Attributes:
        at: by our wall clock.
        caiso_at: by CAISO's; None while it does not tell it.
        steady_s: by a clock of ours that nobody sets, seconds; None for an answer of before a restart.
    """

    at: datetime
    caiso_at: datetime | None
    steady_s: float | None = None

    @classmethod
    def kept(cls, note: str | None) -> Self | None:
        """As it was noted; a note of before has one time for both clocks."""
        if not note:
            return None
        at, _space, caiso_at = note.partition(" ")
        return cls(datetime.fromisoformat(at), _time_in(caiso_at or at))

    @property
    def note(self) -> str:
        """To be kept."""
        return f"{self.at.isoformat()} {self.caiso_at.isoformat() if self.caiso_at else NOT_TOLD}"

    def is_near(self, other: Self) -> bool:
        """Whether the disk need not be told."""
        of_ours, of_caisos = self.at - other.at, _between(other.caiso_at, self.caiso_at)
        is_known_as_before = (self.caiso_at is None) == (other.caiso_at is None)
        return is_known_as_before and abs(of_ours) < KEPT_EVERY and abs(of_caisos or timedelta(0)) < KEPT_EVERY


class Verdict(Enum):
    """What the clocks say together of the time between two answers."""

    SHORT = "CAISO still has all of it"
    OUTAGE = "it is longer than CAISO keeps batches"
    UNDECIDED = "one clock says so since a restart, and no other"


def judge(before: Heard, after: Heard) -> Verdict:
    """Whether CAISO was silent for too long: two of the clocks have to say so."""
    votes = [after.at - before.at > CACHE]
    if (of_caisos := _between(before.caiso_at, after.caiso_at)) is not None:
        votes.append(of_caisos > CACHE)
    if before.steady_s is not None and after.steady_s is not None:
        votes.append(after.steady_s - before.steady_s > CACHE.total_seconds())
    if sum(votes) > 1:
        return Verdict.OUTAGE
    return Verdict.UNDECIDED if any(votes) and before.steady_s is None else Verdict.SHORT


def missing_between(before: Heard, after: Heard, verdict: Verdict) -> Missed | None:
    """What is missing: by CAISO's clock where it tells, unless two of ours say otherwise. `verdict` as `judge` gives it."""
    by_caisos = missed(before.caiso_at, after.caiso_at) if after.caiso_at else None
    tells = before.caiso_at is not None and after.caiso_at is not None
    if by_caisos or (tells and verdict is Verdict.UNDECIDED):
        return by_caisos
    return missed(before.at, after.at)


@dataclass(frozen=True)
class Followed:
    """What is followed.

    Attributes:
        upstream: its name in the service's status, without the account's.
        account: whose; None where there is only one.
        batches: what is missing after an outage, in words.
    """

    upstream: str
    account: str | None
    batches: str

    @property
    def name(self) -> str:
        """Of the upstream of this account, as the status has it."""
        return f"{self.upstream}/{self.account}" if self.account else self.upstream


class Outages:
    """Those of one stream of one account.

    Args:
        followed: which.
        outbox: where they are kept.
        sender: who says them.
        committed: called when there is something new to deliver.
        monotonic_s: seconds of a clock that nobody sets.

    Raises:
        sqlite3.Error: the outbox cannot be read.
    """

    def __init__(
        self,
        followed: Followed,
        outbox: Outbox,
        sender: Sender,
        *,
        committed: Callable[[], None],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._followed = followed
        self._outbox = outbox
        self._sender = sender
        self._committed = committed
        self._note = f"heard/{followed.name}"
        self._monotonic_s = monotonic_s
        self._undecided_since_s: float | None = None
        self._kept = self._heard = Heard.kept(outbox.note(self._note))
        self._last = self._last_kept()
        self._log = get_logger("ads")

    def note_heard(self, now: datetime, caiso_now: datetime | None) -> None:
        """CAISO answered what is new. An outage that is over is told and kept, once.

        Args:
            now: the time by our clock.
            caiso_now: by CAISO's; None while it does not tell it.

        Raises:
            sqlite3.Error: it was not kept; the next answer finds it again.
        """
        heard = Heard(now, caiso_now, self._monotonic_s())
        verdict = judge(self._heard, heard) if self._heard else Verdict.SHORT
        if verdict is Verdict.UNDECIDED and self._is_too_soon():
            return
        if self._heard and verdict is not Verdict.SHORT and (gap := missing_between(self._heard, heard, verdict)):
            self._keep(gap, now)
        # After the event: should the process end between the two, the same event is made again and passed over.
        if self._kept is None or not heard.is_near(self._kept):
            self._outbox.keep_note(self._note, heard.note)
            self._kept = heard
        self._heard = heard

    def alarms(self, now: datetime) -> tuple[str, ...]:
        """What to tell of the last one, for as long as a batch would have been kept; nothing without one."""
        is_told = self._last is not None and now - self._last.missing_until <= TOLD_FOR
        return (self._last.detail,) if self._last and is_told else ()

    def _is_too_soon(self) -> bool:
        now_s = self._monotonic_s()
        self._undecided_since_s = now_s if self._undecided_since_s is None else self._undecided_since_s
        return now_s - self._undecided_since_s < UNDECIDED_S

    def _keep(self, gap: Missed, now: datetime) -> None:
        event = self._event(gap, now)
        topic = self._sender.installation.topics.gap(*self._sender.source.split("/", 1))
        if self._outbox.commit(now, events=[(topic, event)]):
            self._committed()
        self._last = event
        self._log.error(f"{self._followed.batches} are missing", cause=event.detail, upstream=self._followed.name)

    def _event(self, gap: Missed, now: datetime) -> UpstreamGap:
        followed, sender = self._followed, self._sender
        begin, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in gap)
        which = msgspec.json.encode((sender.source, followed.upstream, followed.account, gap.begin))
        return UpstreamGap(
            environment=sender.environment,
            source=sender.source,
            time=now,
            id=EVENT_IDS + hashlib.sha256(which).hexdigest()[:32],
            upstream=followed.upstream,
            account=followed.account,
            missing_from=gap.begin,
            missing_until=gap.end,
            detail=f"CAISO was not heard for longer than it keeps batches: {followed.batches} of {begin} to {end} are missing",
        )

    def _last_kept(self) -> UpstreamGap | None:
        """The last one that was told before a restart."""
        own = (self._followed.upstream, self._followed.account)
        kept = kept_events(self._outbox, EVENT_IDS, UpstreamGap)
        told = [event for event in kept if (event.upstream, event.account) == own]
        return told[-1] if told else None


def _time_in(note: str) -> datetime | None:
    return None if note == NOT_TOLD else datetime.fromisoformat(note)


def _between(before: datetime | None, after: datetime | None) -> timedelta | None:
    return after - before if before and after else None
