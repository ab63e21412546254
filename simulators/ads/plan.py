"""Where the market wants each unit at any time: a curve that keeps the unit's limits and its ramp.

Pure and without memory: the plan at a time depends on the seed, the unit and the time alone. Interval k begins k interval
lengths after 1970.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dotbus.runtime.installation.installation import Resource
from simulators.chance import fraction

INTERVALS_PER_HOUR = 12
"""An hour of the market is twelve intervals, however short these are made for a demonstration."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SLOW, _FAST = 0.6, 0.4
_FASTER = 2.7
_STEEPEST = 2 * math.pi * (_SLOW + _FAST * _FASTER)
_SHORTEST_SWING = 24
_RAMP_MARGIN = 1.05
_CONFIGURATIONS = ("1x1", "2x1")
TRANSITION_PHASE = 1
"""A multi-stage generator changes its configuration with the interval of the hour that has this number."""


@dataclass(frozen=True)
class Unit:
    """A resource with every limit known; one of several configurations is a multi-stage generator (MSG)."""

    resource_id: str
    variable: bool
    pmin_mw: float
    pmax_mw: float
    ramp_mw_per_min: float
    configurations: tuple[str, ...] = ()

    @property
    def span_mw(self) -> float:
        """What lies between the limits."""
        return self.pmax_mw - self.pmin_mw


def unit_of(resource: Resource) -> Unit:
    """The unit behind a configured resource. Limits that the file does not give: 0 to 50 MW, the whole in ten minutes.

    One that is not variable and takes no power is a multi-stage generator of two configurations.
    """
    pmin_mw = resource.pmin_mw if resource.pmin_mw is not None else min(0.0, resource.pmax_mw or 0.0)
    pmax_mw = resource.pmax_mw if resource.pmax_mw is not None else max(50.0, pmin_mw)
    ramp_mw_per_min = resource.ramp_mw_per_min or max((pmax_mw - pmin_mw) / 10, 0.1)
    is_multi_stage = not resource.variable and pmin_mw >= 0
    configurations = tuple(f"{resource.id}_{name}" for name in _CONFIGURATIONS) if is_multi_stage else ()
    return Unit(resource.id, resource.variable, pmin_mw, pmax_mw, ramp_mw_per_min, configurations)


@dataclass(frozen=True)
class Plan:
    """The market's plan for every unit."""

    seed: int
    interval_s: int

    @property
    def interval(self) -> timedelta:
        """The length of an interval."""
        return timedelta(seconds=self.interval_s)

    def interval_at(self, at: datetime) -> int:
        """The number of the interval that covers a time."""
        return (at - _EPOCH) // self.interval

    def begin(self, k: int) -> datetime:
        """When interval k begins."""
        return _EPOCH + k * self.interval

    def target_at(self, k: int) -> datetime:
        """The target time of interval k: its middle."""
        return self.begin(k) + self.interval / 2

    def dot_mw(self, unit: Unit, k: int) -> float:
        """The DOT of a unit in interval k."""
        return self.target_mw(unit, self.target_at(k))

    def hourly_mw(self, unit: Unit, k: int) -> float:
        """The hourly schedule of a unit in the hour that interval k belongs to."""
        begin = self.begin(k - k % INTERVALS_PER_HOUR)
        return self.target_mw(unit, begin + self.interval * INTERVALS_PER_HOUR / 2)

    def target_mw(self, unit: Unit, at: datetime) -> float:
        """The DOT of a unit whose target time is `at`, in whole hundredths of a megawatt."""
        middle_mw = (unit.pmin_mw + unit.pmax_mw) / 2
        wave = _SLOW * self._sine(unit, at, 1.0) + _FAST * self._sine(unit, at, _FASTER)
        return _within(middle_mw + unit.span_mw / 2 * wave, unit)

    def curtailed_mw(self, unit: Unit, at: datetime) -> float:
        """What a variable unit could produce above its DOT and is told not to; zero most of the time."""
        if not unit.variable:
            return 0.0
        wish_mw = 0.4 * unit.span_mw * max(0.0, self._sine(unit, at, 1.7) - 0.1)
        return round(min(wish_mw, unit.pmax_mw - self.target_mw(unit, at)), 2) + 0.0

    def configuration(self, unit: Unit, k: int) -> str | None:
        """The configuration that a multi-stage generator runs in; None for any other unit."""
        if not unit.configurations:
            return None
        return unit.configurations[(k - TRANSITION_PHASE) // INTERVALS_PER_HOUR % len(unit.configurations)]

    def next_configuration(self, unit: Unit, k: int) -> str | None:
        """The one that follows it."""
        return self.configuration(unit, k + INTERVALS_PER_HOUR)

    def spinning_mw(self, unit: Unit) -> float:
        """The spinning reserve that a unit was awarded; a variable unit has none."""
        return 0.0 if unit.variable else round(0.02 * unit.span_mw, 2)

    def _sine(self, unit: Unit, at: datetime, speed: float) -> float:
        """A wave so slow that the unit's ramp can follow the sum of the two in `target_mw`."""
        slowest_s = _RAMP_MARGIN * _STEEPEST * unit.span_mw / 2 / (unit.ramp_mw_per_min / 60)
        period_s = max(_SHORTEST_SWING * self.interval_s, slowest_s)
        phase = fraction(self.seed, unit.resource_id, speed)
        return math.sin(2 * math.pi * (speed * (at.timestamp() / period_s % 1000) + phase))


def _within(power_mw: float, unit: Unit) -> float:
    return min(max(round(power_mw, 2) + 0.0, unit.pmin_mw), unit.pmax_mw)
