"""Batches as large as wanted, for clients that must bear them: many resources, many details, many points. Pure."""

from datetime import datetime, timedelta

from simulators.ads.records import (
    BatchStatus,
    BatchType,
    DispatchBatch,
    Dop,
    Instruction,
    InstructionType,
    Segment,
    TrajectoryBatch,
)
from simulators.chance import fraction, guid

_SERVICE_TYPES = ("SCHD", "SUPP", "RMPS", "SPIN", "NSPN", "HASE", "MSS", "TBD")


def large_dispatch(now: datetime, interval_s: int, resources: int, details: int) -> DispatchBatch:
    """A five-minute batch received now for the running interval, with a DOT of so many details to each of so many resources."""
    batch_uid = f"DISP-{guid('scale', now.isoformat(), resources, details)}"
    start_at = now - timedelta(seconds=now.timestamp() % interval_s)
    return DispatchBatch(
        batch_uid=batch_uid,
        market_id="5MinDOT",
        batch_type=BatchType.FIVE_MINUTE,
        batch_status=BatchStatus.CLOSED,
        received_at=now,
        sent_at=now,
        expires_at=now,
        start_at=start_at,
        interval_s=interval_s,
        instructions=tuple(
            Instruction(
                instruction_uid=f"{batch_uid}-I{index}",
                resource_id=made_resource(index),
                instruction_type=InstructionType.DOT,
                start_at=start_at + timedelta(seconds=interval_s / 2),
                dot_mw=_megawatts(batch_uid, index),
                status_code=BatchStatus.CLOSED,
                details=tuple(
                    Segment(_SERVICE_TYPES[number % len(_SERVICE_TYPES)], _megawatts(batch_uid, index, number))
                    for number in range(details)
                ),
            )
            for index in range(resources)
        ),
    )


def large_trajectory(now: datetime, serial: int, resources: int, points: int) -> TrajectoryBatch:
    """A trajectory batch received now, with so many points of each of so many resources, a minute apart from now on."""
    batch_uid = f"TRAJ-{guid('scale', now.isoformat(), serial)}"
    return TrajectoryBatch(
        batch_uid=batch_uid,
        received_at=now,
        sent_at=now,
        dops=tuple(
            Dop(
                dop_uid=f"TRAJ-{guid(batch_uid, index, number)}",
                resource_id=made_resource(index),
                dop_mw=_megawatts(batch_uid, index, number),
                target_at=now + timedelta(minutes=number),
                sequence_number=1,
            )
            for index in range(resources)
            for number in range(points)
        ),
    )


def made_resource(index: int) -> str:
    """The name of a resource that no installation has."""
    return f"SIM{index:05d}_7_UNIT1"


def _megawatts(*name: object) -> float:
    return round(100 * fraction(*name), 2)
