"""One sample of each message, every field filled, from CAISO's own sample documents where it has one.

They are also the v1 samples under tests/fixtures/v1, which must decode for ever.
"""

from datetime import UTC, datetime, timedelta

from dotbus.contracts.messages import (
    AlarmAction,
    AlarmChanged,
    AlarmCommand,
    AlarmCommandReply,
    AlarmCount,
    AlarmPriority,
    AlarmState,
    AlarmStatus,
    AlarmSummary,
    AnyMessage,
    Backfill,
    BackfillReply,
    BackfillRequest,
    Compliance,
    Dispatch,
    DispatchBatchHeader,
    Dop,
    Dot,
    DotInterval,
    DotSegment,
    Environment,
    Instruction,
    InstructionAction,
    InstructionAnswer,
    InstructionAnswered,
    InstructionDetail,
    InstructionResponse,
    InstructionResponseReply,
    Instructions,
    KnownInstruction,
    Lmp,
    NodePrice,
    OutboxSpan,
    PointWritten,
    Prices,
    ReloadReply,
    ReloadRequest,
    ReplayReply,
    ReplayRequest,
    ServiceStatus,
    StreamState,
    Telemetry,
    Trajectory,
    TrajectoryBatch,
    TrajectoryBatchHeader,
    TrajectoryPoint,
    Upstream,
    UpstreamGap,
    WithdrawnBatch,
)

HOURLY_UID = "DISP-0D0E6A11-7C1F-4E86-9B51-0A090014DB01"
AWARD_UID = "DISP-2B9C5B3E-16C8-4D5B-8F70-0A090014DB02"
CANCELLED_UID = "DISP-6E1A7F40-92D1-4B7A-A1B5-0A090014DB03"
AT = datetime(2026, 10, 13, 14, 10, tzinfo=UTC)
"""The start of the sample interval."""
BATCH_UID = "DISP-59F16A91-46CA-402B-FFDC-0A090014DA8C"
TRAJECTORY_UID = "TRAJ-59F16A91-46CA-402B-FFDC-0A090014BB4B"
STREAM = "0123456789abcdef0123456789abcdef"


def dispatch() -> Dispatch:
    """A five-minute dispatch of 12 MW with one detail segment, all elements present."""
    return Dispatch(
        environment=Environment.SIMULATOR,
        source="ads_ingest/a",
        time=AT - timedelta(seconds=120),
        id=f"dispatch/{BATCH_UID}/4.3/TEST_RESOURCE_1",
        stream=STREAM,
        seq=1,
        plant="sierra",
        plant_seq=1,
        resource_id="TEST_RESOURCE_1",
        batch=DispatchBatchHeader(
            batch_uid=BATCH_UID,
            market_id="5MinDOT",
            batch_status=3,
            batch_received_at=AT - timedelta(seconds=150),
            batch_sent_at=AT - timedelta(seconds=149),
            batch_expires_at=AT - timedelta(seconds=15),
            batch_type=0,
            start_at=AT,
            dispatch_mode=0,
            binding_flag="Y",
            revision_no=4,
            contingency_type="RTCD",
            path_exclusion="NTE",
            extra={"newHeaderElement": "1"},
        ),
        instructions=(instruction(),),
    )


def instruction() -> Instruction:
    """The instruction of `dispatch`, every element filled."""
    return Instruction(
        instruction_uid=f"{BATCH_UID}-I0",
        batch_uid=BATCH_UID,
        resource_id="TEST_RESOURCE_1",
        start_at=AT + timedelta(seconds=150),
        end_at=AT + timedelta(seconds=300),
        dot_mw=12.0,
        oos_energy_code="SYSEMR",
        as_type="SR",
        instruction_type=0,
        pre_goto_mw=10.5,
        bid_delay_min=0,
        min_accept_mw=1.0,
        accept_dot_mw=12.0,
        accept_status="ACCEPT",
        responder="plant operator",
        reason_code=10,
        opr_accept_dot_mw=12.0,
        opr_accept_status="ACCEPT",
        opr_responder="grid operator",
        opr_reason_code=11,
        validated_at=AT - timedelta(seconds=118),
        validated_by="TEST_John Smith",
        api_validated_at=AT - timedelta(seconds=119),
        api_validated_by="TEST_John Smith",
        revision_number=2,
        status_code=3,
        cleared_mw=2.5,
        award_mw=1.5,
        self_sched_mw=0.5,
        hourly_mw=3.0,
        rmr_test_requestor="nobody",
        configuration_id="TEST_RESOURCE_1_1x1",
        transition_from_config_id="TEST_RESOURCE_1_1x1",
        transition_to_config_id="TEST_RESOURCE_1_2x1",
        agc_flag="Y",
        rmr_flag="N",
        hourly_threshold_mw=5.0,
        base_schedule_mw=9.0,
        registered_intertie_flag="Y",
        details=(
            InstructionDetail(seg_no=1, service_type="SCHD", segment_mw=13.0),
            InstructionDetail(seg_no=2, service_type="SUPP", segment_mw=-1.0, extra={"newDetailElement": "2"}),
        ),
        extra={"newInstructionElement": "3"},
    )


