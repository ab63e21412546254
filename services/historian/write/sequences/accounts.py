"""Accounts: which events of each stream came, which are missing, which are lost; asked and kept in the database."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from dotbus.runtime.outbox.sequence import Range
from historian.database import Database
from historian.write.reading.record import Stream
from historian.write.sequences.gaps import Gaps
from historian.write.sequences.ledger import add_lost, claim_asking, read_missing, take_back
from historian.write.storing.numbers import Streams


class Accounts:
    """The sequence numbers of every stream.

    Every method may raise StoreUnavailable: nothing is known to be done.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._streams = Streams(database)

    def missing(self, gaps: Gaps, limit: int) -> Mapping[Stream, tuple[Range, ...]]:
        """The first ranges of each stream that should be there and are not; none of one that was watched and is whole now.

        Of sources that were heard: whom nobody hears nobody can ask.
        """
        self._streams.forget()
        with self._database.transaction() as connection:
            return dict.fromkeys(gaps.watched, ()) | read_missing(connection, gaps.heard_of, limit)

    def claim_asking(self, stream: Stream, pause_s: float) -> bool:
        """Whether it is for us to ask; false when another historian did so within the pause."""
        origin_no = self._number(stream)
        if origin_no is None:
            return False
        with self._database.transaction() as connection:
            return claim_asking(connection, origin_no, pause_s)

    def give_up(self, stream: Stream, ranges: Sequence[Range], reason: str, now: datetime) -> tuple[Range, ...]:
        """Note that events can no longer be had. Returns what of it was news."""
        origin_no = self._number(stream)
        if origin_no is None:
            return ()
        with self._database.transaction() as connection:
            return add_lost(connection, origin_no, ranges, reason, now)

    def take_back(self, oldest: Mapping[Stream, int]) -> list[Stream]:
        """Note that sources have every number from these on, until they say otherwise when they are asked.

        Returns the streams of which any of them was given up.
        """
        with self._database.transaction() as connection:
            return take_back(connection, oldest)

    def _number(self, stream: Stream) -> int | None:
        """None of a stream that is one too many of its source."""
        self._streams.learn((), [stream])
        return self._streams.known.get(stream)
