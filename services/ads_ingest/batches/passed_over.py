"""Passed over: what no list of CAISO's named, because of how it continues from a batch that has changed.

A list gives what ADS "processed since" a batch (specification, 2.1). It does not say whether that is where the batch came first
or where its newest revision did. In the second case what came between the two, or was revised then, is in no list, and CAISO
forgets it after 24 hours. So all that it has is asked for where a batch that lists continued from turns out newer than they had
said; once after a start, for nobody knows what became of it meanwhile; and now and then, for nobody asks what became of what is
over. What of that was never named before, or not in that revision, is news.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from ads_ingest.batches.open_batch import KEPT, is_news, is_older
from ads_ingest.batches.open_batches import OpenBatches
from caiso.ads import WHOLE_CACHE
from dotbus.contracts.messages import DispatchBatchHeader
from dotbus.runtime.schedule import backoff_s

NAMED_KEPT = 2 * KEPT
"""By whichever clock, CAISO has forgotten a batch by then."""
EVERY_RECHECKS = 10
"""So many times as long as for the revision of one batch nobody asks for all that CAISO has, unless there is a reason."""
ASK_AGAIN = timedelta(seconds=15)
"""All that CAISO has is asked for no more often, however much it revises; after a failure it waits twice as long each time."""


class Named(msgspec.Struct, frozen=True):
    """A batch as lists named it last, or as it was known when CAISO told all that it has, and since when."""

    at: datetime
    revision_no: int | None
    batch_status: int | None


class PassedOver:
    """Whether lists may have passed something over. Pure.

    Args:
        batches: what is known of each.
        named: every batch that lists named before a restart.
        recheck: how often one batch is asked for its revision.

    Attributes:
        named: the same, those of this run with them.
    """

    def __init__(self, batches: OpenBatches, named: Mapping[str, Named], recheck: timedelta) -> None:
        self._batches = batches
        self._every = EVERY_RECHECKS * recheck
        self.named = dict(named)
        self._continued_from: set[str] = set()
        self._told_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._in_vain = 0

    def note_listed(self, cursor: str, headers: Iterable[DispatchBatchHeader], now: datetime) -> None:
        """A list that continues from a batch named these."""
        if cursor == WHOLE_CACHE:
            self._told_at = now
        self.named = {uid: named for uid, named in self.named.items() if abs(now - named.at) < NAMED_KEPT}
        # What is over is asked for no more, so that nothing newer of it is known.
        self._continued_from = {uid for uid in (*self._continued_from, cursor) if self._batches.get(uid)}
        for header in headers:
            self._note_named(header, now)

    def news_in(self, headers: Iterable[DispatchBatchHeader]) -> set[str]:
        """The batches that no list named as they are, of all that CAISO has."""
        return {header.batch_uid for header in headers if self._is_news(header)}

    def may_be(self, cursor: str, now: datetime) -> bool:
        """Whether lists that continue from a batch, or did from others, may have passed over what came before these changed."""
        most_s = max(self._every, ASK_AGAIN).total_seconds()
        wait_s = backoff_s(max(1, self._in_vain), ASK_AGAIN.total_seconds(), most_s, 0.0)
        if self._asked_at is not None and abs(now - self._asked_at).total_seconds() < wait_s:
            return False
        is_due = self._told_at is None or abs(now - self._told_at) >= self._every
        return is_due or any(map(self._is_newer, {*self._continued_from, cursor}))

    def note_asking(self, now: datetime) -> None:
        """CAISO is asked for all that it has: it says what came before anything that is known by now."""
        self._asked_at = now
        self._in_vain += 1

    def note_told(self, cursor: str, now: datetime) -> None:
        """It answered, before anything else became known."""
        self._told_at, self._in_vain = self._asked_at, 0
        for uid in {*self._continued_from, cursor}:
            batch = self._batches.get(uid)
            if batch and (uid not in self.named or self._is_newer(uid)):
                self._note_named(batch.header, now)

    def _note_named(self, header: DispatchBatchHeader, now: datetime) -> None:
        """Lists tell what came before this revision; one that lags behind takes nothing of that back."""
        if is_news(header, self._as_named(header)):
            self.named[header.batch_uid] = Named(now, header.revision_no, header.batch_status)

    def _is_news(self, header: DispatchBatchHeader) -> bool:
        """Whether it is to be had for what the list says. What is open is asked for by itself, of before a restart too."""
        if batch := self._batches.get(header.batch_uid):
            return is_older(batch.header, header)
        return is_news(header, self._as_named(header))

    def _is_newer(self, batch_uid: str) -> bool:
        """Whether a batch is known newer than lists named it."""
        batch = self._batches.get(batch_uid)
        if batch is None:
            return False
        named = self._as_named(batch.header)
        return named is not None and is_older(named, batch.header)

    def _as_named(self, header: DispatchBatchHeader) -> DispatchBatchHeader | None:
        """The header of a batch as lists named it last; None when none did."""
        named = self.named.get(header.batch_uid)
        if named is None:
            return None
        return msgspec.structs.replace(header, revision_no=named.revision_no, batch_status=named.batch_status)
