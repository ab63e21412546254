"""Played ADS: answers as CAISO's did, from what was kept of a day. Who kept it, and how, it does not know."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from ads_ingest.replaying.timeline import Timeline
from caiso.ads import SavedDocument, UnknownUid
from caiso.ads.errors import Unreachable
from caiso.ads.records import BatchHeader, DispatchBatch, DispatchBatchList, Question, TrajectoryBatch, TrajectoryBatchList
from dotbus.runtime.logs import get_logger

T = TypeVar("T")


class NotPlayable(Exception):
    """What was kept cannot be read, and never will be; the message says what and why."""


class KeeperAway(Exception):
    """Who kept it does not answer now."""


class Kept(Protocol):
    """Something that CAISO said, as it was kept."""

    @property
    def received_at(self) -> datetime:
        """When it came."""
        ...

    def read(self) -> SavedDocument:
        """What it says.

        Raises:
            NotPlayable: it cannot be read.
            KeeperAway: it cannot be read now.
        """
        ...


@dataclass
class PlayedAds:
    """Answers as ADS did: of what was received by now, and of each batch the revision that was the newest then.

    Where what was kept cannot be had at the moment, nothing was heard of CAISO, and the question is asked again.

    Attributes:
        kept: in the order in which it came.
        timeline: when each is played.
        clock: the wall clock.
    """

    kept: Sequence[Kept]
    timeline: Timeline
    clock: Callable[[], datetime]
    clock_offset_s: float | None = 0.0
    clock_offset_said_s: float | None = 0.0
    _played: int = 0
    _dispatches: dict[str, DispatchBatch] = field(default_factory=dict)
    _trajectories: dict[str, TrajectoryBatch] = field(default_factory=dict)

    def get_dispatch_batches_since_uid(self, batch_uid: str, within_s: float = math.inf) -> DispatchBatchList:  # noqa: ARG002
        """As `AdsClient`, at once."""
        self._play(Question("getDispatchBatchesSinceUID", batch_uid))
        return DispatchBatchList(tuple(batch.header for batch in _since(self._dispatches, batch_uid)))

    def get_dispatch_batch(self, batch_uid: str, within_s: float = math.inf) -> DispatchBatch:  # noqa: ARG002  # at once
        """As `AdsClient`.

        Raises:
            UnknownUid: it was not kept, or is not yet there.
        """
        if batch_uid not in self._dispatches:
            raise UnknownUid(Question("getDispatchBatch", batch_uid), "it was not kept")
        return self._dispatches[batch_uid]

    def get_batch_header(self, batch_uid: str, within_s: float = math.inf) -> BatchHeader:
        """As `AdsClient`.

        Raises:
            UnknownUid: it was not kept, or is not yet there.
        """
        self._play(Question("getBatchHeader", batch_uid))
        return self.get_dispatch_batch(batch_uid, within_s).header

    def is_new_traj_data(self, batch_uid: str, within_s: float = math.inf) -> bool:  # noqa: ARG002  # at once
        """As `AdsClient`."""
        self._play(Question("isNewTrajData", batch_uid))
        return bool(_since(self._trajectories, batch_uid))

    def get_trajectory_data(self, batch_uid: str, within_s: float = math.inf) -> TrajectoryBatchList:  # noqa: ARG002  # at once
        """As `AdsClient`."""
        return TrajectoryBatchList(tuple(_since(self._trajectories, batch_uid)))

    def validate_dispatch_batch(self, batch_uid: str) -> None:
        """CAISO is told nothing."""

    def _play(self, question: Question) -> None:
        """Take up what was received by now.

        Raises:
            Unreachable: it cannot be read now.
        """
        now = self.clock()
        while self._played < len(self.kept) and self.timeline.mapped(self.kept[self._played].received_at) <= now:
            try:
                self._take(self.kept[self._played].read())
            except NotPlayable as error:
                get_logger("replay").warning("something of that day cannot be played", cause=str(error))
            except KeeperAway as error:
                raise Unreachable(question, str(error)) from error
            self._played += 1

    def _take(self, saved: SavedDocument) -> None:
        for batch in saved.dispatches:
            self._dispatches[batch.header.batch_uid] = self.timeline.shifted(batch)
        for trajectory in saved.trajectories.batches:
            self._trajectories[trajectory.header.batch_uid] = self.timeline.shifted(trajectory)


def _since(known: dict[str, T], uid: str) -> list[T]:
    uids = list(known)
    return list(known.values())[uids.index(uid) + 1 if uid in known else 0 :]
