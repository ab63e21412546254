"""Subject: the resource that a calculation is about, and what it starts from, read by one connection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Self, TypeVar, cast

from dotbus.contracts.codec import decode
from dotbus.contracts.messages import Dispatch, TrajectoryBatch
from dotbus.contracts.schedules import Schedule
from dotbus.runtime.installation.installation import Resource
from historian.api.calculated.day import Measured, Price
from historian.api.calculated.hearing import HeardRow, Hearing
from historian.api.calculated.set_points import Limits
from historian.api.exchange.exchange import Exchange
from historian.api.questions.evidence import actual_megawatts, dispatches, five_minute_prices, heard, trajectories
from historian.api.questions.question import Question
from historian.api.reading import Reading
from historian.api.request.times import Range

E = TypeVar("E", Dispatch, TrajectoryBatch)
DISPATCH, TRAJECTORY = "ads_dispatch", "ads_trajectory"
"""The upstreams of ads_ingest, as its status names them."""


@dataclass(frozen=True)
class Subject:
    """Which resource a calculation is about.

    Attributes:
        plant: rows of this plant alone; None is every plant.
        stale_after_s: how long what CAISO said counts, as the installation's gateways judge it.
        curve_stale_after: how long a curve counts without a newer batch.
    """

    environment: str
    plant: str | None
    resource: Resource
    stale_after_s: float
    curve_stale_after: timedelta

    @classmethod
    def of(cls, ask: Exchange, resource: Resource, plant: str | None = None) -> Self:
        """A resource of the installation, as far as who asks may see it, or as one plant had it, whoever asks."""
        judging = ask.context.installation.modbus
        curve_stale_after = timedelta(seconds=judging.trajectory_stale_after_s)
        return cls(ask.environment, ask.caller.plant or plant, resource, judging.stale_after_s, curve_stale_after)

    @property
    def schedule(self) -> Schedule:
        """Which DOTs it follows."""
        return self.resource.schedule

    @property
    def limits(self) -> Limits:
        """What it can do."""
        return Limits(self.resource.pmin_mw, self.resource.pmax_mw, self.resource.ramp_mw_per_min)

    def dispatches(self, reading: Reading, times: Range) -> list[Dispatch]:
        """What CAISO instructed, every revision."""
        asked = dispatches(self.environment, self.plant, self.resource.id, times)
        return _events(reading, asked, Dispatch)

    def trajectories(self, reading: Reading, times: Range) -> list[TrajectoryBatch]:
        """The trajectory batches."""
        asked = trajectories(self.environment, self.plant, self.resource.id, times)
        return _events(reading, asked, TrajectoryBatch)

    def hearing(self, reading: Reading, upstream: str, times: Range) -> Hearing:
        """Whether anybody heard CAISO."""
        rows = _rows(reading, heard(self.environment, upstream, times.start, times.end))
        return Hearing.of_rows(cast("Sequence[HeardRow]", rows), self.stale_after_s)

    def prices(self, reading: Reading, times: Range) -> list[Price]:
        """The five-minute prices of its node, none where the installation names no node."""
        if self.resource.node is None:
            return []
        rows = _rows(reading, five_minute_prices(self.environment, self.resource.node, times))
        return [Price(Range(start, end), usd) for start, end, usd in rows]  # type: ignore[arg-type]  # as its columns say

    def measured(self, reading: Reading, times: Range) -> list[Measured]:
        """What its plant said that it generates."""
        rows = _rows(reading, actual_megawatts(self.environment, self.plant, self.resource.id, times))
        return [Measured(Range(start, end), mw) for start, end, mw in rows]  # type: ignore[arg-type]  # as its columns say


def _rows(reading: Reading, question: Question) -> Sequence[Sequence[object]]:
    return reading.rows(question.sql, question.parameters)


def _events(reading: Reading, question: Question, kind: type[E]) -> list[E]:
    decoded = (decode(str(text).encode()) for (text,) in reading.each(_rows(reading, question)))
    return [event for event in decoded if isinstance(event, kind)]
