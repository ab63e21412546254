"""CAISO's records (specification, sections 1.3, 5 and 6): what is asked of ADS, what comes back, and what its documents say.

Every element of CAISO's schema is a field. An absent or empty one is None, never 0; what the schema does not know is in
`extra`. Quantities end in their unit, times are UTC. `problems` are parts of a document that had to be left out because they
lack the identity without which nobody can be told of them; the rest of the document stands.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from types import MappingProxyType

import msgspec

Extra = dict[str, str]
"""Elements and attributes that the schema does not have, and texts that are not of their type, by CAISO's name."""

WHOLE_CACHE = "-1"
"""Asked for what came since this UID, ADS gives all that it has: the last 24 hours (specification, 2.1)."""


@dataclass(frozen=True)
class Question:
    """One operation of the ADS web services, and what it is asked about.

    Attributes:
        operation: by CAISO's name.
        batch_uid: the batch; of submitMSSLFRequest the batch of the scheduling coordinator.
        more: further parameters in CAISO's order, each a name and a text.
        within_s: the most that the answer may take, seconds, where that is less than any may.
    """

    operation: str
    batch_uid: str
    more: tuple[tuple[str, str], ...] = ()
    within_s: float = math.inf

    def __str__(self) -> str:
        return f"{self.operation}({self.batch_uid})"


@dataclass(frozen=True)
class Reply:
    """The bytes that answered a question.

    Attributes:
        question: what was asked.
        status: of HTTP.
        body: as it came.
        clock_offset_s: CAISO's clock minus ours in seconds, None when the reply did not tell.
    """

    question: Question
    status: int
    body: bytes
    clock_offset_s: float | None = None


