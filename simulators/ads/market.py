"""What CAISO issues, and when: dispatch and trajectory batches for the configured resources.

Pure and without memory: the same seed, resources and interval length give the same batches, so a truth to compare with can
always be had.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from simulators.ads.dispatches import Issue, Kind, dispatch, received_at, with_dot
from simulators.ads.plan import INTERVALS_PER_HOUR, TRANSITION_PHASE, Plan, Unit
from simulators.ads.records import Batch, BatchType, DispatchBatch
from simulators.ads.trajectories import compliance_only, trajectory

_HOUR = INTERVALS_PER_HOUR

# The hourly batches come long before the five-minute ones of their hour, so that of two DOTs that cover a time the
# five-minute one was received last. The kinds that take turns share one interval of the hour.
_ISSUES = (
    Issue(Kind.FIVE_MINUTE, BatchType.FIVE_MINUTE, "5MinDOT", 0.5),
    Issue(Kind.HOURLY, BatchType.HOURLY, "HourlyPreDispatch", 6.0, _HOUR, 0),
    Issue(Kind.HOURLY_AS_AWARD, BatchType.HOURLY_AS_AWARD, "HourlyASAward", 5.9, _HOUR, 0),
    Issue(Kind.MSG_TRANSITION, BatchType.COMMITMENT, "MSGTransition", 0.3, _HOUR, TRANSITION_PHASE),
    Issue(Kind.FLEX_RAMP, BatchType.FLEX_RAMP, "FlexRamp", 0.2, _HOUR, 2),
    Issue(Kind.AS_AWARD, BatchType.AS_AWARD, "ASAward", 0.3, _HOUR, 4),
    Issue(Kind.MIN_CONSTRAINT, BatchType.OUT_OF_SEQUENCE, "OOSMin", 0.35, 3 * _HOUR, 5),
    Issue(Kind.MAX_CONSTRAINT, BatchType.OUT_OF_SEQUENCE, "OOSMax", 0.35, 3 * _HOUR, _HOUR + 5),
    Issue(Kind.FIXED_CONSTRAINT, BatchType.OUT_OF_SEQUENCE, "OOSFixed", 0.35, 3 * _HOUR, 2 * _HOUR + 5),
    Issue(Kind.START_UP, BatchType.COMMITMENT, "Commitment", 0.3, 2 * _HOUR, 7),
    Issue(Kind.SHUT_DOWN, BatchType.COMMITMENT, "Commitment", 0.3, 2 * _HOUR, _HOUR + 7),
    Issue(Kind.AS_TEST, BatchType.AS_TEST, "ASTest", 0.25, _HOUR, 8),
    Issue(Kind.EXCEPTIONAL, BatchType.OUT_OF_SEQUENCE, "OOS", 0.4, _HOUR, 10),
)
_NEWEST_TYPES = (BatchType.FLEX_RAMP, BatchType.AS_TEST)
_EARLIEST_LEAD = 6
_TRAJECTORY_LEAD = 0.45
_COMPLIANCE_ONLY_LEAD = 0.2
_COMPLIANCE_ONLY_PHASE = 3

_Units = tuple[Unit, ...]


def _controllable(units: _Units, _turn: int) -> _Units:
    """Those that can be told to run: a variable one produces what its fuel gives."""
    return tuple(unit for unit in units if not unit.variable) or units


def _multi_stage(units: _Units, _turn: int) -> _Units:
    return tuple(unit for unit in units if unit.configurations)


def _one_in_turn(units: _Units, turn: int) -> _Units:
    return (units[turn % len(units)],)


def _one_reserve_in_turn(units: _Units, turn: int) -> _Units:
    return _one_in_turn(_controllable(units, turn), turn)


_WHOSE: Mapping[Kind, Callable[[_Units, int], _Units]] = {
    Kind.START_UP: _controllable,
    Kind.SHUT_DOWN: _controllable,
    Kind.MSG_TRANSITION: _multi_stage,
    Kind.MIN_CONSTRAINT: _one_in_turn,
    Kind.MAX_CONSTRAINT: _one_in_turn,
    Kind.FIXED_CONSTRAINT: _one_in_turn,
    Kind.AS_TEST: _one_reserve_in_turn,
}
"""Whose an instruction of a kind is; of any other kind there is one to every unit."""


@dataclass(frozen=True)
class Order:
    """A batch that somebody wants: to some resources, else to whose turn it is; with other megawatts or the planned ones."""

    kind: Kind
    resource_ids: Collection[str] = ()
    dot_mw: float | None = None
    min_accept_mw: float | None = None


@dataclass(frozen=True)
class Market:
    """The real-time market for some units. `newest_types` adds the batch types that only today's API names."""

    units: tuple[Unit, ...]
    interval_s: int
    seed: int
    newest_types: bool = True

    @property
    def plan(self) -> Plan:
        """Where this market wants each unit."""
        return Plan(self.seed, self.interval_s)

    def issued(self, after: datetime, until: datetime) -> list[Batch]:
        """Every batch received later than `after` and not later than `until`, in the order of their receipt."""
        plan = self.plan
        first, last = plan.interval_at(after), plan.interval_at(until) + _EARLIEST_LEAD + 1
        batches = [
            make()
            for k in range(first, last + 1)
            for lead, make in self._due(k)
            if after < plan.begin(k) - plan.interval * lead <= until
        ]
        return sorted(batches, key=lambda batch: batch.received_at)

    def ordered(self, order: Order, now: datetime, serial: int) -> DispatchBatch:
        """A batch for the running interval, or hour, received now and open for half an interval.

        Raises:
            ValueError: there is no such resource, none that the kind fits, or megawatts where there can be none.
        """
        plan = self.plan
        issue = next(each for each in _ISSUES if each.kind is order.kind)
        k = plan.interval_at(now) // issue.length * issue.length
        batch = dispatch(plan, self._chosen(order, k // issue.every), k, issue)
        return _with_megawatts(received_at(batch, now, plan.interval / 2, serial), order)

    def _chosen(self, order: Order, turn: int) -> tuple[Unit, ...]:
        strangers = set(order.resource_ids) - {unit.resource_id for unit in self.units}
        if strangers:
            raise ValueError(f"no resource {', '.join(sorted(strangers))}")
        among = tuple(unit for unit in self.units if unit.resource_id in order.resource_ids) or self.units
        units = among if order.resource_ids and order.kind is not Kind.MSG_TRANSITION else _whose(order.kind, among, turn)
        if not units:
            raise ValueError(f"none of {', '.join(unit.resource_id for unit in among)} is a multi-stage generator")
        return units

    def _due(self, k: int) -> Iterator[tuple[float, Callable[[], Batch]]]:
        """What is issued for interval k: how many intervals before it begins, and how to make it."""
        for issue in _ISSUES:
            wanted = issue.due(k) and (self.newest_types or issue.batch_type not in _NEWEST_TYPES)
            if wanted and (units := _whose(issue.kind, self.units, k // issue.every)):
                yield issue.lead, partial(dispatch, self.plan, units, k, issue)
        yield _TRAJECTORY_LEAD, partial(trajectory, self.plan, self.units, k, _TRAJECTORY_LEAD)
        if k % _HOUR == _COMPLIANCE_ONLY_PHASE:
            yield _COMPLIANCE_ONLY_LEAD, partial(compliance_only, self.plan, self.units, k, _COMPLIANCE_ONLY_LEAD)


def _whose(kind: Kind, units: _Units, turn: int) -> _Units:
    return _WHOSE[kind](units, turn) if kind in _WHOSE else units


def _with_megawatts(batch: DispatchBatch, order: Order) -> DispatchBatch:
    """The batch with what the order says of its megawatts.

    Raises:
        ValueError: its instructions have none, or they are not finite.
    """
    instructions = batch.instructions
    given = [mw for mw in (order.dot_mw, order.min_accept_mw) if mw is not None]
    if not all(math.isfinite(mw) for mw in given):
        raise ValueError("megawatts are finite numbers")
    if order.dot_mw is not None:
        if any(each.dot_mw is None for each in instructions):
            raise ValueError(f"{order.kind} has no dot_mw")
        instructions = tuple(with_dot(each, order.dot_mw) for each in instructions)
    if order.min_accept_mw is not None:
        if order.kind is not Kind.HOURLY:
            raise ValueError(f"{order.kind} has no min_accept_mw")
        instructions = tuple(replace(each, min_accept_mw=order.min_accept_mw) for each in instructions)
    return replace(batch, instructions=instructions)
