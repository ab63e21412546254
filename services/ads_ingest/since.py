"""Since: asking CAISO for what came after the last UID, also when it does not know that UID any more."""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from ads_ingest.faults import SoapFault
from ads_ingest.records import WHOLE_CACHE

T = TypeVar("T")


class Since(NamedTuple, Generic[T]):
    """An answer, and the cursor that it continues."""

    answer: T
    cursor: str


def ask_since(ask: Callable[[str], T], cursor: str) -> Since[T]:
    """What came after a cursor; all that CAISO has when it answers the cursor with a fault.

    ADS keeps batches for 24 hours, so after a long outage it does not know our last UID, and says so by a fault whose text is
    not documented. All batches again are no harm: the ids of the events are the same, and what is kept already is passed over.

    Raises:
        AdsFailure: CAISO did not answer that either; of two faults, the first.
    """
    try:
        return Since(ask(cursor), cursor)
    except SoapFault as fault:
        if cursor == WHOLE_CACHE:
            raise
        try:
            return Since(ask(WHOLE_CACHE), WHOLE_CACHE)
        except SoapFault:
            raise fault from None
