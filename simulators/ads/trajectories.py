"""How a trajectory batch is made for one interval. Pure.

Points and compliance records come together, or one without the other, as CAISO's do.
"""

from collections.abc import Iterator
from datetime import datetime

from simulators.ads.plan import Plan, Unit
from simulators.ads.records import Compliance, Dop, TrajectoryBatch
from simulators.chance import fraction, guid

_STEP_EVERY = 7
_NO_COMPLIANCE_EVERY = 5
_FAILS = 0.05
_SECONDS_PER_HOUR = 3600


def trajectory(plan: Plan, units: tuple[Unit, ...], k: int, lead: float) -> TrajectoryBatch:
    """The points of interval k, received `lead` intervals before it begins, and compliance with the last one that is over."""
    batch_uid = f"TRAJ-{guid(plan.seed, plan.interval_s, 'trajectory', k)}"
    received_at = plan.begin(k) - plan.interval * lead
    return TrajectoryBatch(
        batch_uid=batch_uid,
        received_at=received_at,
        sent_at=received_at,
        dops=_dops(plan, units, k, batch_uid),
        compliance=() if k % _NO_COMPLIANCE_EVERY == 0 else _compliance(plan, units, k - 2, batch_uid),
    )


def compliance_only(plan: Plan, units: tuple[Unit, ...], k: int, lead: float) -> TrajectoryBatch:
    """A batch without points."""
    batch_uid = f"TRAJ-{guid(plan.seed, plan.interval_s, 'compliance', k)}"
    received_at = plan.begin(k) - plan.interval * lead
    compliance = _compliance(plan, units, k - 3, batch_uid)
    return TrajectoryBatch(batch_uid=batch_uid, received_at=received_at, sent_at=received_at, compliance=compliance)


def _dops(plan: Plan, units: tuple[Unit, ...], k: int, batch_uid: str) -> tuple[Dop, ...]:
    stepping = k // _STEP_EVERY % len(units) if k % _STEP_EVERY == 0 else None
    points = [
        (unit, number, target_at, dop_mw)
        for index, unit in enumerate(units)
        for number, (target_at, dop_mw) in enumerate(_curve(plan, unit, k, stepped=index == stepping), start=1)
    ]
    return tuple(
        Dop(
            dop_uid=f"{batch_uid}-D{index}",
            resource_id=unit.resource_id,
            dop_mw=dop_mw,
            target_at=target_at,
            sequence_number=number,
            configuration_id=plan.configuration(unit, k),
        )
        for index, (unit, number, target_at, dop_mw) in enumerate(points)
    )


def _curve(plan: Plan, unit: Unit, k: int, *, stepped: bool) -> Iterator[tuple[datetime, float]]:
    """The DOT at its target time and half way to the next one at the interval's end; a step comes in from below."""
    dot_mw = plan.dot_mw(unit, k)
    if stepped:
        yield plan.target_at(k), max(unit.pmin_mw, round(dot_mw - 0.05 * unit.span_mw, 2) + 0.0)
    yield plan.target_at(k), dot_mw
    yield plan.begin(k + 1), round((dot_mw + plan.dot_mw(unit, k + 1)) / 2, 2) + 0.0


def _compliance(plan: Plan, units: tuple[Unit, ...], k: int, batch_uid: str) -> tuple[Compliance, ...]:
    return tuple(
        Compliance(
            compliance_uid=f"{batch_uid}-C{index}",
            resource_id=unit.resource_id,
            start_at=plan.begin(k),
            expected_mwh=round(plan.dot_mw(unit, k) * plan.interval_s / _SECONDS_PER_HOUR, 4) + 0.0,
            compliance_flag="N" if fraction(plan.seed, unit.resource_id, k) < _FAILS else "Y",
            configuration_id=plan.configuration(unit, k),
        )
        for index, unit in enumerate(units)
    )
