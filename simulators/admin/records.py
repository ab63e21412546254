"""What ADS has sent, as the plain records that the administrative requests answer with. Pure."""

from datetime import UTC, datetime

from simulators.ads.answers import Answered
from simulators.ads.records import DispatchBatch, Instruction, TrajectoryBatch


def sent_batch(batch: DispatchBatch) -> dict[str, object]:
    """A dispatch batch in its newest revision."""
    return {
        "batch_uid": batch.batch_uid,
        "revision_no": batch.revision_no,
        "batch_status": int(batch.batch_status),
        "batch_type": int(batch.batch_type),
        "start_at": utc_text(batch.start_at),
        "interval_s": batch.interval_s,
        "received_at": utc_text(batch.received_at),
        "instructions": [_sent_instruction(each) for each in batch.instructions],
    }


def _sent_instruction(each: Instruction) -> dict[str, object]:
    return {
        "instruction_uid": each.instruction_uid,
        "resource_id": each.resource_id,
        "instruction_type": int(each.instruction_type),
        "dot_mw": each.dot_mw,
        "target_at": utc_text(each.start_at),
        "end_at": None if each.end_at is None else utc_text(each.end_at),
        "supp_mw": each.supp_mw,
        "revision_number": each.revision_number,
        "status_code": int(each.status_code),
        "min_accept_mw": each.min_accept_mw,
        "accept_dot_mw": each.accept_dot_mw,
        "accept_status": each.accept_status,
        "reason_code": each.reason_code,
        "responder": each.responder,
        "api_validated_by": each.api_validated_by,
        "as_type": each.as_type,
        "award_mw": each.award_mw,
        "configuration_id": each.configuration_id,
        "transition_from_config_id": each.transition_from_config_id,
        "transition_to_config_id": each.transition_to_config_id,
    }


def sent_trajectory(batch: TrajectoryBatch) -> dict[str, object]:
    """A trajectory batch."""
    return {
        "batch_uid": batch.batch_uid,
        "received_at": utc_text(batch.received_at),
        "dops": [
            {
                "dop_uid": dop.dop_uid,
                "resource_id": dop.resource_id,
                "dop_mw": dop.dop_mw,
                "target_at": utc_text(dop.target_at),
                "sequence_number": dop.sequence_number,
                "configuration_id": dop.configuration_id,
            }
            for dop in batch.dops
        ],
        "compliance": [
            {
                "compliance_uid": each.compliance_uid,
                "resource_id": each.resource_id,
                "start_at": utc_text(each.start_at),
                "expected_mwh": each.expected_mwh,
                "compliance_flag": each.compliance_flag,
                "configuration_id": each.configuration_id,
            }
            for each in batch.compliance
        ],
    }


def answered_call(each: Answered) -> dict[str, object]:
    """A call of the response service."""
    return {
        "answered_at": utc_text(each.answered_at),
        "client": each.client,
        "operation": each.operation,
        "batch_uid": each.batch_uid,
        "instruction_uid": each.instruction_uid,
        "accept_dot_mw": each.accept_dot_mw,
        "reason_code": each.reason_code,
        "result_code": int(each.result_code),
    }


def utc_text(at: datetime) -> str:
    """A time in ISO 8601, UTC with Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
