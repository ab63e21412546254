"""CAISO: the questions that the loop asks, each with its typed answer. Every failure is an `AdsFailure`."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Generic, NamedTuple, Protocol, TypeVar

from ads_ingest.faults import AdsFailure, SoapFault, Unforeseen
from ads_ingest.parse import (
    parse_batch_header,
    parse_dispatch_batch,
    parse_dispatch_list,
    parse_flag,
    parse_receipt,
    parse_trajectories,
)
from ads_ingest.records import WHOLE_CACHE, DispatchDocument, DispatchList, Question, Reply, TrajectoryList
from dotbus.contracts.messages import DispatchBatchHeader
from dotbus.contracts.quality import CLOCK_DOUBT_S

T = TypeVar("T")


class Source(Protocol):
    """Where replies come from."""

    def fetch(self, question: Question) -> Reply:
        """The reply to a question."""
        ...


class Caiso:
    """The ADS web service (specification, section 2).

    Args:
        source: asks.
        max_bytes: the bound on an unpacked document.

    Attributes:
        clock_offset_s: CAISO's clock minus ours, as the last reply that told it said.
    """

    def __init__(self, source: Source, max_bytes: int) -> None:
        self._source = source
        self._max_bytes = max_bytes
        self.clock_offset_s: float | None = None

    def fetch_batches_since(self, batch_uid: str) -> DispatchList:
        """Headers of the batches that ADS received after one, in that order."""
        return self._ask("getDispatchBatchesSinceUID", batch_uid, self._bounded(parse_dispatch_list))

    def fetch_batch(self, batch_uid: str) -> DispatchDocument:
        """A batch with the instructions that we may see."""
        return self._ask("getDispatchBatch", batch_uid, self._bounded(parse_dispatch_batch))

    def fetch_header(self, batch_uid: str) -> DispatchBatchHeader:
        """What a batch's revision and status are now."""
        return self._ask("getBatchHeader", batch_uid, self._bounded(parse_batch_header))

    def validate(self, batch_uid: str) -> None:
        """Tell CAISO that we have a batch. It skips instructions that were validated before."""
        self._ask("validateDispatchBatch", batch_uid, parse_receipt)

    def fetch_whether_new_trajectory(self, batch_uid: str) -> bool:
        """Whether there are trajectory batches after one."""
        return self._ask("isNewTrajData", batch_uid, parse_flag)

    def fetch_trajectories_since(self, batch_uid: str) -> TrajectoryList:
        """The trajectory batches that ADS received after one."""
        return self._ask("getTrajectoryData", batch_uid, self._bounded(parse_trajectories))

    def answered_at(self, now: datetime) -> datetime:
        """When CAISO answered what was just heard: by the earlier of both clocks where they differ.

        A clock of ours that is ahead would make what was heard look young for as long as it is ahead.
        """
        offset_s = self.clock_offset_s or 0.0
        return now + timedelta(seconds=offset_s) if offset_s < -CLOCK_DOUBT_S else now

    def _bounded(self, parse: Callable[[Reply, int], T]) -> Callable[[Reply], T]:
        return lambda reply: parse(reply, self._max_bytes)

    def _ask(self, operation: str, batch_uid: str, parse: Callable[[Reply], T]) -> T:
        question, content = Question(operation, batch_uid), None
        try:
            reply = self._source.fetch(question)
            content = reply.body
            if reply.clock_offset_s is not None:
                self.clock_offset_s = reply.clock_offset_s
            return parse(reply)
        except AdsFailure:
            raise
        except Exception as error:
            raise Unforeseen(question, repr(error), content) from error


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
