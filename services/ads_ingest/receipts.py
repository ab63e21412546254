"""Receipts: telling CAISO that a batch was received (validateDispatchBatch), after it is safe and never instead.

The step is optional for CAISO and nothing here depends on it, so a failure is logged and tried again, and is no reason to
doubt what was received.
"""

from collections.abc import Iterable

from ads_ingest.caiso import Caiso
from ads_ingest.faults import AdsFailure, Away
from dotbus.runtime.logs import get_logger

ATTEMPTS = 3


class Receipts:
    """The receipts that CAISO does not have yet.

    Args:
        caiso: who is told.
        enabled: False sends none.
        owed: batches that may have been kept without a receipt before a restart. A second one does no harm.
    """

    def __init__(self, caiso: Caiso, *, enabled: bool, owed: Iterable[str] = ()) -> None:
        self._caiso = caiso
        self._enabled = enabled
        self._waiting: dict[str, int] = {}
        self._log = get_logger("receipts")
        for batch_uid in owed:
            self.owe(batch_uid)

    def owe(self, batch_uid: str) -> None:
        """A batch is safe with us."""
        if self._enabled:
            self._waiting[batch_uid] = 0

    def send(self) -> None:
        """Send what is owed, until CAISO does not answer; the rest waits for the next round."""
        for batch_uid in tuple(self._waiting):
            try:
                self._caiso.validate(batch_uid)
            except Away as failure:
                self._log.warning("a receipt waits", cause=str(failure))
                return
            except AdsFailure as failure:
                self._refused(batch_uid, failure)
            else:
                del self._waiting[batch_uid]

    def _refused(self, batch_uid: str, failure: AdsFailure) -> None:
        self._waiting[batch_uid] += 1
        if self._waiting[batch_uid] >= ATTEMPTS:
            del self._waiting[batch_uid]
            self._log.warning("CAISO did not take a receipt", batch_uid=batch_uid, cause=str(failure))
