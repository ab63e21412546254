"""CAISO: the questions that the loop asks, each with its typed answer. Every failure is an `AdsFailure`."""

from typing import Protocol

from ads_ingest.parse import (
    parse_batch_header,
    parse_dispatch_batch,
    parse_dispatch_list,
    parse_flag,
    parse_receipt,
    parse_trajectories,
)
from ads_ingest.records import DispatchDocument, DispatchList, Question, Reply, TrajectoryList
from dotbus.contracts.messages import DispatchBatchHeader


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
        return parse_dispatch_list(self._ask("getDispatchBatchesSinceUID", batch_uid), self._max_bytes)

    def fetch_batch(self, batch_uid: str) -> DispatchDocument:
        """A batch with the instructions that we may see."""
        return parse_dispatch_batch(self._ask("getDispatchBatch", batch_uid), self._max_bytes)

    def fetch_header(self, batch_uid: str) -> DispatchBatchHeader:
        """What a batch's revision and status are now."""
        return parse_batch_header(self._ask("getBatchHeader", batch_uid), self._max_bytes)

    def validate(self, batch_uid: str) -> None:
        """Tell CAISO that we have a batch. It skips instructions that were validated before."""
        parse_receipt(self._ask("validateDispatchBatch", batch_uid))

    def fetch_whether_new_trajectory(self, batch_uid: str) -> bool:
        """Whether there are trajectory batches after one."""
        return parse_flag(self._ask("isNewTrajData", batch_uid))

    def fetch_trajectories_since(self, batch_uid: str) -> TrajectoryList:
        """The trajectory batches that ADS received after one."""
        return parse_trajectories(self._ask("getTrajectoryData", batch_uid), self._max_bytes)

    def _ask(self, operation: str, batch_uid: str) -> Reply:
        reply = self._source.fetch(Question(operation, batch_uid))
        if reply.clock_offset_s is not None:
            self.clock_offset_s = reply.clock_offset_s
        return reply
