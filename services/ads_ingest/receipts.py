"""Receipts: telling CAISO that a batch was received (validateDispatchBatch), after it is safe and never instead.

The step is optional for CAISO and nothing here depends on it, so a failure is logged and tried again, and is no reason to
doubt what was received.
"""

from ads_ingest.caiso import Caiso
from ads_ingest.faults import AdsFailure, Away
from dotbus.runtime.logs import get_logger

ATTEMPTS = 3
MOST_ROUNDS_PASSED = 30


class Receipts:
    """The receipts that CAISO does not have yet.

    Args:
        caiso: who is told.
        enabled: False sends none.
    """

    def __init__(self, caiso: Caiso, *, enabled: bool) -> None:
        self._caiso = caiso
        self._enabled = enabled
        self._waiting: dict[str, int] = {}
        self._unheard = 0
        self._rounds_to_pass = 0
        self._log = get_logger("receipts")

    def owe(self, batch_uid: str) -> None:
        """A batch is safe with us. One that is told twice does no harm."""
        if self._enabled:
            self._waiting[batch_uid] = 0

    def send(self) -> None:
        """Send what is owed, once a round, until CAISO does not answer; then more and more rounds pass without asking.

        A question that times out takes as long as the rest of a round, and there is a dispatch to be heard.
        """
        if self._rounds_to_pass:
            self._rounds_to_pass -= 1
            return
        for batch_uid in tuple(self._waiting):
            try:
                self._caiso.validate(batch_uid)
            except Away as failure:
                self._not_heard(failure)
                return
            except AdsFailure as failure:
                self._refused(batch_uid, failure)
            else:
                del self._waiting[batch_uid]
            self._unheard = 0

    def _not_heard(self, failure: Away) -> None:
        if not self._unheard:
            self._log.warning("receipts wait", cause=str(failure), waiting=len(self._waiting))
        self._unheard += 1
        self._rounds_to_pass = min(2 ** (self._unheard - 1) - 1, MOST_ROUNDS_PASSED)

    def _refused(self, batch_uid: str, failure: AdsFailure) -> None:
        self._waiting[batch_uid] += 1
        if self._waiting[batch_uid] >= ATTEMPTS:
            del self._waiting[batch_uid]
            self._log.warning("CAISO did not take a receipt", batch_uid=batch_uid, cause=str(failure))
