from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from ads_replies import MEGABYTE, answer, sample

from ads_ingest.batches.open_batch import is_news
from ads_ingest.translate import Sender, translate_dispatch, translate_trajectory
from caiso.ads import records
from caiso.ads.documents import parse_dispatch_batch, parse_trajectories
from dotbus.contracts.codec import decode, encode
from dotbus.contracts.messages import (
    Compliance,
    Dispatch,
    DispatchBatchHeader,
    Dop,
    Environment,
    Instruction,
    InstructionDetail,
    TrajectoryBatch,
    TrajectoryBatchHeader,
)
from dotbus.runtime.installation.installation import Installation
from dotbus.setpoints.intervals import dot_intervals, open_until, trajectory_points

BATCH = "DISP-59F16A91-46CA-402B-FFDC-0A090014DA8C"
T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SERVICES = ["SCHD", "SUPP", "RMPS", "SPIN", "NSPN", "HASE", "MSS", "TBD"]
INSTALLATION = Installation.model_validate(
    {"environment": "stage", "plant": [{"name": "north", "resource": [{"id": "TEST_RESOURCE_1"}, {"id": "R"}]}]}
)
SENDER = Sender(INSTALLATION, "ads_ingest/test")


def dispatch(*instructions: records.Instruction, **header: object) -> Dispatch:
    fields = {"batch_uid": "B1", "batch_type": 0, "batch_status": 1, "start_at": T0, "revision_no": 1} | header
    (event,) = translate_dispatch(records.DispatchBatch(records.BatchHeader(**fields), instructions), SENDER, T0)  # type: ignore[arg-type]
    return event


def dot(dot_mw: float | None = 10.0, **fields: object) -> records.Instruction:
    return records.Instruction(
        **({"instruction_uid": "I1", "resource_id": "R", "instruction_type": 0, "dot_mw": dot_mw} | fields)
    )  # type: ignore[arg-type]


def test_a_batch_becomes_one_event_for_each_resource_with_all_of_it() -> None:
    document = parse_dispatch_batch(answer(sample("sample-dispatch-batch.xml"), batch_uid=BATCH), MEGABYTE)
    first, second = translate_dispatch(document, SENDER, T0)
    assert (first.resource_id, first.plant, first.environment) == ("TEST_RESOURCE_1", "north", Environment.STAGE)
    assert (second.resource_id, second.plant) == ("TEST_RESOURCE_2", "unassigned")
    assert first.id == f"dispatch/{BATCH}/4.3/TEST_RESOURCE_1"
    assert msgspec.to_builtins(first.batch) == msgspec.to_builtins(document.header)
    assert msgspec.to_builtins(first.instructions) == msgspec.to_builtins(document.instructions[:1])
    assert first.seq == 0, "the outbox gives it"


@pytest.mark.parametrize(
    ("record", "message", "apart"),
    [
        (records.BatchHeader, DispatchBatchHeader, set()),
        (records.Instruction, Instruction, set()),
        (records.InstructionDetail, InstructionDetail, set()),
        (records.TrajectoryHeader, TrajectoryBatchHeader, set()),
        (records.TrajectoryDop, Dop, {"resource_id"}),  # the event names it once for all
        (records.TrajectoryCompliance, Compliance, {"resource_id"}),
    ],
)
def test_no_field_of_caiso_s_records_is_lost_on_the_way_into_a_message(
    record: type[msgspec.Struct], message: type[msgspec.Struct], apart: set[str]
) -> None:
    assert set(record.__struct_fields__) - set(message.__struct_fields__) == apart
    assert set(message.__struct_fields__) <= set(record.__struct_fields__)


def test_an_event_that_has_its_number_can_be_sent_and_read() -> None:
    event = msgspec.structs.replace(dispatch(dot()), seq=1, stream="s")
    assert decode(encode(event)) == event


