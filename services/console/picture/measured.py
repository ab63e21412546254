"""Measured: what is told to programs that watch, as numbers beside their quality. Pure.

The same readings as a page shows: a graph and a page never judge by two ways. A value that is bad has no number here either.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from console.following import HeardPoint, HeardStatus, ResourceKey
from console.picture.resources import ReadResource
from dotbus.contracts.quality import Quality
from dotbus.contracts.telemetry import quality_at
from dotbus.readings.motion import Age, Until
from dotbus.readings.reading import Named, Reading
from dotbus.readings.subjects import PriceAt

OF_RESOURCE: Final = {
    "dot": "dot_age_s",
    "next_dot": "dot_age_s",
    "set_point": "dot_age_s",
    "trajectory": "trajectory_age_s",
}
"""What is measured of a resource in megawatts, each with the age that counts for it."""


@dataclass(frozen=True)
class Measured:
    """A value with what says how far it may be believed.

    Attributes:
        value: in its unit; None where there is none, or where it is bad.
        quality: of it.
        age_s: since whom it comes from said or confirmed it; None where it never did.
    """

    value: float | None
    quality: Quality
    age_s: float | None


@dataclass(frozen=True)
class MeasuredResource:
    """One resource.

    Attributes:
        key: plant and resource.
        megawatts: by what it is: those of `OF_RESOURCE`, and `actual` of a plant that says it.
        changes_in_s: until the DOT in force asks something else; None while none may be believed.
    """

    key: ResourceKey
    megawatts: Mapping[str, Measured]
    changes_in_s: float | None


@dataclass(frozen=True)
class Measures:
    """All of one moment, to be worked out whenever somebody has time: nothing of it changes any more.

    Attributes:
        now: the moment.
        hears_broker: whether the broker is heard.
        services: what each service said of itself, by SERVICE/INSTANCE.
    """

    now: datetime
    hears_broker: bool
    read: Mapping[ResourceKey, ReadResource]
    actual: Mapping[ResourceKey, HeardPoint]
    read_prices: Sequence[tuple[PriceAt, Named]]
    services: Mapping[str, HeardStatus]

    def resources(self) -> Iterator[MeasuredResource]:
        """Every resource."""
        for key, known in self.read.items():
            named = known.of_resource.named
            megawatts = {of: _measured(named[f"{of}_mw"], named[age], self.now) for of, age in OF_RESOURCE.items()}
            if key in self.actual:
                megawatts["actual"] = _measured_point(self.actual[key], self.now)
            yield MeasuredResource(key, megawatts, _until_s(named["dot_changes_in_s"], self.now))

    def prices(self) -> Iterator[tuple[PriceAt, Measured]]:
        """The price in USD/MWh that holds now, of every node and market that the file names."""
        for at, named in self.read_prices:
            yield at, _measured(named["lmp_active_usd_per_mwh"], named["lmp_age_s"], self.now)


def actual_points(points: Mapping[ResourceKey, Mapping[str, HeardPoint]]) -> dict[ResourceKey, HeardPoint]:
    """What each plant says that a resource delivers."""
    return {key: known["actual_mw"] for key, known in points.items() if "actual_mw" in known}


def _measured(reading: Reading, age: Reading, now: datetime) -> Measured:
    value = reading.value if reading.motion is None else reading.motion.at(now)
    since = age.motion.since if isinstance(age.motion, Age) else None
    return Measured(_number(value, reading.quality), reading.quality, _age_s(since, now))


def _measured_point(heard: HeardPoint, now: datetime) -> Measured:
    quality = quality_at(heard.said, heard.arrived_at, now)
    return Measured(_number(heard.said.value, quality), quality, _age_s(heard.said.measured_at, now))


def _number(value: object, quality: Quality) -> float | None:
    if quality.is_bad or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _age_s(since: datetime | None, now: datetime) -> float | None:
    return None if since is None else max((now - since).total_seconds(), 0.0)


def _until_s(reading: Reading, now: datetime) -> float | None:
    return max((reading.motion.until - now).total_seconds(), 0.0) if isinstance(reading.motion, Until) else None