def trajectory_batch() -> TrajectoryBatch:
    """A trajectory batch with two DOPs and a compliance record."""
    return TrajectoryBatch(
        environment=Environment.SIMULATOR,
        source="ads_ingest/a",
        time=AT - timedelta(seconds=110),
        id=f"trajectory/{TRAJECTORY_UID}/TEST_RESOURCE_1",
        stream=STREAM,
        seq=2,
        plant="sierra",
        plant_seq=2,
        resource_id="TEST_RESOURCE_1",
        batch=TrajectoryBatchHeader(
            batch_uid=TRAJECTORY_UID,
            batch_received_at=AT - timedelta(seconds=140),
            batch_sent_at=AT - timedelta(seconds=140),
            binding_flag="Y",
            extra={"newHeaderElement": "1"},
        ),
        dops=(
            Dop(
                dop_uid=f"{TRAJECTORY_UID}-D0",
                dop_mw=16.0,
                target_at=AT,
                sequence_number=1,
                configuration_id="TEST_RESOURCE_1_1x1",
                extra={"newDopElement": "4"},
            ),
            Dop(dop_uid=f"{TRAJECTORY_UID}-D1", dop_mw=12.0, target_at=AT + timedelta(seconds=150), sequence_number=2),
        ),
        compliance=(
            Compliance(
                compliance_uid=f"{TRAJECTORY_UID}-C0",
                start_at=AT - timedelta(seconds=900),
                expected_mwh=1.25,
                compliance_flag="Y",
                configuration_id="TEST_RESOURCE_1_1x1",
                extra={"newComplianceElement": "5"},
            ),
        ),
    )


def dot() -> Dot:
    """The state that follows from `dispatch`."""
    return Dot(
        environment=Environment.SIMULATOR,
        source="ads_ingest/a",
        time=AT - timedelta(seconds=119),
        plant="sierra",
        resource_id="TEST_RESOURCE_1",
        heard_at=AT - timedelta(seconds=120),
        valid_until=AT - timedelta(seconds=30),
        reasons=("incomplete",),
        received_at=AT - timedelta(seconds=120),
        intervals=(
            DotInterval(
                interval_start=AT,
                interval_end=AT + timedelta(seconds=300),
                target_at=AT + timedelta(seconds=150),
                dot_mw=12.0,
                supp_mw=-1.0,
                must_follow=True,
                segments=(DotSegment(service_type="SCHD", segment_mw=13.0), DotSegment(service_type="SUPP", segment_mw=-1.0)),
                batch_uid=BATCH_UID,
                batch_type=0,
                instruction_uid=f"{BATCH_UID}-I0",
                revision_no=4,
                batch_received_at=AT - timedelta(seconds=150),
            ),
        ),
    )


def instructions() -> Instructions:
    """An hourly DOT that can be answered still, an award ahead, and a commitment that was cancelled."""
    return Instructions(
        environment=Environment.SIMULATOR,
        source="ads_ingest/a",
        time=AT - timedelta(seconds=119),
        plant="sierra",
        resource_id="TEST_RESOURCE_1",
        heard_at=AT - timedelta(seconds=120),
        valid_until=AT - timedelta(seconds=30),
        received_at=AT - timedelta(seconds=120),
        instructions=(_hourly_dot(), _award()),
        withdrawn=(
            WithdrawnBatch(batch_uid=CANCELLED_UID, until=AT + timedelta(hours=2), revision_no=3, batch_type=2, batch_status=4),
        ),
    )