def test_an_id_tells_each_state_of_a_batch_apart_and_the_same_state_is_the_same() -> None:
    ids = {
        dispatch(dot(), revision_no=1).id,
        dispatch(dot(), revision_no=2).id,
        dispatch(dot(), revision_no=2, batch_status=4).id,
        dispatch(dot(), revision_no=None).id,
        dispatch(dot(11.0), revision_no=None).id,
    }
    assert len(ids) == 5
    assert dispatch(dot(), revision_no=None).id == dispatch(dot(), revision_no=None).id


def test_a_trajectory_batch_becomes_one_event_for_each_resource() -> None:
    listed = parse_trajectories(answer(sample("sample-trajectory-data.xml"), "getTrajectoryData", "-1"), MEGABYTE)
    events = [event for record in listed.batches for event in translate_trajectory(record, SENDER, T0)]
    assert [(event.resource_id, len(event.dops), len(event.compliance)) for event in events] == [
        ("TEST_RESOURCE_1", 0, 1),
        ("TEST_RESOURCE_2", 0, 1),
        ("TEST_RESOURCE_1", 1, 0),
        ("TEST_RESOURCE_2", 1, 0),
    ]
    assert events[2].id == "trajectory/TRAJ-59F16A91-46CA-402B-FFDC-0A090014BB4BE/TEST_RESOURCE_1"
    (point,) = trajectory_points(events[2])
    assert (point.dop_mw, point.target_at) == (16.0, datetime(2006, 10, 13, 15, 8, tzinfo=UTC))
    assert point.batch_received_at == datetime(2006, 10, 13, 15, 8, 36, tzinfo=UTC)


def test_the_sample_dot_is_in_force_for_five_minutes_from_the_start_of_its_batch() -> None:
    document = parse_dispatch_batch(answer(sample("sample-dispatch-batch.xml"), batch_uid=BATCH), MEGABYTE)
    (interval,) = dot_intervals(translate_dispatch(document, SENDER, T0)[0])
    assert interval.interval_start == datetime(2006, 10, 13, 14, 10, tzinfo=UTC)
    assert interval.interval_end == datetime(2006, 10, 13, 14, 15, tzinfo=UTC)
    assert interval.target_at == datetime(2006, 10, 13, 14, 12, 30, tzinfo=UTC)
    assert (interval.dot_mw, interval.supp_mw, interval.must_follow) == (12.0, 0.0, False)
    assert [segment.service_type for segment in interval.segments] == SERVICES


@pytest.mark.parametrize(
    ("instruction", "header", "target_min", "end_min"),
    [
        (dot(start_at=T0 + 2.5 * MINUTE), {}, 2.5, 5),  # as recorded in the field: the target is the middle
        (dot(start_at=T0 + 0.5 * MINUTE), {}, 0.5, 1),  # a market with shorter intervals
        (dot(start_at=T0), {}, 2.5, 5),
        (dot(), {}, 2.5, 5),
        (dot(), {"batch_type": 1}, 30, 60),
        (dot(), {"batch_type": 4}, 2.5, 5),
        (dot(end_at=T0 + 20 * MINUTE), {"batch_type": 4}, 10, 20),
        (dot(start_at=T0 + 15 * MINUTE, end_at=T0 + 20 * MINUTE), {"batch_type": 4}, 15, 20),
        (dot(start_at=T0 + 25 * MINUTE, end_at=T0 + 20 * MINUTE), {"batch_type": 4}, 10, 20),
        (dot(end_at=T0 - MINUTE), {}, 2.5, 5),
    ],
)
def test_interval_and_target(
    instruction: records.Instruction, header: dict[str, object], target_min: float, end_min: float
) -> None:
    (interval,) = dot_intervals(dispatch(instruction, **header))
    assert interval.interval_start == T0
    assert interval.target_at == T0 + target_min * MINUTE
    assert interval.interval_end == T0 + end_min * MINUTE


