"""Dispatch: what CAISO instructed, every revision of it. Words of the ADS API specification v7, section 6."""

import sqlalchemy as sa

from historian.tables.columns import (
    CODE,
    FLAG,
    LARGE,
    NUMBER,
    TEXT,
    TIME,
    by_time,
    environment,
    event_no,
    extra,
    metadata,
    needed,
    of_event,
    resource_id,
    told,
)

# `revision_key` is the batch's revision_no and batch_status, such as 2.3, or the event's id when CAISO numbered none: then
# nothing else tells two revisions apart, and a null cannot be part of a key.
dispatch_batch = sa.Table(
    "dispatch_batch",
    metadata,
    sa.Column("event_no", LARGE, primary_key=True, autoincrement=False, comment="Number of the event in other tables."),
    environment(),
    needed("batch_uid", TEXT, "CAISO's identifier of the batch (batchUID)."),
    needed(
        "revision_key",
        TEXT,
        "Revision and status, as in 2.3, and /unnamed without instructions; the event's id where CAISO numbers no revision.",
    ),
    resource_id(),
    needed("plant", TEXT, "The plant that claimed the resource then; unassigned where none did."),
    *told(TEXT, {"market_id": "Market run identifier (marketID)."}),
    *told(
        CODE,
        {
            "batch_status": "0 new, 1 active, 2 timed out, 3 closed, 4 emergency cancelled, 5 operator response, 6 deferred.",
            "batch_type": "0 five-minute, 1 hourly pre-dispatch, 2 commitment, 3 AS awards, 4 out of sequence, 5 hourly AS.",
            "dispatch_mode": "0 interval, 1 manual, 2 contingency (dispatchMode).",
            "revision_no": "CAISO's revision of the batch (revisionNo); rises with each change of it or of its status.",
        },
    ),
    *told(
        TIME,
        {
            "start_at": "Start of the interval that the batch is for (startTime), UTC.",
            "batch_received_at": "When ADS had the batch (batchReceived), UTC.",
            "batch_sent_at": "When the batch became active (batchSent), UTC.",
            "batch_expires_at": "When its status passes into the next (batchExpires), UTC.",
        },
    ),
    *told(
        TEXT,
        {
            "binding_flag": "Whether the batch is binding (bindingFlag); N is advisory.",
            "contingency_type": "RTCD or RTDD, in a contingency dispatch (contingencyType).",
            "path_exclusion": "NTE, STE or NSTE: ties that are excluded (pathExclusion).",
        },
    ),
    extra(),
    *of_event(),
    sa.UniqueConstraint("batch_uid", "resource_id", "revision_key", "environment"),
    by_time("start_at"),
    sa.Index(None, "resource_id", "batch_type"),
    sa.Index(None, "plant", "resource_id"),
    comment="One row for each revision of a dispatch batch as one resource sees it. Without instructions: none any more.",
)

