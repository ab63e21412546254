"""ADS as the product's own streams ask it: the truth of `said`, in CAISO's records, to one ingest and by its line.

Also what stands around the real streams: the outbox without a disk (its promise, all or nothing, is the real one's), and
nothing in place of files and quarantine_log.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from gateway_story import at
from model.clocks import PartClock
from model.forking import LIVE
from model.said import Batch, Curve, Said

from ads_ingest.batches.alarms import ClockSteps
from ads_ingest.batches.open_batches import OpenBatches
from ads_ingest.batches.validations import Validations
from ads_ingest.batches.views import View, Views
from ads_ingest.caiso import CursorQuestion
from ads_ingest.dispatch import DispatchStream
from ads_ingest.dispatch_changes import DispatchChanges
from ads_ingest.known.from_batches import Judge
from ads_ingest.known.state import KnownState, _Shelf
from ads_ingest.publishing import Publisher
from ads_ingest.service import FollowedStream
from ads_ingest.trajectory import TrajectoryStream
from caiso.ads.errors import SoapFault, TimedOut, UnknownUid
from caiso.ads.records import (
    WHOLE_CACHE,
    BatchHeader,
    DispatchBatch,
    DispatchBatchList,
    Instruction,
    Question,
    TrajectoryBatch,
    TrajectoryBatchList,
    TrajectoryDop,
    TrajectoryHeader,
)
from dotbus.contracts.codec import encode
from dotbus.contracts.instruction_states import Status
from dotbus.runtime.health import UpstreamHealth

ISSUED = 1
RESOURCE = "SOLAR"
"""The one resource that dispatch batches name."""


class Ads:
    """CAISO: what it said, and whom it answers.

    Attributes:
        garbles: batches that it answers with something unusable.
        forgotten: how many of its trajectory batches its cache does not have any more.
    """

    def __init__(self, said: Said) -> None:
        self.said = said
        self.garbles: frozenset[str] = frozenset()
        self.forgotten = 0


class AdsLine:
    """What one ingest hears of CAISO; the shape of `caiso.ads.AdsClient`."""

    def __init__(self, ads: Ads, clock: PartClock) -> None:
        self.ads = ads
        self.ahead = clock
        self.answers = True
        self.was_heard = False

    @property
    def clock_offset_s(self) -> float | None:
        """CAISO's clock minus the ingest's: once it was told, a step of the ingest's clock changes it without an answer."""
        return -self.ahead.ahead_s if self.was_heard else None

    @property
    def clock_offset_said_s(self) -> float | None:
        """The same: no answer of the model lies about its time."""
        return self.clock_offset_s

    def get_dispatch_batches_since_uid(self, batch_uid: str, _within_s: float = math.inf) -> DispatchBatchList:
        self._hear("getDispatchBatchesSinceUID", batch_uid)
        headers = [_header(batch) for batch in self.ads.said.newest()]
        uids = [WHOLE_CACHE, *(header.batch_uid for header in headers)]
        return DispatchBatchList(tuple(headers[uids.index(batch_uid) :]))

    def get_batch_header(self, batch_uid: str, _within_s: float = math.inf) -> BatchHeader:
        self._hear("getBatchHeader", batch_uid)
        return _header(self._batch(batch_uid))

    def get_dispatch_batch(self, batch_uid: str, _within_s: float = math.inf) -> DispatchBatch:
        self._hear("getDispatchBatch", batch_uid)
        if batch_uid in self.ads.garbles:
            raise SoapFault(Question("getDispatchBatch", batch_uid), "garbled")
        batch = self._batch(batch_uid)
        instruction = Instruction(
            instruction_uid=f"{batch.uid}-1",
            resource_id=RESOURCE,
            start_at=at(batch.middle_s),
            end_at=at(batch.end_s),
            dot_mw=batch.mw,
            instruction_type=0,
            revision_number=batch.revision,
            status_code=Status.CANCELLED if batch.cancelled else ISSUED,
        )
        return DispatchBatch(_header(batch), (instruction,))

    def is_new_traj_data(self, batch_uid: str, _within_s: float = math.inf) -> bool:
        self._hear("isNewTrajData", batch_uid)
        return bool(self._curves_since(batch_uid))

    def get_trajectory_data(self, batch_uid: str, _within_s: float = math.inf) -> TrajectoryBatchList:
        self._hear("getTrajectoryData", batch_uid)
        return TrajectoryBatchList(tuple(_record(curve) for curve in self._curves_since(batch_uid)))

    def _hear(self, operation: str, batch_uid: str) -> None:
        if not self.answers:
            raise TimedOut(Question(operation, batch_uid), "no reply")
        self.was_heard = True

    def _batch(self, batch_uid: str) -> Batch:
        return next(batch for batch in self.ads.said.newest() if batch.uid == batch_uid)

    def _curves_since(self, batch_uid: str) -> Sequence[Curve]:
        curves = self.ads.said.curves[self.ads.forgotten :]
        uids = [WHOLE_CACHE, *(curve.uid for curve in curves)]
        if batch_uid not in uids:
            raise UnknownUid(Question("getTrajectoryData", batch_uid), "not in the cache")
        return curves[uids.index(batch_uid) :]