@pytest.mark.parametrize(
    ("instruction", "header"),
    [
        (dot(None), {}),
        (dot(instruction_type=1), {}),
        (dot(instruction_type=None), {}),
        (dot(status_code=4), {}),
        (dot(), {"batch_status": 4}),
        (dot(), {"batch_type": 2}),
        (dot(), {"batch_type": 10}),
        (dot(), {"batch_type": None}),
        (dot(), {"binding_flag": "N"}),
        (dot(), {"start_at": None}),
    ],
)
def test_what_is_no_dot_or_is_cancelled_or_advisory_is_never_in_force(
    instruction: records.Instruction, header: dict[str, object]
) -> None:
    assert dot_intervals(dispatch(instruction, **header)) == ()


def test_of_two_states_of_one_instruction_the_higher_revision_counts() -> None:
    newer, older = dot(20.0, revision_number=3), dot(10.0, revision_number=2)
    for both in ((newer, older), (older, newer)):
        (interval,) = dot_intervals(dispatch(*both))
        assert interval.dot_mw == 20.0


@pytest.mark.parametrize(
    ("extra", "supp_mw", "expected"),
    [
        ({}, None, None),
        ({}, -1.0, True),
        ({}, 0.0, False),
        ({"followDotFlag": "Y"}, None, True),
        ({"FOLLOWDOTFLAG": "no"}, -5.0, False),
        ({"followDotFlag": "perhaps"}, -5.0, True),
        ({"unrelatedFlag": "Y"}, None, None),
    ],
)
def test_a_variable_resource_must_follow_when_caiso_says_so(
    extra: dict[str, str],
    supp_mw: float | None,
    expected: bool | None,  # noqa: FBT001  # what is expected
) -> None:
    details = () if supp_mw is None else (InstructionDetail(seg_no=1, service_type="SUPP", segment_mw=supp_mw),)
    (interval,) = dot_intervals(dispatch(dot(extra=extra, details=details)))
    assert interval.must_follow is expected
    assert interval.supp_mw == supp_mw


def test_a_batch_without_its_time_of_receipt_counts_from_when_it_was_sent_or_heard() -> None:
    (interval,) = dot_intervals(dispatch(dot(), batch_sent_at=T0 - MINUTE))
    assert interval.batch_received_at == T0 - MINUTE
    (interval,) = dot_intervals(dispatch(dot()))
    assert interval.batch_received_at == T0


def test_a_batch_is_news_when_its_revision_rises_or_its_status_changes() -> None:
    def header(revision_no: int | None, status: int | None) -> DispatchBatchHeader:
        return DispatchBatchHeader(batch_uid="B1", revision_no=revision_no, batch_status=status)

    known = header(4, 1)
    assert is_news(header(4, 1), None)
    assert not is_news(header(4, 1), known)
    assert is_news(header(5, 1), known)
    assert is_news(header(4, 4), known)
    assert not is_news(header(3, 4), known)
    assert is_news(header(None, 4), header(None, 1))
    assert not is_news(header(None, 1), header(None, 1))


def test_a_batch_is_open_until_the_last_of_its_instructions_ends() -> None:
    header = DispatchBatchHeader(batch_uid="B1", batch_type=0, start_at=T0)
    assert open_until(header) == T0 + 5 * MINUTE
    assert open_until(header, [dot(end_at=T0 + 90 * MINUTE), dot()]) == T0 + 90 * MINUTE
    assert open_until(DispatchBatchHeader(batch_uid="B1")) is None


def test_points_without_time_or_megawatts_and_advisory_batches_are_not_on_the_curve() -> None:
    listed = parse_trajectories(answer(sample("sample-trajectory-data.xml"), "getTrajectoryData", "-1"), MEGABYTE)
    (event, _other) = translate_trajectory(listed.batches[1], SENDER, T0)
    assert len(trajectory_points(event)) == 1

    def changed(**fields: object) -> TrajectoryBatch:
        return msgspec.structs.replace(event, dops=tuple(msgspec.structs.replace(dop, **fields) for dop in event.dops))

    assert trajectory_points(changed(dop_mw=None)) == ()
    assert trajectory_points(changed(target_at=None)) == ()
    advisory = msgspec.structs.replace(event, batch=msgspec.structs.replace(event.batch, binding_flag="N"))
    assert trajectory_points(advisory) == ()
