"""What CAISO's dispatch system issues, as records: the words are those of the ADS API specification v7, section 6.

Absent is None. Megawatts and times are what the documents carry; nothing here is text.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum
from typing import Self


class BatchType(IntEnum):
    """batchType. Only today's API (v8) names FLEX_RAMP and AS_TEST, and no specification that a v7 client was written to."""

    FIVE_MINUTE = 0
    HOURLY = 1
    COMMITMENT = 2
    AS_AWARD = 3
    OUT_OF_SEQUENCE = 4
    HOURLY_AS_AWARD = 5
    FLEX_RAMP = 10
    AS_TEST = 12


class BatchStatus(IntEnum):
    """batchStatus, and statusCode of an instruction."""

    NEW = 0
    ACTIVE = 1
    TIMED_OUT = 2
    CLOSED = 3
    EMERGENCY_CANCELLED = 4
    OPERATOR_RESPONSE = 5
    DEFERRED = 6


class InstructionType(IntEnum):
    """instructionType."""

    DOT = 0
    MIN_CONSTRAINT = 1
    MAX_CONSTRAINT = 2
    FIXED_CONSTRAINT = 3
    START_UP = 4
    SHUT_DOWN = 5
    CAPACITY_AWARD = 6
    MSG_TRANSITION = 7


@dataclass(frozen=True)
class Segment:
    """The megawatts of a DOT that belong to one service type."""

    service_type: str
    segment_mw: float


@dataclass(frozen=True, kw_only=True)
class Instruction:
    """One instruction to one resource. `start_at` is the target time of a DOT, and `dot_mw` the limit of a constraint."""

    instruction_uid: str
    resource_id: str
    instruction_type: InstructionType
    start_at: datetime
    end_at: datetime | None = None
    dot_mw: float | None = None
    oos_energy_code: str | None = None
    as_type: str | None = None
    pre_goto_mw: float | None = None
    bid_delay_min: int | None = None
    min_accept_mw: float | None = None
    accept_dot_mw: float | None = None
    accept_status: str | None = None
    responder: str | None = None
    reason_code: int | None = None
    api_validated_at: datetime | None = None
    api_validated_by: str | None = None
    revision_number: int = 1
    status_code: BatchStatus
    cleared_mw: float | None = None
    award_mw: float | None = None
    self_sched_mw: float | None = None
    hourly_mw: float | None = None
    configuration_id: str | None = None
    transition_from_config_id: str | None = None
    transition_to_config_id: str | None = None
    agc_flag: str | None = None
    rmr_flag: str | None = None
    details: tuple[Segment, ...] = ()

    @property
    def supp_mw(self) -> float | None:
        """The SUPP segment: below zero it obliges a variable resource to follow its DOT."""
        return next((segment.segment_mw for segment in self.details if segment.service_type == "SUPP"), None)


@dataclass(frozen=True, kw_only=True)
class DispatchBatch:
    """A dispatch batch with the instructions to every resource."""

    batch_uid: str
    market_id: str
    batch_type: BatchType
    batch_status: BatchStatus
    received_at: datetime
    sent_at: datetime
    expires_at: datetime
    start_at: datetime
    interval_s: int
    dispatch_mode: int = 0
    binding_flag: str = "Y"
    revision_no: int = 1
    instructions: tuple[Instruction, ...]

    def revised(self, instructions: tuple[Instruction, ...], status: BatchStatus | None = None) -> Self:
        """This batch with other instructions or another status: its revision grows by one."""
        return replace(
            self,
            instructions=instructions,
            batch_status=self.batch_status if status is None else status,
            revision_no=self.revision_no + 1,
        )


@dataclass(frozen=True, kw_only=True)
class Dop:
    """A Dispatch Operating Point: two of one resource at the same time are a step."""

    dop_uid: str
    resource_id: str
    dop_mw: float
    target_at: datetime
    sequence_number: int
    configuration_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class Compliance:
    """Whether a resource delivered the energy that was expected of it in one interval."""

    compliance_uid: str
    resource_id: str
    start_at: datetime
    expected_mwh: float
    compliance_flag: str
    configuration_id: str | None = None


@dataclass(frozen=True, kw_only=True)
class TrajectoryBatch:
    """A trajectory batch: points, compliance records, or both."""

    batch_uid: str
    received_at: datetime
    sent_at: datetime
    binding_flag: str = "Y"
    dops: tuple[Dop, ...] = ()
    compliance: tuple[Compliance, ...] = ()


Batch = DispatchBatch | TrajectoryBatch
