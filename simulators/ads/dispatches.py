"""How a dispatch batch of each type is made for one interval. Pure."""

from dataclasses import dataclass

from simulators.ads.plan import INTERVALS_PER_HOUR, Plan, Unit
from simulators.ads.records import BatchStatus, BatchType, DispatchBatch, Instruction, InstructionType, Segment
from simulators.chance import guid

_SERVICE_TYPES = ("SCHD", "SUPP", "RMPS", "SPIN", "NSPN", "HASE", "MSS", "TBD")
"""The segments of a DOT in the order of CAISO's sample."""

_HOURLY = (BatchType.HOURLY, BatchType.HOURLY_AS_AWARD)


@dataclass(frozen=True)
class Issue:
    """What is issued for which intervals: every `every`-th, `lead` intervals before it begins."""

    batch_type: BatchType
    market_id: str
    lead: float
    every: int = 1
    phase: int = 0

    def due(self, k: int) -> bool:
        """Whether there is one for interval k."""
        return k % self.every == self.phase


def dispatch(plan: Plan, units: tuple[Unit, ...], k: int, issue: Issue) -> DispatchBatch:
    """The batch of one type for interval k, with an instruction to every unit.

    A batch that awaits answers (hourly pre-dispatch) is active until half of its lead is over; the others are closed at once,
    as in CAISO's sample.
    """
    received_at = plan.begin(k) - plan.interval * issue.lead
    answerable = issue.batch_type is BatchType.HOURLY
    batch_uid = f"DISP-{guid(plan.seed, plan.interval_s, issue.market_id, k)}"
    status = BatchStatus.ACTIVE if answerable else BatchStatus.CLOSED
    return DispatchBatch(
        batch_uid=batch_uid,
        market_id=issue.market_id,
        batch_type=issue.batch_type,
        batch_status=status,
        received_at=received_at,
        sent_at=received_at + plan.interval / 300,
        expires_at=plan.begin(k) - plan.interval * (issue.lead / 2 if answerable else 0.05),
        start_at=plan.begin(k),
        interval_s=plan.interval_s * (INTERVALS_PER_HOUR if issue.batch_type in _HOURLY else 1),
        dispatch_mode=1 if issue.batch_type is BatchType.OUT_OF_SEQUENCE else 0,
        instructions=tuple(
            _instruction(plan, unit, k, f"{batch_uid}-I{index}", issue.batch_type) for index, unit in enumerate(units)
        ),
    )


def _instruction(plan: Plan, unit: Unit, k: int, uid: str, batch_type: BatchType) -> Instruction:
    match batch_type:
        case BatchType.FIVE_MINUTE:
            return _dot(plan, unit, k, uid, exceptional=False)
        case BatchType.OUT_OF_SEQUENCE:
            return _dot(plan, unit, k, uid, exceptional=True)
        case BatchType.HOURLY:
            return _hourly(plan, unit, k, uid)
        case BatchType.COMMITMENT:
            return _start_up(plan, unit, k, uid)
        case _:
            return _award(plan, unit, k, uid, batch_type)


def _dot(plan: Plan, unit: Unit, k: int, uid: str, *, exceptional: bool) -> Instruction:
    dot_mw = plan.dot_mw(unit, k)
    return Instruction(
        instruction_uid=uid,
        resource_id=unit.resource_id,
        instruction_type=InstructionType.DOT,
        start_at=plan.target_at(k),
        end_at=plan.begin(k + 1) if exceptional else None,
        dot_mw=dot_mw,
        oos_energy_code="TEMR" if exceptional else None,
        pre_goto_mw=plan.dot_mw(unit, k - 1),
        bid_delay_min=0,
        accept_dot_mw=dot_mw,
        status_code=BatchStatus.CLOSED,
        hourly_mw=plan.hourly_mw(unit, k),
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


def _hourly(plan: Plan, unit: Unit, k: int, uid: str) -> Instruction:
    dot_mw = plan.hourly_mw(unit, k)
    return Instruction(
        instruction_uid=uid,
        resource_id=unit.resource_id,
        instruction_type=InstructionType.DOT,
        start_at=plan.begin(k),
        end_at=plan.begin(k + INTERVALS_PER_HOUR),
        dot_mw=dot_mw,
        min_accept_mw=0.0,
        status_code=BatchStatus.ACTIVE,
        hourly_mw=dot_mw,
        details=(Segment("SCHD", dot_mw), Segment("HASE", 0.0)),
    )


def _start_up(plan: Plan, unit: Unit, k: int, uid: str) -> Instruction:
    return Instruction(
        instruction_uid=uid,
        resource_id=unit.resource_id,
        instruction_type=InstructionType.START_UP,
        start_at=plan.begin(k),
        end_at=plan.begin(k + INTERVALS_PER_HOUR),
        status_code=BatchStatus.CLOSED,
    )


def _award(plan: Plan, unit: Unit, k: int, uid: str, batch_type: BatchType) -> Instruction:
    """Reserve for the interval or the hour: non-spinning by the hour, else spinning."""
    hourly = batch_type in _HOURLY
    award_mw = plan.spinning_mw(unit)
    return Instruction(
        instruction_uid=uid,
        resource_id=unit.resource_id,
        instruction_type=InstructionType.CAPACITY_AWARD,
        start_at=plan.begin(k),
        end_at=plan.begin(k + (INTERVALS_PER_HOUR if hourly else 1)),
        as_type="NR" if hourly else "SR",
        status_code=BatchStatus.CLOSED,
        award_mw=award_mw,
        cleared_mw=award_mw,
        self_sched_mw=0.0,
    )