def _hourly_dot() -> KnownInstruction:
    return KnownInstruction(
        what="dot",
        standing="in force",
        start_at=AT + timedelta(minutes=50),
        end_at=AT + timedelta(minutes=110),
        instructed_mw=40.0,
        standing_mw=40.0,
        answer=InstructionAnswer(
            answer="none", is_open=True, open_until=AT + timedelta(minutes=10), min_accept_mw=5.0, hourly_threshold_mw=10.0
        ),
        instruction_uid=f"{HOURLY_UID}-I0",
        instruction_type=0,
        revision_number=1,
        status_code=1,
        batch_uid=HOURLY_UID,
        batch_type=1,
        batch_status=1,
        revision_no=2,
        batch_received_at=AT - timedelta(seconds=150),
        batch_expires_at=AT + timedelta(minutes=10),
        batch_until=AT + timedelta(minutes=110),
        told_at=AT - timedelta(seconds=120),
    )


def _award() -> KnownInstruction:
    return KnownInstruction(
        what="as-award",
        standing="in force",
        start_at=AT + timedelta(minutes=50),
        end_at=AT + timedelta(minutes=65),
        instructed_mw=4.5,
        standing_mw=4.5,
        as_type="SR",
        award_mw=4.5,
        cleared_mw=6.0,
        self_sched_mw=1.5,
        configuration_id="TEST_RESOURCE_1_1x1",
        instruction_uid=f"{AWARD_UID}-I0",
        instruction_type=6,
        revision_number=1,
        status_code=3,
        batch_uid=AWARD_UID,
        batch_type=3,
        batch_status=3,
        revision_no=1,
        batch_received_at=AT - timedelta(seconds=400),
        batch_until=AT + timedelta(minutes=65),
        told_at=AT - timedelta(seconds=390),
    )


def trajectory() -> Trajectory:
    """The state that follows from `trajectory_batch`."""
    first = TrajectoryPoint(
        target_at=AT,
        dop_mw=16.0,
        batch_received_at=AT - timedelta(seconds=140),
        sequence_number=1,
        batch_uid=TRAJECTORY_UID,
        configuration_id="TEST_RESOURCE_1_1x1",
    )
    last = TrajectoryPoint(
        target_at=AT + timedelta(seconds=150),
        dop_mw=12.0,
        batch_received_at=AT - timedelta(seconds=140),
        sequence_number=2,
        batch_uid=TRAJECTORY_UID,
    )
    return Trajectory(
        environment=Environment.SIMULATOR,
        source="ads_ingest/a",
        time=AT - timedelta(seconds=109),
        plant="sierra",
        resource_id="TEST_RESOURCE_1",
        heard_at=AT - timedelta(seconds=110),
        valid_until=AT - timedelta(seconds=20),
        received_at=AT - timedelta(seconds=110),
        points=(first, last),
        latest=last,
    )


def prices() -> Prices:
    """One five-minute interval of two nodes, as OASIS gave the first (2025-09-01, hour ending 2)."""
    return Prices(
        environment=Environment.SIMULATOR,
        source="lmp_ingest/a",
        time=AT,
        id="prices/RTM/20261013T141000Z/0123456789abcdef",
        stream=STREAM,
        seq=3,
        market="RTM",
        market_seq=1,
        interval_start=AT,
        interval_end=AT + timedelta(seconds=300),
        fetched_at=AT - timedelta(seconds=60),
        chunk=1,
        chunks=1,
        nodes=("TH_NP15_GEN-APND", "BAYSHOR2_1_N001"),
        lmp_usd_per_mwh=(36.96, -4.88685),
        energy_usd_per_mwh=(37.5, 37.5),
        congestion_usd_per_mwh=(0.0, -42.0),
        loss_usd_per_mwh=(-0.54, -0.38685),
        ghg_usd_per_mwh=(None, 0.0),
    )


def lmp() -> Lmp:
    """The state of one node of `prices`."""
    active = NodePrice(
        interval_start=AT,
        interval_end=AT + timedelta(seconds=300),
        fetched_at=AT - timedelta(seconds=60),
        lmp_usd_per_mwh=36.96,
        energy_usd_per_mwh=37.5,
        congestion_usd_per_mwh=0.0,
        loss_usd_per_mwh=-0.54,
        ghg_usd_per_mwh=None,
    )
    published = NodePrice(
        interval_start=AT + timedelta(seconds=300),
        interval_end=AT + timedelta(seconds=600),
        fetched_at=AT - timedelta(seconds=60),
        lmp_usd_per_mwh=40.0,
    )
    return Lmp(
        environment=Environment.SIMULATOR,
        source="lmp_ingest/a",
        time=AT,
        market="RTM",
        node="TH_NP15_GEN-APND",
        heard_at=AT,
        valid_until=AT + timedelta(seconds=900),
        published=published,
        active=active,
        ahead=(published,),
    )


