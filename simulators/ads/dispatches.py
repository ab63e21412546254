"""How a dispatch batch of each kind is made for one interval. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from simulators.ads.plan import INTERVALS_PER_HOUR, Plan, Unit
from simulators.ads.records import BatchStatus, BatchType, DispatchBatch, Instruction, InstructionType, Segment
from simulators.chance import guid

_SERVICE_TYPES = ("SCHD", "SUPP", "RMPS", "SPIN", "NSPN", "HASE", "MSS", "TBD")
"""The segments of a DOT in the order of CAISO's sample."""

_CONSTRAINT_MARGIN = 0.1
"""How far from the DOT the minimum and the maximum of a constraint lie, as a part of the unit's span."""
_MINIMUM_PART = 0.4
_EXCEPTIONAL_PART = 0.05
"""How far an exceptional dispatch lies from the DOT below it, as a part of the unit's span."""


class Kind(StrEnum):
    """What is issued, by the name that an order has for it."""

    FIVE_MINUTE = "five_minute"
    HOURLY = "hourly"
    HOURLY_AS_AWARD = "hourly_as_award"
    AS_AWARD = "as_award"
    AS_TEST = "as_test"
    FLEX_RAMP = "flex_ramp"
    START_UP = "start_up"
    SHUT_DOWN = "shut_down"
    MSG_TRANSITION = "msg_transition"
    EXCEPTIONAL = "exceptional_dispatch"
    MIN_CONSTRAINT = "min_constraint"
    MAX_CONSTRAINT = "max_constraint"
    FIXED_CONSTRAINT = "fixed_constraint"


_HOURLY = (Kind.HOURLY, Kind.HOURLY_AS_AWARD)


@dataclass(frozen=True)
class Issue:
    """What is issued for which intervals: every `every`-th, `lead` intervals before it begins."""

    kind: Kind
    batch_type: BatchType
    market_id: str
    lead: float
    every: int = 1
    phase: int = 0

    @property
    def length(self) -> int:
        """How many intervals it is for."""
        return INTERVALS_PER_HOUR if self.kind in _HOURLY else 1

    def due(self, k: int) -> bool:
        """Whether there is one for interval k."""
        return k % self.every == self.phase


def dispatch(plan: Plan, units: tuple[Unit, ...], k: int, issue: Issue) -> DispatchBatch:
    """The batch of one kind for interval k, with an instruction to every unit.

    A batch that awaits answers (hourly pre-dispatch) is active until half of its lead is over; the others are closed at once,
    as in CAISO's sample.
    """
    at = plan.begin(k) - plan.interval * issue.lead
    answerable = issue.kind is Kind.HOURLY
    batch_uid = f"DISP-{guid(plan.seed, plan.interval_s, issue.market_id, k)}"
    return DispatchBatch(
        batch_uid=batch_uid,
        market_id=issue.market_id,
        batch_type=issue.batch_type,
        batch_status=BatchStatus.ACTIVE if answerable else BatchStatus.CLOSED,
        received_at=at,
        sent_at=at + plan.interval / 300,
        expires_at=plan.begin(k) - plan.interval * (issue.lead / 2 if answerable else 0.05),
        start_at=plan.begin(k),
        interval_s=plan.interval_s * issue.length,
        dispatch_mode=1 if issue.batch_type is BatchType.OUT_OF_SEQUENCE else 0,
        instructions=numbered(batch_uid, tuple(_MAKERS[issue.kind](plan, unit, k) for unit in units)),
    )


def received_at(batch: DispatchBatch, now: datetime, open_for: timedelta, serial: int) -> DispatchBatch:
    """The batch as one of its own that is received at a time and open for a while. `serial` tells it from others of then."""
    uid = f"DISP-{guid(batch.batch_uid, now.isoformat(), serial)}"
    return replace(
        batch,
        batch_uid=uid,
        received_at=now,
        sent_at=now,
        expires_at=now + open_for,
        instructions=numbered(uid, batch.instructions),
    )


