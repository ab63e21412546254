"""Outages: CAISO was not heard for longer than it keeps batches, so that ADS cannot say any more what it had in between.

Each is an event, which the historian keeps. When CAISO was heard last is kept beside the cursor, of each stream and account by
itself and by CAISO's own clock, so that an outage is seen across a restart, and no clock that somebody sets makes one.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import msgspec

from ads_ingest.kept_events import kept_events
from ads_ingest.translate import Sender
from dotbus.contracts.messages import UpstreamGap
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox import Outbox

CACHE: Final = timedelta(hours=24)
"""How long ADS keeps a batch (specification, 2.1)."""
TOLD_FOR: Final = 2 * CACHE
KEPT_EVERY: Final = timedelta(minutes=1)
"""How far what is kept may be behind: the disk is spared what tells a minute of a day."""
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

    Raises:
        sqlite3.Error: the outbox cannot be read.
    """

    def __init__(self, followed: Followed, outbox: Outbox, sender: Sender, *, committed: Callable[[], None]) -> None:
        self._followed = followed
        self._outbox = outbox
        self._sender = sender
        self._committed = committed
        self._note = f"heard/{followed.name}"
        self._heard_at = _time_in(outbox.note(self._note))
        self._last = self._last_kept()
        self._log = get_logger("ads")

    def note_heard(self, now: datetime, caiso_now: datetime) -> None:
        """CAISO answered what is new. An outage that is over is told and kept, once.

        Args:
            now: the time by our clock.
            caiso_now: by CAISO's, as far as the difference is known.

        Raises:
            sqlite3.Error: it was not kept; the next answer finds it again.
        """
        if gap := missed(self._heard_at, caiso_now):
            self._keep(gap, now)
        elif self._heard_at is not None and abs(caiso_now - self._heard_at) < KEPT_EVERY:
            return
        # After the event: should the process end between the two, the same event is made again and passed over.
        self._outbox.keep_note(self._note, caiso_now.isoformat())
        self._heard_at = caiso_now

    def alarms(self, now: datetime) -> tuple[str, ...]:
        """What to tell of the last one, for as long as a batch would have been kept; nothing without one."""
        is_told = self._last is not None and now - self._last.missing_until <= TOLD_FOR
        return (self._last.detail,) if self._last and is_told else ()

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


def _time_in(note: str | None) -> datetime | None:
    return datetime.fromisoformat(note) if note else None
