"""Known now: what is instructed at this moment, as the streams know it, for whoever answers in another thread."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from ads_ingest.known.instruction_state import KnownInstructions
from dotbus.contracts.messages import KnownInstruction


class KnownNow:
    """Looks into the known state of the streams.

    Args:
        instructions: their known state.
        lock: held by the streams while they change it, and until that is kept.
    """

    def __init__(self, instructions: KnownInstructions, lock: AbstractContextManager[object]) -> None:
        self._instructions = instructions
        self._lock = lock

    def of(self, resource_id: str) -> Sequence[KnownInstruction]:
        """What is instructed to a resource."""
        with self._lock:
            record = self._instructions.entry(resource_id)
        return record.instructions

    def every(self) -> Mapping[str, Sequence[KnownInstruction]]:
        """What is instructed to each resource."""
        with self._lock:
            records = dict(self._instructions.entries)
        return {resource_id: record.instructions for resource_id, record in records.items() if record.batches}