def numbered(batch_uid: str, instructions: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
    """The instructions with UIDs of their batch, as CAISO gives them."""
    return tuple(replace(each, instruction_uid=f"{batch_uid}-I{index}") for index, each in enumerate(instructions))


def with_dot(instruction: Instruction, dot_mw: float) -> Instruction:
    """The instruction with other megawatts, all of them scheduled."""
    details = (Segment("SCHD", dot_mw), Segment("SUPP", 0.0)) if instruction.details else ()
    accept_dot_mw = None if instruction.accept_dot_mw is None else dot_mw
    return replace(instruction, dot_mw=dot_mw, accept_dot_mw=accept_dot_mw, details=details)


_Maker = Callable[[Plan, Unit, int], Instruction]


def _made(
    plan: Plan, unit: Unit, k: int, instruction_type: InstructionType, status: BatchStatus = BatchStatus.CLOSED
) -> Instruction:
    """What every instruction has: its resource, and the time from the interval's begin to its end."""
    return Instruction(
        instruction_uid="",
        resource_id=unit.resource_id,
        instruction_type=instruction_type,
        start_at=plan.begin(k),
        end_at=plan.begin(k + 1),
        status_code=status,
    )


def _dot(plan: Plan, unit: Unit, k: int) -> Instruction:
    dot_mw = plan.dot_mw(unit, k)
    return replace(
        _made(plan, unit, k, InstructionType.DOT),
        start_at=plan.target_at(k),
        end_at=None,
        dot_mw=dot_mw,
        pre_goto_mw=plan.dot_mw(unit, k - 1),
        bid_delay_min=0,
        accept_dot_mw=dot_mw,
        hourly_mw=plan.hourly_mw(unit, k),
        configuration_id=plan.configuration(unit, k),
        agc_flag="N",
        rmr_flag="N",
        details=_segments(plan, unit, k),
    )


def _segments(plan: Plan, unit: Unit, k: int) -> tuple[Segment, ...]:
    """A DOT by service type: its energy is SCHD and SUPP, the spinning reserve is beside it."""
    dot_mw = plan.dot_mw(unit, k)
    beyond_schedule_mw = -plan.curtailed_mw(unit, plan.target_at(k)) if unit.variable else dot_mw - plan.hourly_mw(unit, k)
    supp_mw = round(beyond_schedule_mw, 2) + 0.0
    mw_of = {"SCHD": round(dot_mw - supp_mw, 2) + 0.0, "SUPP": supp_mw, "SPIN": plan.spinning_mw(unit)}
    return tuple(Segment(name, mw_of.get(name, 0.0)) for name in _SERVICE_TYPES)


def _exceptional(plan: Plan, unit: Unit, k: int) -> Instruction:
    """Other megawatts than the five-minute DOT's below it, so that it shows which of the two is followed."""
    dot_mw = plan.dot_mw(unit, k)
    away_mw = _EXCEPTIONAL_PART * unit.span_mw * (-1 if dot_mw > unit.pmin_mw + unit.span_mw / 2 else 1)
    other = with_dot(_dot(plan, unit, k), round(dot_mw + away_mw, 2) + 0.0)
    return replace(other, end_at=plan.begin(k + 1), oos_energy_code="TEMR")


def _constraint(instruction_type: InstructionType, margin: float) -> _Maker:
    """A limit `margin` of the unit's span above its DOT, within the unit's own."""

    def made(plan: Plan, unit: Unit, k: int) -> Instruction:
        limit_mw = round(plan.dot_mw(unit, k) + margin * unit.span_mw, 2) + 0.0
        return replace(
            _made(plan, unit, k, instruction_type),
            dot_mw=min(max(limit_mw, unit.pmin_mw), unit.pmax_mw),
            oos_energy_code="TEMR",
            configuration_id=plan.configuration(unit, k),
        )

    return made


def _hourly(plan: Plan, unit: Unit, k: int) -> Instruction:
    """Only a unit that takes power as well has a minimum, so that both ends of a time-out are seen."""
    dot_mw = plan.hourly_mw(unit, k)
    return replace(
        _made(plan, unit, k, InstructionType.DOT, BatchStatus.ACTIVE),
        end_at=plan.begin(k + INTERVALS_PER_HOUR),
        dot_mw=dot_mw,
        min_accept_mw=round(_MINIMUM_PART * dot_mw, 2) + 0.0 if unit.pmin_mw < 0 else 0.0,
        hourly_mw=dot_mw,
        details=(Segment("SCHD", dot_mw), Segment("HASE", 0.0)),
    )


def _commitment(instruction_type: InstructionType) -> _Maker:
    def made(plan: Plan, unit: Unit, k: int) -> Instruction:
        end_at = plan.begin(k + INTERVALS_PER_HOUR)
        configuration_id = plan.configuration(unit, k)
        return replace(_made(plan, unit, k, instruction_type), end_at=end_at, configuration_id=configuration_id)

    return made


def _transition(plan: Plan, unit: Unit, k: int) -> Instruction:
    """From the configuration of the interval before; the interval is the transition period."""
    return replace(
        _made(plan, unit, k, InstructionType.MSG_TRANSITION),
        transition_from_config_id=plan.configuration(unit, k - 1),
        transition_to_config_id=plan.next_configuration(unit, k - 1),
    )


def _award(as_type: str, length: int) -> _Maker:
    """Reserve for some intervals."""

    def made(plan: Plan, unit: Unit, k: int) -> Instruction:
        award_mw = plan.spinning_mw(unit)
        return replace(
            _made(plan, unit, k, InstructionType.CAPACITY_AWARD),
            end_at=plan.begin(k + length),
            as_type=as_type,
            award_mw=award_mw,
            cleared_mw=award_mw,
            self_sched_mw=0.0,
        )

    return made


def _test(plan: Plan, unit: Unit, k: int) -> Instruction:
    """The spinning reserve that was awarded is called for, on top of the DOT."""
    award_mw = plan.spinning_mw(unit)
    called_mw = min(round(plan.dot_mw(unit, k) + award_mw, 2), unit.pmax_mw)
    tested = replace(_exceptional(plan, unit, k), as_type="SR", award_mw=award_mw, oos_energy_code=None)
    return with_dot(tested, called_mw)


_MAKERS: dict[Kind, _Maker] = {
    Kind.FIVE_MINUTE: _dot,
    Kind.HOURLY: _hourly,
    Kind.HOURLY_AS_AWARD: _award("NR", INTERVALS_PER_HOUR),
    Kind.AS_AWARD: _award("SR", 1),
    Kind.AS_TEST: _test,
    Kind.FLEX_RAMP: _award("SR", 1),
    Kind.START_UP: _commitment(InstructionType.START_UP),
    Kind.SHUT_DOWN: _commitment(InstructionType.SHUT_DOWN),
    Kind.MSG_TRANSITION: _transition,
    Kind.EXCEPTIONAL: _exceptional,
    Kind.MIN_CONSTRAINT: _constraint(InstructionType.MIN_CONSTRAINT, -_CONSTRAINT_MARGIN),
    Kind.MAX_CONSTRAINT: _constraint(InstructionType.MAX_CONSTRAINT, _CONSTRAINT_MARGIN),
    Kind.FIXED_CONSTRAINT: _constraint(InstructionType.FIXED_CONSTRAINT, 0.0),
}