class BatchHeader(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Header of an ADS dispatch batch. The integer codes are CAISO's, unknown ones included.

    Attributes:
        batch_uid: CAISO's unique name of the batch (batchUID).
        market_id: the market run (marketID).
        batch_status: 0 new, 1 active, 2 timed out, 3 closed, 4 emergency cancelled, 5 operator response, 6 deferred.
        batch_received_at: when ADS received the batch (batchReceived).
        batch_sent_at: when the batch became active (batchSent).
        batch_expires_at: when the batch leaves its status (batchExpires).
        batch_type: 0 five-minute, 1 hourly pre-dispatch, 2 commitment, 3 ancillary service awards, 4 out of sequence, 5 hourly
            ancillary service awards.
        start_at: the start of the interval that the batch is for (startTime).
        dispatch_mode: 0 interval, 1 manual, 2 contingency.
        binding_flag: whether the batch is binding, Y or N.
        revision_no: grows with each change of the batch or of an instruction in it.
        contingency_type: RTCD or RTDD, in a contingency or disturbance dispatch.
        path_exclusion: NTE, STE or NSTE: which ties are excluded.
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    batch_uid: str
    market_id: str | None = None
    batch_status: int | None = None
    batch_received_at: datetime | None = None
    batch_sent_at: datetime | None = None
    batch_expires_at: datetime | None = None
    batch_type: int | None = None
    start_at: datetime | None = None
    dispatch_mode: int | None = None
    binding_flag: str | None = None
    revision_no: int | None = None
    contingency_type: str | None = None
    path_exclusion: str | None = None
    extra: Extra = {}


class InstructionDetail(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One segment of an instruction: the megawatts of one service type.

    Attributes:
        seg_no: the order of the segments.
        service_type: SCHD, SUPP, RMPS, SPIN, NSPN, HASE, MSS and others of CAISO's.
        segment_mw: the segment's megawatts (mw).
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    seg_no: int | None = None
    service_type: str | None = None
    segment_mw: float | None = None
    extra: Extra = {}


class Instruction(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One ADS instruction, every element of the schema.

    Attributes:
        instruction_uid: CAISO's unique name of the instruction, over all batches (instructionUID).
        batch_uid: the batch that the instruction itself names.
        resource_id: the resource's Master File name, or the transaction of a dynamic intertie.
        start_at: the start of the instruction, the target time of a DOT (startTime).
        end_at: the end of the instruction; not every type has one (endTime).
        dot_mw: the dispatch operating target; absent on commitments and awards (dot).
        oos_energy_code: the energy code of an out-of-sequence instruction.
        as_type: the ancillary service awarded: RU, RD, SR, NR and others of CAISO's.
        instruction_type: 0 DOT, 1 to 3 minimum, maximum or fixed constraint, 4 start-up, 5 shut-down, 6 capacity award, 7
            transition of a multi-stage generator.
        pre_goto_mw: the DOT before (preGoto).
        bid_delay_min: minutes to synchronise (bidDelay).
        min_accept_mw: the least that may be accepted of an intertie instruction (minAccept).
        accept_dot_mw: what was accepted of an intertie instruction (acceptDot).
        accept_status: how an intertie instruction was answered.
        responder: who answered it.
        reason_code: why it was declined or accepted in part: 10 to 16.
        opr_accept_dot_mw: what CAISO's operator accepted (oprAcceptDot).
        opr_accept_status: how CAISO's operator answered.
        opr_responder: the operator who answered.
        opr_reason_code: the operator's reason, 10 to 16.
        validated_at: when an ADS client confirmed that it has the instruction (validated).
        validated_by: the user who did.
        api_validated_at: when an API client confirmed that it has the instruction (apiValidated).
        api_validated_by: the certificate's common name of that client.
        revision_number: grows with each change of the instruction.
        status_code: the status of the instruction, usually that of its batch.
        cleared_mw: all megawatts that were cleared for an ancillary service (clearedMW).
        award_mw: the megawatts awarded (awardMW).
        self_sched_mw: the megawatts that were scheduled by oneself (selfSchedMW).
        hourly_mw: the hourly megawatts (hourlyMw).
        rmr_test_requestor: who asked for a reliability must-run test.
        configuration_id: the configuration of a multi-stage generator.
        transition_from_config_id: the configuration that a transition leaves.
        transition_to_config_id: the configuration that a transition leads to.
        agc_flag: whether the resource was on automatic generation control at the start of the market run, Y or N.
        rmr_flag: whether a reliability must-run contract raises it above the day-ahead schedule, Y or N.
        hourly_threshold_mw: the threshold of accepting and declining (hourlyMwThreshold).
        base_schedule_mw: the hourly base schedule of a resource of the energy imbalance market (baseSchedule).
        registered_intertie_flag: whether the physical resource has a Master File name, Y or N.
        details: the segments by service type.
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    instruction_uid: str
    batch_uid: str | None = None
    resource_id: str
    start_at: datetime | None = None
    end_at: datetime | None = None
    dot_mw: float | None = None
    oos_energy_code: str | None = None
    as_type: str | None = None
    instruction_type: int | None = None
    pre_goto_mw: float | None = None
    bid_delay_min: int | None = None
    min_accept_mw: float | None = None
    accept_dot_mw: float | None = None
    accept_status: str | None = None
    responder: str | None = None
    reason_code: int | None = None
    opr_accept_dot_mw: float | None = None
    opr_accept_status: str | None = None
    opr_responder: str | None = None
    opr_reason_code: int | None = None
    validated_at: datetime | None = None
    validated_by: str | None = None
    api_validated_at: datetime | None = None
    api_validated_by: str | None = None
    revision_number: int | None = None
    status_code: int | None = None
    cleared_mw: float | None = None
    award_mw: float | None = None
    self_sched_mw: float | None = None
    hourly_mw: float | None = None
    rmr_test_requestor: str | None = None
    configuration_id: str | None = None
    transition_from_config_id: str | None = None
    transition_to_config_id: str | None = None
    agc_flag: str | None = None
    rmr_flag: str | None = None
    hourly_threshold_mw: float | None = None
    base_schedule_mw: float | None = None
    registered_intertie_flag: str | None = None
    details: tuple[InstructionDetail, ...] = ()
    extra: Extra = {}


class DispatchBatch(msgspec.Struct, frozen=True, gc=False):
    """A DispatchBatch with the instructions that the participant may see.

    Attributes:
        header: the batch itself.
        instructions: of every resource, in CAISO's order.
        problems: instructions without a UID or a resource, each with its line in `xml`.
        xml: the document that it was read from.
        nameless: resources with an instruction without a UID: what it asks of them is not among the instructions.
        is_ownerless: whether an instruction names no usable resource: it may be any resource's.
    """

    header: BatchHeader
    instructions: tuple[Instruction, ...] = ()
    problems: tuple[str, ...] = ()
    xml: bytes = b""
    nameless: frozenset[str] = frozenset()
    is_ownerless: bool = False

    @property
    def resources(self) -> frozenset[str]:
        """Every resource that it names."""
        return self.nameless.union(each.resource_id for each in self.instructions)


class DispatchBatchList(msgspec.Struct, frozen=True, gc=False):
    """An APIDispatchResponse.

    Attributes:
        headers: in the order in which ADS received the batches.
        problems: batches without a UID, each with its line in `xml`.
        xml: the document that it was read from.
    """

    headers: tuple[BatchHeader, ...] = ()
    problems: tuple[str, ...] = ()
    xml: bytes = b""


class TrajectoryHeader(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Header of an ADS trajectory batch.

    Attributes:
        batch_uid: CAISO's unique name of the batch (batchUID).
        batch_received_at: when ADS received the batch (batchReceived).
        batch_sent_at: when the batch became active (batchSent).
        binding_flag: whether the DOPs of the batch are binding, Y or N.
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    batch_uid: str
    batch_received_at: datetime | None = None
    batch_sent_at: datetime | None = None
    binding_flag: str | None = None
    extra: Extra = {}


class TrajectoryDop(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One Dispatch Operating Point as CAISO sent it.

    Attributes:
        dop_uid: CAISO's unique name of the point (dopUID).
        resource_id: the resource by CAISO's Master File name (resourceId).
        dop_mw: the dispatch operating point (dop).
        target_at: the time that it is for (targetTime).
        sequence_number: the order of two points of one batch at one time.
        configuration_id: the configuration of a multi-stage generator.
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    dop_uid: str
    resource_id: str
    dop_mw: float | None = None
    target_at: datetime | None = None
    sequence_number: int | None = None
    configuration_id: str | None = None
    extra: Extra = {}


class TrajectoryCompliance(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Whether a resource delivered the energy expected of it in one five-minute interval.

    Attributes:
        compliance_uid: CAISO's unique name of the record (complianceUID).
        resource_id: the resource by CAISO's Master File name (resourceId).
        start_at: the start of the interval (startTime).
        expected_mwh: the energy that was expected (mwh).
        compliance_flag: whether it was delivered, Y or N (complFlag).
        configuration_id: the configuration of a multi-stage generator.
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    compliance_uid: str
    resource_id: str
    start_at: datetime | None = None
    expected_mwh: float | None = None
    compliance_flag: str | None = None
    configuration_id: str | None = None
    extra: Extra = {}


class TrajectoryBatch(msgspec.Struct, frozen=True, gc=False):
    """A trajectoryBatch.

    Attributes:
        header: the batch itself.
        dops: the points of every resource in it, in CAISO's order.
        compliance: the compliance records of every resource in it.
        nameless: resources with a point without a UID, which is not among the points.
        is_ownerless: whether a point names no usable resource: it may be any resource's.
    """

    header: TrajectoryHeader
    dops: tuple[TrajectoryDop, ...] = ()
    compliance: tuple[TrajectoryCompliance, ...] = ()
    nameless: frozenset[str] = frozenset()
    is_ownerless: bool = False

    @property
    def resources(self) -> frozenset[str]:
        """Every resource that it names."""
        named = {dop.resource_id for dop in self.dops} | {part.resource_id for part in self.compliance}
        return self.nameless | named


class TrajectoryBatchList(msgspec.Struct, frozen=True, gc=False):
    """An APITrajectoryResponse.

    Attributes:
        batches: in the order in which ADS received them.
        problems: batches, points and compliance records without their identity, each with its line in `xml`.
        xml: the document that it was read from.
        is_whole: False when more came than fits: ask on from the last of these.
        nameless: resources in batches without a UID, which are not among the batches.
    """

    batches: tuple[TrajectoryBatch, ...] = ()
    problems: tuple[str, ...] = ()
    xml: bytes = b""
    is_whole: bool = True
    nameless: frozenset[str] = frozenset()


class ResultCode(IntEnum):
    """What the response service may answer (specification, section 1.3)."""

    SUCCESS = 0
    INVALID_RESPONSE = 1
    INVALID_RESPONSE_PERIOD = 2
    BATCH_NOT_FOUND = 3
    INSTRUCTION_NOT_FOUND = 4
    UNAUTHORIZED = 5


RESULT_WORDS: Mapping[ResultCode, str] = MappingProxyType(
    {
        ResultCode.SUCCESS: "ADS received the response and accepted it",
        ResultCode.INVALID_RESPONSE: "the response is invalid; its megawatts may be outside the instruction's range",
        ResultCode.INVALID_RESPONSE_PERIOD: "ADS received the response outside of the period for responses",
        ResultCode.BATCH_NOT_FOUND: "there is no such batch",
        ResultCode.INSTRUCTION_NOT_FOUND: "the batch has no such instruction",
        ResultCode.UNAUTHORIZED: "this certificate may not respond for the resource of the instruction",
    }
)


class ReasonCode(IntEnum):
    """Why an instruction is declined or accepted in part (specification, sections 3.2 and 3.3)."""

    LINE_DOWN = 10
    ECONOMIC_CONSIDERATIONS = 11
    BAD_BID_SUBMITTED = 12
    UNIT_DERATE = 13
    NO_AVAILABLE_TRANSMISSION = 14
    TIMED_OUT_MINIMUM_ACCEPTED = 15
    TIMED_OUT_FORCED_DECLINE = 16


@dataclass(frozen=True)
class ResponseResult:
    """What ADS made of a response to an instruction.

    Attributes:
        code: CAISO's number, one that is not known here included.
    """

    code: int

    @property
    def is_success(self) -> bool:
        """Whether ADS accepted the response."""
        return self.code == ResultCode.SUCCESS

    @property
    def words(self) -> str:
        """What the code says (specification, section 1.3)."""
        known = {int(code): words for code, words in RESULT_WORDS.items()}
        return known.get(self.code, f"result code {self.code}, which the specification does not have")
