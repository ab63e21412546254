"""Accounts: which events of each stream came, which are missing, which are lost; asked and kept in the database."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from dotbus.runtime.sequence import Range
from historian.database import Database
from historian.write.gaps import Gaps
from historian.write.ledger import Extent, add_lost, claim_asking, read_extents, read_missing
from historian.write.numbers import Numbers
from historian.write.record import Stream


class Accounts:
    """The sequence numbers of every stream.

    Every method may raise StoreUnavailable: nothing is known to be done.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._streams = Numbers(database).streams

    def missing(self, gaps: Gaps, limit: int) -> Mapping[Stream, tuple[Range, ...]]:
        """The first ranges of each stream that should be there and are not."""
        self._streams.forget()
        with self._database.transaction() as connection:
            extents = read_extents(connection)
        silent = gaps.streams - extents.keys()
        self._streams.learn(silent)
        extents |= {stream: Extent(self._streams.known[stream], 0) for stream in silent}
        last_seqs = {extent.origin_no: gaps.last_seq(stream, extent.last_seq) for stream, extent in extents.items()}
        with self._database.transaction() as connection:
            missing = read_missing(connection, last_seqs, limit)
        return {stream: tuple(missing[extent.origin_no]) for stream, extent in sorted(extents.items())}

    def claim_asking(self, stream: Stream, pause_s: float) -> bool:
        """Whether it is for us to ask; false when another historian did so within the pause."""
        origin_no = self._number(stream)
        with self._database.transaction() as connection:
            return claim_asking(connection, origin_no, pause_s)

    def give_up(self, stream: Stream, ranges: Sequence[Range], reason: str, now: datetime) -> tuple[Range, ...]:
        """Note that events can no longer be had. Returns what of it was news."""
        origin_no = self._number(stream)
        with self._database.transaction() as connection:
            return add_lost(connection, origin_no, ranges, reason, now)

    def _number(self, stream: Stream) -> int:
        self._streams.learn([stream])
        return self._streams.known[stream]