def service_status() -> ServiceStatus:
    """An ingest that is there and hears CAISO."""
    return ServiceStatus(
        environment=Environment.SIMULATOR,
        source="ads_ingest/a",
        time=AT,
        service="ads_ingest",
        instance="a",
        online=True,
        started_at=AT - timedelta(days=1),
        software_version="0.1.0",
        upstreams=(
            Upstream(
                name="ads_dispatch",
                ok=True,
                last_ok_at=AT - timedelta(seconds=3),
                last_error="time-out after 30 s",
                last_error_at=AT - timedelta(hours=3),
                failures_in_a_row=0,
                clock_offset_s=0.2,
            ),
        ),
        outbox=OutboxSpan(stream=STREAM, first_seq=1, last_seq=2, unpublished=0),
        cursors={"dispatch": BATCH_UID, "trajectory": TRAJECTORY_UID},
        certificate_days_left=211.5,
    )


def stream_state() -> StreamState:
    """Where `service_status` is with its events."""
    return StreamState(environment=Environment.SIMULATOR, source="ads_ingest/a", time=AT, stream=STREAM, last_seq=2)


def upstream_gap() -> UpstreamGap:
    """Thirty hours without CAISO."""
    return UpstreamGap(
        environment=Environment.SIMULATOR,
        source="ads_ingest/a",
        time=AT,
        id="gap/3f1c9d0a5b7e4826af10c2d94e6b8735",
        stream=STREAM,
        seq=4,
        upstream="ads_dispatch",
        account="north",
        missing_from=AT - timedelta(hours=30),
        missing_until=AT - timedelta(hours=24),
        detail="CAISO was not heard for longer than it keeps batches: dispatch batches of 2026-10-12T08:10:00Z to "
        "2026-10-12T14:10:00Z are missing",
    )


def replay_request() -> ReplayRequest:
    """A historian that misses three events."""
    return ReplayRequest(
        environment=Environment.SIMULATOR,
        source="historian/a",
        time=AT,
        stream=STREAM,
        first_seq=1,
        last_seq=4,
        ranges=((1, 2), (4, 4)),
    )


def replay_reply() -> ReplayReply:
    """Two of them could be sent again."""
    return ReplayReply(
        environment=Environment.SIMULATOR,
        source="ads_ingest/a",
        time=AT,
        stream=STREAM,
        first_seq=1,
        last_seq=4,
        ranges=((1, 2), (4, 4)),
        sent=2,
        lost=((1, 1),),
        oldest_seq=2,
        detail="2 of 3 sent, 1 is kept no more",
    )


def backfill_request() -> BackfillRequest:
    """A month of one node, day-ahead."""
    return BackfillRequest(
        environment=Environment.SIMULATOR,
        source="lmp-ingest/console",
        time=AT,
        request_id="9c1f60d27a4be835",
        market="DAM",
        nodes=("TH_NP15_GEN-APND",),
        start=datetime(2026, 9, 1, 7, tzinfo=UTC),
        end=datetime(2026, 10, 1, 7, tzinfo=UTC),
    )


def backfill_reply() -> BackfillReply:
    """It was taken."""
    return BackfillReply(
        environment=Environment.SIMULATOR,
        source="lmp_ingest/a",
        time=AT,
        request_id="9c1f60d27a4be835",
        outcome="taken",
        detail="1 request to CAISO, done while nothing else is to be asked",
    )


def reload_request() -> ReloadRequest:
    """An operator has changed a register."""
    return ReloadRequest(environment=Environment.SIMULATOR, source="dotbus/console", time=AT, request_id="4b7d09a15ec2f683")


def reload_reply() -> ReloadReply:
    """It is in force."""
    return ReloadReply(
        environment=Environment.SIMULATOR,
        source="modbus_gateway/a",
        time=AT,
        request_id="4b7d09a15ec2f683",
        outcome="taken",
        detail="registers say something else than before",
        changes=(
            "unit 20, holding 0: dot_mw SOLAR float32 big nan -> dot_mw SOLAR int16 times 10.0 nan",
            "unit 20: map_hash 1711276032 -> map_hash 734003201, 1 addresses say something else",
        ),
    )


