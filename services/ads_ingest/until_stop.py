"""Until stop: no question to CAISO begins once the process is told to stop, wherever in a round that comes.

A round with many questions that time out takes minutes, and whoever stops the process kills it before. A round may end between
any two questions: what was had is kept by then, and the rest is asked for after the next start.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from ads_ingest.caiso import Ads
from caiso.ads.records import BatchHeader, DispatchBatch, DispatchBatchList, TrajectoryBatchList


class Stopping(Exception):
    """The process was told to stop, so the question was not asked."""


@dataclass(frozen=True)
class UntilStop:
    """Asks CAISO as another does. Each question raises Stopping once the process is told to stop.

    Attributes:
        caiso: who is asked.
        is_stopping: whether the process was told to stop.
    """

    caiso: Ads
    is_stopping: Callable[[], bool]

    @property
    def clock_offset_s(self) -> float | None:
        """As `Ads`; no question."""
        return self.caiso.clock_offset_s

    @property
    def clock_offset_said_s(self) -> float | None:
        """As `Ads`; no question."""
        return self.caiso.clock_offset_said_s

    def get_dispatch_batches_since_uid(self, batch_uid: str, within_s: float = math.inf) -> DispatchBatchList:
        """As `Ads`."""
        return self._asked().get_dispatch_batches_since_uid(batch_uid, within_s)

    def get_dispatch_batch(self, batch_uid: str, within_s: float = math.inf) -> DispatchBatch:
        """As `Ads`."""
        return self._asked().get_dispatch_batch(batch_uid, within_s)

    def get_batch_header(self, batch_uid: str, within_s: float = math.inf) -> BatchHeader:
        """As `Ads`."""
        return self._asked().get_batch_header(batch_uid, within_s)

    def is_new_traj_data(self, batch_uid: str, within_s: float = math.inf) -> bool:
        """As `Ads`."""
        return self._asked().is_new_traj_data(batch_uid, within_s)

    def get_trajectory_data(self, batch_uid: str, within_s: float = math.inf) -> TrajectoryBatchList:
        """As `Ads`."""
        return self._asked().get_trajectory_data(batch_uid, within_s)

    def validate_dispatch_batch(self, batch_uid: str) -> None:
        """As `Ads`."""
        self._asked().validate_dispatch_batch(batch_uid)

    def _asked(self) -> Ads:
        if self.is_stopping():
            raise Stopping
        return self.caiso
