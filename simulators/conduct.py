"""How the simulator behaves until it is told otherwise, unlike a fault, which meets some requests."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class UnknownCursor(StrEnum):
    """What the list questions of ADS answer to a UID that is not in the cache. CAISO has never been seen doing either."""

    FAULT = "fault"
    EMPTY_LIST = "empty"


@dataclass
class Conduct:
    """Habits that an order changes.

    Attributes:
        unknown_cursor: the answer to a cursor that is not in the cache.
        date_skew: how far the Date of every reply is ahead of the simulator's clock.
    """

    unknown_cursor: UnknownCursor = UnknownCursor.FAULT
    date_skew: timedelta = timedelta()
