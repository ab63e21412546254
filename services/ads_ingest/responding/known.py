"""Known now: what is instructed at this moment, as the streams know it, for whoever answers in another thread."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from ads_ingest.known.from_batches import KnownInstructions
from dotbus.contracts.messages import KnownInstruction


class KnownNow:
    """Looks into the known state of the streams.

    Args:
        of_accounts: the known state of each account. What they hold is the same, what each doubts is its own.
        lock: held by the streams while they change it, and until that is kept.
    """

    def __init__(self, of_accounts: Sequence[KnownInstructions], lock: AbstractContextManager[object]) -> None:
        self._of_accounts = of_accounts
        self._lock = lock

    def of(self, resource_id: str) -> Sequence[KnownInstruction]:
        """What is instructed to a resource, certain or not: CAISO has the last word on an answer that somebody asked for."""
        with self._lock:
            record = self._of_accounts[0].entry(resource_id)
        return record.instructions

    def certain(self) -> Mapping[str, Sequence[KnownInstruction]]:
        """What is instructed to each resource of which CAISO was heard and nothing is in doubt.

        After a restart, or while CAISO does not confirm it, an instruction may have been answered otherwise meanwhile, or
        withdrawn: nobody asked for an answer to that.
        """
        with self._lock:
            records = self._of_accounts[0].entries.items()
            sure = {resource_id: record for resource_id, record in records if record.batches and self._is_certain(resource_id)}
        return {resource_id: record.instructions for resource_id, record in sure.items()}

    def _is_certain(self, resource_id: str) -> bool:
        told = [known_state for known_state in self._of_accounts if known_state.is_of(resource_id)]
        is_heard = any(known_state.complete and not known_state.is_failing for known_state in told)
        return is_heard and not any(known_state.spoken(resource_id).state for known_state in told)