instruction = sa.Table(
    "instruction",
    metadata,
    event_no(),
    resource_id(),
    needed("instruction_uid", TEXT, "CAISO's identifier of the instruction (instructionUID)."),
    *told(
        TIME,
        {
            "interval_start": "Start of the interval that it holds for: the batch's, else its own, UTC.",
            "interval_end": "End of that interval: its own end, else twice as far as its target, else by its type, UTC.",
            "target_at": "When its megawatts are to be reached: its own time inside the interval, else the middle, UTC.",
        },
    ),
    *told(TEXT, {"standing": "Of a DOT: in force, in doubt or not in force by type, status and answers; null of all else."}),
    *told(NUMBER, {"standing_mw": "Megawatts that it stands with (all, or those accepted); null where none or unknown. MW"}),
    needed(
        "is_newest",
        FLAG,
        "False where the same revision of the batch names the instruction again with a higher revision_number.",
    ),
    *told(TEXT, {"own_batch_uid": "The batch that the instruction itself names (batchUID)."}),
    *told(
        TIME,
        {
            "start_at": "Target time of a DOT, else start (startTime), UTC.",
            "end_at": "End (endTime), UTC; not every type has one.",
        },
    ),
    *told(NUMBER, {"dot_mw": "Dispatch Operating Target (dot). MW"}),
    *told(
        TEXT,
        {
            "oos_energy_code": "Energy code of an out-of-sequence instruction (oosEnergyCode).",
            "as_type": "Ancillary service: RU, RD, SR, NR, RC, LFU, LFD, EN (asType).",
        },
    ),
    *told(CODE, {"instruction_type": "0 DOT, 1 min, 2 max, 3 fixed, 4 start up, 5 shut down, 6 capacity, 7 MSG transition."}),
    *told(NUMBER, {"pre_goto_mw": "The DOT before (preGoto). MW"}),
    *told(CODE, {"bid_delay_min": "Minutes to synchronise (bidDelay)."}),
    *told(
        NUMBER,
        {
            "min_accept_mw": "Least that may be accepted (minAccept). MW",
            "accept_dot_mw": "What the participant accepted (acceptDot). MW",
        },
    ),
    *told(TEXT, {"accept_status": "The participant's answer (acceptStatus).", "responder": "Who answered (responder)."}),
    *told(CODE, {"reason_code": "Why it was declined or accepted in part, 10 to 16 (reasonCode)."}),
    *told(NUMBER, {"opr_accept_dot_mw": "What the operator accepted (oprAcceptDot). MW"}),
    *told(
        TEXT,
        {
            "opr_accept_status": "The operator's answer (oprAcceptStatus).",
            "opr_responder": "Which operator answered (oprResponder).",
        },
    ),
    *told(CODE, {"opr_reason_code": "The operator's reason (oprReasonCode)."}),
    *told(TIME, {"validated_at": "When an ADS client confirmed it (validated), UTC."}),
    *told(TEXT, {"validated_by": "Who confirmed it there (validatedBy)."}),
    *told(TIME, {"api_validated_at": "When an API client confirmed it (apiValidated), UTC."}),
    *told(TEXT, {"api_validated_by": "Which certificate confirmed it there (apiValidatedBy)."}),
    *told(
        CODE,
        {
            "revision_number": "The instruction's own revision (revisionNumber).",
            "status_code": "The instruction's own status, as batch_status (statusCode).",
        },
    ),
    *told(
        NUMBER,
        {
            "cleared_mw": "Cleared capacity, all of it (clearedMW). MW",
            "award_mw": "Awarded capacity (awardMW). MW",
            "self_sched_mw": "Self-scheduled capacity (selfSchedMW). MW",
            "hourly_mw": "Hourly megawatts (hourlyMw). MW",
        },
    ),
    *told(
        TEXT,
        {
            "rmr_test_requestor": "Who asked for an RMR test (rmrTestRequestor).",
            "configuration_id": "Configuration of a multi-stage generator (configurationId).",
            "transition_from_config_id": "Configuration before a transition (transitionFromConfigId).",
            "transition_to_config_id": "Configuration after a transition (transitionToConfigId).",
            "agc_flag": "Y when the resource was on AGC (agcFlag).",
            "rmr_flag": "Y when it is raised for reliability must run (rmrFlag).",
        },
    ),
    *told(
        NUMBER,
        {
            "hourly_threshold_mw": "Threshold of accepting or declining (hourlyMwThreshold). MW",
            "base_schedule_mw": "Hourly base schedule of an EIM resource (baseSchedule). MW",
        },
    ),
    *told(TEXT, {"registered_intertie_flag": "Y when the Master File has the resource (registeredIntertieFlag)."}),
    extra(),
    sa.Index(None, "resource_id", "interval_start"),
    by_time("interval_start"),
    sa.Index(None, "event_no"),
    # Few are so long, and whoever asks what is in force must not read months to find them.
    sa.Index(
        "instruction_long",
        "resource_id",
        "interval_end",
        postgresql_where=sa.text("interval_end - interval_start > interval '1 day'"),
    ),
    postgresql_partition_by="RANGE (interval_start)",
    comment="Instructions of dispatch batches, every revision. instruction_latest and dot_latest show what counts.",
)

instruction_detail = sa.Table(
    "instruction_detail",
    metadata,
    event_no(),
    needed("instruction_uid", TEXT, "The instruction that it is part of."),
    *told(TIME, {"interval_start": "As of its instruction, UTC."}),
    needed("position", CODE, "Place in CAISO's list, from 1."),
    *told(CODE, {"seg_no": "Number of the segment (segNo)."}),
    *told(TEXT, {"service_type": "SCHD, SUPP, RMPS, SPIN and others (serviceType)."}),
    *told(NUMBER, {"segment_mw": "Megawatts of this service type (mw). MW"}),
    extra(),
    sa.Index(None, "event_no"),
    postgresql_partition_by="RANGE (interval_start)",
    comment="Segments of instructions by service type.",
)