def backfill() -> Backfill:
    """A month that is done but for an hour."""
    return Backfill(
        request_id="9c1f60d27a4be835",
        market="DAM",
        nodes=("TH_NP15_GEN-APND",),
        start=datetime(2026, 9, 1, 7, tzinfo=UTC),
        end=datetime(2026, 10, 1, 7, tzinfo=UTC),
        requested_at=AT,
        requests=1,
        requests_done=1,
        prices=719,
        missing=((datetime(2026, 9, 3, 8, tzinfo=UTC), datetime(2026, 9, 3, 9, tzinfo=UTC)),),
        ended_at=AT + timedelta(seconds=7),
    )


def respond() -> InstructionResponse:
    """An operator accepts part of an instruction."""
    return InstructionResponse(
        environment=Environment.SIMULATOR,
        source="console/a",
        time=AT,
        batch_uid=HOURLY_UID,
        instruction_uid=f"{HOURLY_UID}-I0",
        action=InstructionAction.PARTIAL,
        accept_dot_mw=6.0,
        reason_code=13,
        requested_by="plant operator",
        asked_by="CN=scada-1,O=Sierra",
        asked_from="10.20.0.5",
        command_id="5f0c1b7e-4c1d-4f0b-9a33-1f2f6f0f7a10",
        expires_at=AT + timedelta(seconds=60),
    )


def respond_reply() -> InstructionResponseReply:
    """CAISO takes it."""
    return InstructionResponseReply(
        environment=Environment.SIMULATOR,
        source="ads_ingest/a",
        time=AT,
        batch_uid=HOURLY_UID,
        instruction_uid=f"{HOURLY_UID}-I0",
        result_code=0,
        detail="CAISO has taken the answer",
        outcome="taken",
        command_id="5f0c1b7e-4c1d-4f0b-9a33-1f2f6f0f7a10",
    )


def answered() -> InstructionAnswered:
    """The same as it is kept."""
    return InstructionAnswered(
        environment=Environment.SIMULATOR,
        source="ads_ingest/a",
        time=AT + timedelta(seconds=1),
        id="response/0f1e2d3c4b5a69788796a5b4c3d2e1f0/result",
        stream=STREAM,
        seq=3,
        plant="sierra",
        response_seq=2,
        resource_id="TEST_RESOURCE_1",
        command_id="5f0c1b7e-4c1d-4f0b-9a33-1f2f6f0f7a10",
        action="partial",
        batch_uid=HOURLY_UID,
        instruction_uid=f"{HOURLY_UID}-I0",
        accept_dot_mw=6.0,
        reason_code=13,
        requested_by="plant operator",
        requested_from="console/a",
        requested_at=AT,
        asked_by="CN=scada-1,O=Sierra",
        asked_from="10.20.0.5",
        outcome="taken",
        result_code=0,
        detail="CAISO has taken the answer",
    )


def telemetry() -> Telemetry:
    """A gateway says what SCADA wrote: 48.2 MW, more than the resource can deliver."""
    return Telemetry(
        environment=Environment.SIMULATOR,
        source="modbus_gateway/sierra",
        time=AT + timedelta(seconds=120.4),
        plant="sierra",
        resource_id="TEST_RESOURCE_1",
        point="actual_mw",
        value=48.2,
        unit="MW",
        quality=64,
        reasons=("out_of_limits",),
        measured_at=AT + timedelta(seconds=120),
        valid_until=AT + timedelta(seconds=210.4),
        written_by="CN=scada-1,O=Sierra",
        written_from="10.20.0.5",
    )


def written() -> PointWritten:
    """A gateway refused what SCADA wrote."""
    return PointWritten(
        environment=Environment.SIMULATOR,
        source="modbus_gateway/sierra",
        time=AT + timedelta(seconds=180),
        id="write/6a1f0c3b2d4e4f5a8b7c9d0e1f2a3b4c",
        stream=STREAM,
        seq=1,
        plant="sierra",
        write_seq=1,
        resource_id="TEST_RESOURCE_1",
        point="available_mw",
        unit="MW",
        old_value=40.0,
        new_value=400.0,
        writes=3,
        written_at=AT + timedelta(seconds=179),
        outcome="refused",
        refused_by="limits",
        detail="400 MW is above the 50 MW that may be written there",
        written_by="CN=scada-1,O=Sierra",
        written_from="10.20.0.5",
    )


ALARM_TEXT = "the DOT of TEST_RESOURCE_1 is stale: CAISO was not heard for 95 s"


