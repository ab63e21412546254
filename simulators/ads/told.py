"""What ADS has told whoever asked: every revision of a batch that a client was given whole, and when it was first.

The ledger knows what holds now. A revision that was replaced since is nowhere else, and whoever was given it must have it.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from simulators.ads.records import DispatchBatch, TrajectoryBatch

KEPT = timedelta(hours=24)
B = TypeVar("B", DispatchBatch, TrajectoryBatch)
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class ToldBatch(Generic[B]):
    """A batch as a client was given it, and when it was first."""

    batch: B
    client: str
    told_at: datetime


class Told:
    """What was given away in the last 24 hours, by the common name of the client's certificate."""

    def __init__(self) -> None:
        self._dispatches: dict[tuple[str, str, int, int], ToldBatch[DispatchBatch]] = {}
        self._trajectories: dict[tuple[str, str], ToldBatch[TrajectoryBatch]] = {}

    def note_dispatch(self, batch: DispatchBatch, client: str, now: datetime) -> None:
        """A client gets a dispatch batch whole."""
        key = (client, batch.batch_uid, batch.revision_no, int(batch.batch_status))
        self._dispatches.setdefault(key, ToldBatch(batch, client, now))
        _forget(self._dispatches, now - KEPT)

    def note_trajectory(self, batch: TrajectoryBatch, client: str, now: datetime) -> None:
        """A client gets a trajectory batch."""
        self._trajectories.setdefault((client, batch.batch_uid), ToldBatch(batch, client, now))
        _forget(self._trajectories, now - KEPT)

    def dispatches(self, client: str | None = None) -> list[ToldBatch[DispatchBatch]]:
        """Every revision that a client, or any, was given; the one that was told first at the beginning."""
        return [each for each in self._dispatches.values() if client in (None, each.client)]

    def trajectories(self, client: str | None = None) -> list[ToldBatch[TrajectoryBatch]]:
        """Every trajectory batch that a client, or any, was given; the one that was told first at the beginning."""
        return [each for each in self._trajectories.values() if client in (None, each.client)]


def _forget(told: dict[K, ToldBatch[B]], before: datetime) -> None:
    while told:
        oldest = next(iter(told))
        if told[oldest].told_at >= before:
            return
        del told[oldest]
