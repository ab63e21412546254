"""What ADS has told whoever asked: every revision of a batch that was given away whole, and when it was first.

The ledger knows what holds now. A revision that was replaced since is nowhere else, and whoever was given it must have it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from simulators.ads.records import DispatchBatch

KEPT = timedelta(hours=24)


@dataclass(frozen=True)
class ToldBatch:
    """A revision of a batch, and when it was first given away."""

    batch: DispatchBatch
    told_at: datetime


class Told:
    """The revisions that were given away in the last 24 hours."""

    def __init__(self) -> None:
        self._first: dict[tuple[str, int, int], ToldBatch] = {}

    def note(self, batch: DispatchBatch, now: datetime) -> None:
        """A client gets a batch whole."""
        key = (batch.batch_uid, batch.revision_no, int(batch.batch_status))
        if key not in self._first:
            self._first = {known: told for known, told in self._first.items() if told.told_at >= now - KEPT}
            self._first[key] = ToldBatch(batch, now)

    def all(self) -> list[ToldBatch]:
        """Every revision, the one that was told first at the beginning."""
        return list(self._first.values())
