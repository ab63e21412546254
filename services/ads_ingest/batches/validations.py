"""Validations: telling CAISO that a batch was received (validateDispatchBatch), after it is safe and never instead.

The step is optional for CAISO and nothing here depends on it, so a failure is logged and tried again, and is no reason to
doubt what was received.
"""

from collections.abc import Callable

from ads_ingest.batches.open_batches import OpenBatches
from ads_ingest.caiso import ALL_THE_TIME, WITHIN_S, Ads
from caiso.ads.errors import AdsFailure, Away
from dotbus.runtime.logs import get_logger

ATTEMPTS = 3
MOST_ROUNDS_PASSED = 30
MOST_AT_ONCE = 30


class Validations:
    """Sends the validations that CAISO does not have yet.

    Args:
        caiso: who is told.
        enabled: False sends none.
    """

    def __init__(self, caiso: Ads, *, enabled: bool) -> None:
        self._caiso = caiso
        self._enabled = enabled
        self._unheard = 0
        self._rounds_to_pass = 0
        self._log = get_logger("validations")

    def send(self, batches: OpenBatches, is_over: Callable[[], bool] = lambda: False) -> None:
        """Send what is owed, once a round, until CAISO does not answer; then more and more rounds pass without asking.

        A question that times out takes as long as the rest of a round, and there is a dispatch to be heard. So `is_over` tells,
        after each, whether they took long enough in this round.
        """
        if not self._enabled:
            return
        if self._rounds_to_pass:
            self._rounds_to_pass -= 1
            return
        owed = batches.validations_owed()
        for batch_uid in owed[:MOST_AT_ONCE]:
            try:
                self._caiso.validate_dispatch_batch(batch_uid, WITHIN_S[min(self._unheard, ALL_THE_TIME)])
            except Away as failure:
                batches.put_off_validation(batch_uid)
                self._not_heard(failure, len(owed))
                return
            except AdsFailure as failure:
                if batches.note_validation(batch_uid, taken=False, attempts=ATTEMPTS):
                    self._log.warning("CAISO did not take a validation", batch_uid=batch_uid, cause=str(failure))
            else:
                batches.note_validation(batch_uid, taken=True, attempts=ATTEMPTS)
            self._unheard = 0
            if is_over():
                return

    def _not_heard(self, failure: Away, waiting: int) -> None:
        if not self._unheard:
            self._log.warning("validations wait", cause=str(failure), waiting=waiting)
        self._unheard += 1
        self._rounds_to_pass = min(2 ** (self._unheard - 1) - 1, MOST_ROUNDS_PASSED)
