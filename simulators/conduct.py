"""How the simulator behaves until it is told otherwise, unlike a fault, which meets some requests."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class UnknownCursor(StrEnum):
    """What the list questions of ADS answer to a UID that is not in the cache. CAISO has never been seen doing either."""

    FAULT = "fault"
    EMPTY_LIST = "empty"


class Continues(StrEnum):
    """Where a list of ADS's goes on from a batch that changed after it was listed. The specification does not say."""

    LISTED = "listed"
    NEWEST = "newest"


@dataclass
class Conduct:
    """Habits that an order changes.

    Attributes:
        unknown_cursor: the answer to a cursor that is not in the cache.
        continues: where a list goes on from a batch that has changed since: from where it was listed or, which leaves out what
            came between, from its newest revision.
        date_skew: how far the Date of every reply is ahead of the simulator's clock.
    """

    unknown_cursor: UnknownCursor = UnknownCursor.FAULT
    continues: Continues = Continues.LISTED
    date_skew: timedelta = timedelta()
