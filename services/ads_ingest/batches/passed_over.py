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

from ads_ingest.batches.open_batch import KEPT, is_news, is_older, known_of
from ads_ingest.batches.open_batches import OpenBatches
from caiso.ads import WHOLE_CACHE
from dotbus.contracts.messages import DispatchBatchHeader

NAMED_KEPT = 2 * KEPT
"""By whichever clock, CAISO has forgotten a batch by then."""
EVERY_RECHECKS = 10
"""So many times as long as for the revision of one batch nobody asks for all that CAISO has, unless there is a reason."""
ASK_AGAIN = timedelta(seconds=15)
"""All that CAISO has is asked for no more often, however much it revises; after a failure it waits twice as long each time."""


class Named(msgspec.Struct, frozen=True):
    """A batch as lists named it last, and since when."""

    at: datetime
    revision_no: int | None
    batch_status: int | None


class PassedOver:
    """Whether lists may have passed something over. Pure.

    Args:
        batches: what is known of each.
        named: every batch that lists named before a restart.
        every: how often all that CAISO has is asked for at least.

    Attributes:
        named: the same, those of this run with them.
    """

    def __init__(self, batches: OpenBatches, named: Mapping[str, Named], every: timedelta) -> None:
        self._batches = batches
        self._every = every
        self.named = dict(named)
        self._accounted: dict[str, DispatchBatchHeader] = {}
        self._continued_from: set[str] = set()
        self._is_unaccounted = False
        self._told_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._wait = ASK_AGAIN

    def note_listed(self, cursor: str, headers: Iterable[DispatchBatchHeader], now: datetime) -> None:
        """A list that continues from a batch named these."""
        self._is_unaccounted |= self._is_unknown(cursor)
        if cursor == WHOLE_CACHE:
            self._told_at = now
        self._forget(cursor, now)
        self._continued_from.add(cursor)
        for header in headers:
            self._account(header)
            before = self.named.get(header.batch_uid)
            if before is None or (before.revision_no, before.batch_status) != (header.revision_no, header.batch_status):
                self.named[header.batch_uid] = Named(now, header.revision_no, header.batch_status)

    def news_in(self, headers: Iterable[DispatchBatchHeader]) -> set[str]:
        """The batches that no list named as they are, of all that CAISO has."""
        return {header.batch_uid for header in headers if self._is_news(header)}

    def may_be(self, cursor: str, now: datetime) -> bool:
        """Whether lists that continue from a batch, or did from others, may have passed over what came before these changed."""
        if self._asked_at is not None and abs(now - self._asked_at) < self._wait:
            return False
        is_unaccounted = self._is_unaccounted or self._is_unknown(cursor)
        is_due = self._told_at is None or abs(now - self._told_at) >= self._every
        return is_unaccounted or is_due or any(map(self._is_newer, {*self._continued_from, cursor}))

    def note_asking(self, now: datetime) -> None:
        """CAISO is asked for all that it has: it says what came before anything that is known by now."""
        self._wait = ASK_AGAIN if self._asked_at == self._told_at else min(2 * self._wait, self._every)
        self._asked_at = now

    def note_told(self, cursor: str) -> None:
        """It answered, before anything else became known."""
        self._is_unaccounted, self._told_at = False, self._asked_at
        for uid in (*self._continued_from, cursor):
            batch = self._batches.get(uid)
            self._account(batch.header if batch else known_of(uid, None))

    def _is_news(self, header: DispatchBatchHeader) -> bool:
        """Whether it is to be had for what the list says. What is open is asked for by itself, of before a restart too."""
        uid = header.batch_uid
        if batch := self._batches.get(uid):
            return is_older(batch.header, header)
        named = self.named.get(uid)
        if named is None:
            return True
        known = msgspec.structs.replace(header, revision_no=named.revision_no, batch_status=named.batch_status)
        return is_news(header, known)

    def _is_unknown(self, cursor: str) -> bool:
        """Whether it is of before a restart: nobody knows what lists said of it."""
        return cursor != WHOLE_CACHE and cursor not in self._accounted

    def _is_newer(self, batch_uid: str) -> bool:
        batch, accounted = self._batches.get(batch_uid), self._accounted.get(batch_uid)
        return batch is not None and accounted is not None and is_older(accounted, batch.header)

    def _account(self, header: DispatchBatchHeader) -> None:
        """Lists tell what came before this revision; one that lags behind takes nothing of that back."""
        accounted = self._accounted.get(header.batch_uid)
        if accounted is None or not is_older(header, accounted):
            self._accounted[header.batch_uid] = header

    def _forget(self, cursor: str, now: datetime) -> None:
        """What is over is asked for no more, so that nothing newer of it is known."""
        self.named = {uid: named for uid, named in self.named.items() if abs(now - named.at) < NAMED_KEPT}
        self._continued_from = {uid for uid in self._continued_from if self._batches.get(uid)}
        known = {uid for uid in self._accounted if uid == cursor or self._batches.get(uid)}
        self._accounted = {uid: header for uid, header in self._accounted.items() if uid in known}
