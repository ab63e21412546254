"""Passed over: batches that no list of CAISO's named, because of how it continues from a batch that has changed.

A list gives what ADS "processed since" a batch (specification, 2.1). It does not say whether that is where the batch came first
or where its newest revision did. In the second case what came between the two is in no list, and a 24-hour cache forgets it. So
where a batch that lists continued from turns out newer than they had said, and once after a start, for nobody knows what became
of it meanwhile, CAISO is to be asked for all that it has. What of that was never named before is new.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from ads_ingest.batches.open_batch import KEPT, is_older, known_of
from ads_ingest.batches.open_batches import OpenBatches
from caiso.ads import WHOLE_CACHE
from dotbus.contracts.messages import DispatchBatchHeader

NAMED_KEPT = 2 * KEPT
"""By whichever clock, CAISO has forgotten a batch by then."""
ASK_AGAIN = timedelta(seconds=15)
"""All that CAISO has is asked for no more often for this, however often it revises."""


class PassedOver:
    """Whether lists may have passed some over. Pure.

    Args:
        batches: what is known of each.
        named: every batch that lists named before a restart, with the time.

    Attributes:
        named: the same, those of this run with them.
    """

    def __init__(self, batches: OpenBatches, named: Mapping[str, datetime]) -> None:
        self._batches = batches
        self.named = dict(named)
        self._accounted: dict[str, DispatchBatchHeader] = {}
        self._continued_from: set[str] = set()
        self._is_unaccounted = False
        self._asked_at: datetime | None = None

    def note_listed(self, cursor: str, headers: Iterable[DispatchBatchHeader], now: datetime) -> None:
        """A list that continues from a batch named these."""
        self._is_unaccounted |= self._is_unknown(cursor)
        self._forget(cursor, now)
        self._continued_from.add(cursor)
        for header in headers:
            self._account(header)
            self.named[header.batch_uid] = now

    def _forget(self, cursor: str, now: datetime) -> None:
        """What is over changes no more."""
        self.named = {uid: at for uid, at in self.named.items() if abs(now - at) < NAMED_KEPT}
        self._continued_from = {uid for uid in self._continued_from if self._batches.get(uid)}
        known = {uid for uid in self._accounted if uid == cursor or self._batches.get(uid)}
        self._accounted = {uid: header for uid, header in self._accounted.items() if uid in known}

    def is_new(self, batch_uid: str) -> bool:
        """Whether no list named a batch yet, and nothing else told of it."""
        return batch_uid not in self.named and self._batches.get(batch_uid) is None

    def may_be(self, cursor: str, now: datetime) -> bool:
        """Whether lists that continue from a batch, or did from others, may have passed over what came before these changed."""
        is_early = self._asked_at is not None and abs(now - self._asked_at) < ASK_AGAIN
        is_unaccounted = self._is_unaccounted or self._is_unknown(cursor)
        return not is_early and (is_unaccounted or any(map(self._is_newer, {*self._continued_from, cursor})))

    def _is_unknown(self, cursor: str) -> bool:
        """Whether it is of before a restart: nobody knows what lists said of it."""
        return cursor != WHOLE_CACHE and cursor not in self._accounted

    def note_asking(self, now: datetime) -> None:
        """CAISO is asked for all that it has: it says what came before anything that is known by now."""
        self._asked_at = now

    def note_told(self, cursor: str) -> None:
        """It answered, before anything else became known."""
        self._is_unaccounted = False
        for uid in (*self._continued_from, cursor):
            batch = self._batches.get(uid)
            self._account(batch.header if batch else known_of(uid, None))

    def _is_newer(self, batch_uid: str) -> bool:
        batch, accounted = self._batches.get(batch_uid), self._accounted.get(batch_uid)
        return batch is not None and accounted is not None and is_older(accounted, batch.header)

    def _account(self, header: DispatchBatchHeader) -> None:
        """Lists tell what came before this revision; one that lags behind takes nothing of that back."""
        accounted = self._accounted.get(header.batch_uid)
        if accounted is None or not is_older(header, accounted):
            self._accounted[header.batch_uid] = header