class Disk:
    """The outbox, as far as states go: what a killed ingest finds again. Events are not followed by any gateway."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.revisions: dict[str, int] = {}
        self.positions: dict[str, str] = {}
        self.noted: dict[str, str] = {}

    def commit(
        self,
        _now: datetime,
        *,
        events: Sequence[Any] = (),
        states: Sequence[tuple[str, Any]] = (),
        cursors: dict[str, str] | None = None,
        notes: dict[str, str | None] | None = None,
    ) -> int:
        for topic, state in states:
            self.put(topic, encode(state))
        self.positions.update(cursors or {})
        for name, text in (notes or {}).items():
            self.noted |= {name: text} if text is not None else {}
            if text is None:
                self.noted.pop(name, None)
        return len(events)

    def retract(self, topics: Iterable[str], _now: datetime) -> None:
        for topic in topics:
            self.put(topic, b"")

    def put(self, topic: str, payload: bytes) -> None:
        self.kept[topic] = payload
        self.revisions[topic] = self.revisions.get(topic, 0) + 1

    def states(self) -> dict[str, bytes]:
        return {topic: payload for topic, payload in self.kept.items() if payload}

    def cursors(self) -> dict[str, str]:
        return dict(self.positions)

    def note(self, name: str) -> str | None:
        return self.noted.get(name)

    def notes(self, prefix: str) -> dict[str, str]:
        return {name: text for name, text in self.noted.items() if name.startswith(prefix)}

    def keep_note(self, name: str, text: str) -> None:
        self.noted[name] = text


class Nothing:
    """Stands where the real streams leave files and quarantine_log: neither is on the way to a register."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("__"):
            raise AttributeError(name)
        return _nothing


def _nothing(*_said: object) -> None:
    return None


def _header(batch: Batch) -> BatchHeader:
    return BatchHeader(
        batch_uid=batch.uid,
        batch_status=Status.CANCELLED if batch.cancelled else ISSUED,
        batch_received_at=at(batch.said_s),
        batch_type=batch.kind,
        start_at=at(batch.start_s),
        revision_no=batch.revision,
    )


def _record(curve: Curve) -> TrajectoryBatch:
    dops = tuple(
        TrajectoryDop(
            dop_uid=f"{curve.uid}-{n}",
            resource_id=curve.resource,
            dop_mw=mw,
            target_at=at(target_s),
            sequence_number=n,
        )
        for n, (target_s, mw) in enumerate(curve.points, 1)
    )
    return TrajectoryBatch(TrajectoryHeader(batch_uid=curve.uid, batch_received_at=at(curve.said_s)), dops)


LIVE |= {
    Judge,
    Ads,
    AdsLine,
    CursorQuestion,
    Disk,
    KnownState,
    _Shelf,
    Publisher,
    DispatchStream,
    DispatchChanges,
    TrajectoryStream,
    FollowedStream,
    Validations,
    ClockSteps,
    OpenBatches,
    View,
    Views,
    UpstreamHealth,
}
