"""What ADS has sent, as the plain records that the administrative requests answer with. Pure."""

from datetime import UTC, datetime

from simulators.ads.records import DispatchBatch, TrajectoryBatch


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
        "instructions": [
            {
                "instruction_uid": each.instruction_uid,
                "resource_id": each.resource_id,
                "dot_mw": each.dot_mw,
                "target_at": utc_text(each.start_at),
                "supp_mw": each.supp_mw,
                "revision_number": each.revision_number,
                "accept_status": each.accept_status,
                "api_validated_by": each.api_validated_by,
            }
            for each in batch.instructions
        ],
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
            }
            for each in batch.compliance
        ],
    }


def utc_text(at: datetime) -> str:
    """A time in ISO 8601, UTC with Z."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
