"""What CAISO dispatches: batches of instructions as events, and the DOTs that follow from them as a state."""

from typing import Annotated, Final

import msgspec

from dotbus.contracts.messages.envelope import CaisoState, Event, Extra, Int32, NonEmpty, Seq, Utc


class DispatchBatchHeader(msgspec.Struct, frozen=True, kw_only=True, gc=False):
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
    batch_status: Int32 | None = None
    batch_received_at: Utc | None = None
    batch_sent_at: Utc | None = None
    batch_expires_at: Utc | None = None
    batch_type: Int32 | None = None
    start_at: Utc | None = None
    dispatch_mode: Int32 | None = None
    binding_flag: str | None = None
    revision_no: Int32 | None = None
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

    seg_no: Int32 | None = None
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
    start_at: Utc | None = None
    end_at: Utc | None = None
    dot_mw: float | None = None
    oos_energy_code: str | None = None
    as_type: str | None = None
    instruction_type: Int32 | None = None
    pre_goto_mw: float | None = None
    bid_delay_min: Int32 | None = None
    min_accept_mw: float | None = None
    accept_dot_mw: float | None = None
    accept_status: str | None = None
    responder: str | None = None
    reason_code: Int32 | None = None
    opr_accept_dot_mw: float | None = None
    opr_accept_status: str | None = None
    opr_responder: str | None = None
    opr_reason_code: Int32 | None = None
    validated_at: Utc | None = None
    validated_by: str | None = None
    api_validated_at: Utc | None = None
    api_validated_by: str | None = None
    revision_number: Int32 | None = None
    status_code: Int32 | None = None
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


class Dispatch(Event, frozen=True, kw_only=True, tag="dispatch"):
    """One dispatch batch as one resource sees it: the header and all of this resource's instructions.

    None of them means that this revision does not name the resource any more, or that all of the batch is cancelled.

    Attributes:
        plant: the plant that claims the resource, or `unassigned`.
        plant_seq: counts the plant's dispatch and trajectory-batch events together, from 1 without gaps within `stream`; null
            from a source of before this field.
        resource_id: the resource by CAISO's Master File name.
        batch: the batch's header.
        instructions: all instructions of the batch for this resource.
    """

    plant: str
    plant_seq: Seq | None = None
    resource_id: str
    batch: DispatchBatchHeader
    instructions: tuple[Instruction, ...]


class DotSegment(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """Part of a DOT by service type.

    Attributes:
        service_type: SCHD, SUPP, RMPS and others of CAISO's.
        segment_mw: the part's megawatts.
    """

    service_type: str
    segment_mw: float


class DotInterval(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A DOT and the interval that it is in force in.

    Attributes:
        interval_start: from when the DOT is in force.
        interval_end: until when.
        target_at: the middle of the interval, at which the resource is to be at the DOT.
        dot_mw: the dispatch operating target.
        supp_mw: the megawatts of the SUPP segment.
        must_follow: CAISO's own flag when it sends one, else whether the SUPP segment is below zero; null when CAISO says
            neither. It decides for a variable resource only.
        segments: the DOT by service type.
        batch_uid: the batch that said it.
        batch_type: 0 five-minute, 1 hourly, and others of CAISO's.
        instruction_uid: the instruction that said it.
        revision_no: the revision of the batch.
        batch_received_at: when ADS received the batch.
        reasons: what the source knows against this DOT alone, by the names of docs/quality.md; what it knows against the
            schedule that the resource follows is in the state's. A DOT that is over has one while CAISO cannot be asked whether
            it was cancelled before its end.
    """

    interval_start: Utc
    interval_end: Utc
    target_at: Utc
    dot_mw: float
    supp_mw: float | None = None
    must_follow: bool | None = None
    segments: tuple[DotSegment, ...] = ()
    batch_uid: str
    batch_type: Int32 | None = None
    instruction_uid: str
    revision_no: Int32 | None = None
    batch_received_at: Utc | None = None
    reasons: tuple[NonEmpty, ...] = ()


MOST_DOTS: Final = 500
"""What one state holds of a resource: an hour ahead are 12 of one schedule. A reader would be busy with nothing but more."""


class WithdrawnBatch(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A batch that holds no more, though what it instructed lasts until then: cancelled, revised away or unreadable.

    Attributes:
        batch_uid: the batch.
        until: the end of the last that it instructed.
        revision_no: the highest revision that is known to be withdrawn.
        batch_type: what the batch was for, in an `instructions` state.
        batch_status: 4 where it was cancelled, in an `instructions` state.
    """

    batch_uid: str
    until: Utc
    revision_no: Int32 | None = None
    batch_type: Int32 | None = None
    batch_status: Int32 | None = None


class Dot(CaisoState, frozen=True, kw_only=True, tag="dot"):
    """The DOTs of one resource: the last one past of each schedule, the one in force and all ahead, in the order of intervals.

    Five-minute and hourly DOTs stand side by side, told apart by `batch_type` (1 is hourly): a resource follows one of the two
    schedules, and the other never stands in for it. `heard_at` is when CAISO was last asked, and answered, for new batches
    or, if that is longer ago, for the revision of a batch in it.

    Attributes:
        plant: the plant that claims the resource, or `unassigned`.
        resource_id: the resource by CAISO's Master File name.
        received_at: when the newest DOT came here.
        intervals: the DOTs.
        withdrawn: batches that hold no more; they tell a reader of several sources that another one is behind.
    """

    plant: str
    resource_id: str
    received_at: Utc | None = None
    intervals: Annotated[tuple[DotInterval, ...], msgspec.Meta(max_length=MOST_DOTS)]
    withdrawn: Annotated[tuple[WithdrawnBatch, ...], msgspec.Meta(max_length=MOST_DOTS)] = ()