def alarm_status() -> AlarmStatus:
    """A DOT that grew stale is shelved by the operator while CAISO works on its side."""
    return AlarmStatus(
        environment=Environment.SIMULATOR,
        source="alarms/main",
        time=AT + timedelta(seconds=240),
        plant="sierra",
        about="TEST_RESOURCE_1",
        rule="dot-stale",
        code=11,
        priority=AlarmPriority.CRITICAL,
        state=AlarmState.SHELVED,
        is_active=True,
        text=ALARM_TEXT,
        next_step="ask CAISO's operator by telephone what holds; see `dotbus status` for what is not heard",
        value=95.0,
        threshold=90.0,
        unit="s",
        changes=3,
        changed_at=AT + timedelta(seconds=240),
        raised_at=AT + timedelta(seconds=120),
        returned_at=AT - timedelta(hours=7),
        acknowledged_at=AT + timedelta(seconds=150),
        acknowledged_by="M. Ortiz",
        shelved_until=AT + timedelta(seconds=240 + 1800),
        shelved_by="M. Ortiz",
        comment="CAISO works on ADS until 15:00",
    )


def alarm_changed() -> AlarmChanged:
    """The same as an event: it was shelved."""
    return AlarmChanged(
        environment=Environment.SIMULATOR,
        source="alarms/main",
        time=AT + timedelta(seconds=240),
        id="alarm/3f2504e04f8911d39a0c0305e82c3301",
        stream=STREAM,
        seq=3,
        plant="sierra",
        alarm_seq=3,
        about="TEST_RESOURCE_1",
        rule="dot-stale",
        code=11,
        priority=AlarmPriority.CRITICAL,
        what="shelved",
        state_before=AlarmState.ACKNOWLEDGED,
        state=AlarmState.SHELVED,
        is_active=True,
        text=ALARM_TEXT,
        value=95.0,
        threshold=90.0,
        unit="s",
        changed_at=AT + timedelta(seconds=240),
        changed_by="M. Ortiz",
        comment="CAISO works on ADS until 15:00",
        command_id="0d9a5c51-6bd5-45f3-a1f6-6c3f1f0d5b18",
        shelved_until=AT + timedelta(seconds=240 + 1800),
    )


def alarm_summary() -> AlarmSummary:
    """One alarm of high priority that nobody has acknowledged, and one that is shelved."""
    none = {priority: AlarmCount(priority=priority, unacknowledged=0, active=0) for priority in AlarmPriority}
    high = AlarmCount(priority=AlarmPriority.HIGH, unacknowledged=1, active=1)
    return AlarmSummary(
        environment=Environment.SIMULATOR,
        source="alarms/main",
        time=AT + timedelta(seconds=240),
        plant="sierra",
        counts=tuple((none | {AlarmPriority.HIGH: high}).values()),
        shelved=1,
        suppressed=0,
        newest_code=13,
        newest_raised_at=AT + timedelta(seconds=200),
        raised_in_10_min=2,
        is_flood=False,
        valid_until=AT + timedelta(seconds=300),
    )


def alarm_command() -> AlarmCommand:
    """An operator shelves an alarm for half an hour."""
    return AlarmCommand(
        environment=Environment.SIMULATOR,
        source="console/main",
        time=AT + timedelta(seconds=239),
        action=AlarmAction.SHELVE,
        requested_by="M. Ortiz",
        comment="CAISO works on ADS until 15:00",
        shelve_min=30.0,
        raised_at=AT + timedelta(seconds=120),
        command_id="0d9a5c51-6bd5-45f3-a1f6-6c3f1f0d5b18",
        expires_at=AT + timedelta(seconds=299),
    )


def alarm_command_reply() -> AlarmCommandReply:
    """It is shelved."""
    return AlarmCommandReply(
        environment=Environment.SIMULATOR,
        source="alarms/main",
        time=AT + timedelta(seconds=240),
        command_id="0d9a5c51-6bd5-45f3-a1f6-6c3f1f0d5b18",
        outcome="taken",
        detail="shelved until 2026-10-13T14:44:00Z",
        state=AlarmState.SHELVED,
    )


def every_message() -> tuple[AnyMessage, ...]:
    """One of each kind."""
    return (
        dispatch(),
        trajectory_batch(),
        dot(),
        trajectory(),
        instructions(),
        respond(),
        respond_reply(),
        answered(),
        telemetry(),
        written(),
        prices(),
        lmp(),
        service_status(),
        stream_state(),
        upstream_gap(),
        replay_request(),
        replay_reply(),
        backfill_request(),
        backfill_reply(),
        reload_request(),
        reload_reply(),
        alarm_status(),
        alarm_changed(),
        alarm_summary(),
        alarm_command(),
        alarm_command_reply(),
    )
