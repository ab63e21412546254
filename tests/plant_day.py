"""What a plant was told in the course of a day, event by event, for tests of what the API says of it."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

from ads_replies import MEGABYTE, answer, sample
from historian_parts import replace

from ads_ingest.translate import Sender, translate_dispatch, translate_trajectory
from caiso.ads.documents import parse_dispatch_batch, parse_trajectories
from dotbus.contracts.messages import (
    Dispatch,
    DispatchBatchHeader,
    Dop,
    Instruction,
    ServiceStatus,
    TrajectoryBatch,
    TrajectoryBatchHeader,
    Upstream,
)
from dotbus.runtime.installation.installation import Installation
from dotbus.testing import samples

ONE, TWO = "TEST_RESOURCE_1", "TEST_RESOURCE_2"
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)
FIVE = 5 * MINUTE


def told(
    seq: int, start: datetime, dot_mw: float | None, *, at: datetime | None = None, minutes: int = 5, **header: Any
) -> Dispatch:
    """A batch of one DOT, told (and received by CAISO) at a time, two minutes before its interval unless given."""
    told_at, resource = at or start - 2 * MINUTE, header.pop("resource_id", ONE)
    plant = header.pop("plant", "sierra" if resource == ONE else "mesa")
    mine = header.keys() & set(Instruction.__struct_fields__) - {"batch_uid"}
    of_instruction = {name: header.pop(name) for name in mine}
    fields = {"batch_uid": f"B{seq}", "batch_type": 0, "batch_status": 1, "revision_no": 1, "start_at": start} | header
    batch = DispatchBatchHeader(**{"batch_received_at": told_at, **fields})
    one = Instruction(
        **{
            "instruction_uid": f"{batch.batch_uid}-I0",
            "resource_id": resource,
            "instruction_type": 0,
            "end_at": start + minutes * MINUTE,
            "dot_mw": dot_mw,
            **of_instruction,
        }
    )
    return replace(
        samples.dispatch(),
        id=f"dispatch-{seq}",
        seq=seq,
        plant_seq=None,
        time=told_at,
        plant=plant,
        resource_id=resource,
        batch=batch,
        instructions=() if header.get("batch_status") == 4 else (one,),
    )


def curve(seq: int, *points: tuple[datetime, float], at: datetime, **header: Any) -> TrajectoryBatch:
    """A trajectory batch, told at a time."""
    uid = f"T{seq}"
    dops = tuple(
        Dop(dop_uid=f"{uid}-D{number}", dop_mw=mw, target_at=target, sequence_number=number)
        for number, (target, mw) in enumerate(points)
    )
    batch = TrajectoryBatchHeader(**{"batch_uid": uid, "batch_received_at": at, **header})
    sample = samples.trajectory_batch()
    return replace(sample, id=uid, seq=seq, plant_seq=None, time=at, batch=batch, dops=dops, compliance=())


def heard(
    since: datetime, until: datetime, *, online: bool = True, is_ok: bool = True, instance: str = "a"
) -> list[ServiceStatus]:
    """The first and the last heartbeat of a time in which a source said the same of itself."""
    names = ("ads_dispatch", "ads_trajectory")
    upstreams = tuple(Upstream(name=name, ok=is_ok, last_error=None if is_ok else "time-out") for name in names)
    changes = {"source": f"ads_ingest/{instance}", "instance": instance, "online": online, "upstreams": upstreams}
    first = replace(samples.service_status(), started_at=since - timedelta(days=1), outbox=None, **changes)
    return [replace(first, time=at, started_at=first.started_at) for at in dict.fromkeys((since, until))]


def samples_of_caiso(installation: Installation) -> Iterator[Dispatch | TrajectoryBatch]:
    """CAISO's own sample documents as ads_ingest tells them."""
    sender = Sender(installation, "ads_ingest/a")
    uid = "DISP-59F16A91-46CA-402B-FFDC-0A090014DA8C"
    at = datetime.fromisoformat("2006-10-13T15:00:00Z")
    document = parse_dispatch_batch(answer(sample("sample-dispatch-batch.xml"), batch_uid=uid), MEGABYTE)
    batches = parse_trajectories(answer(sample("sample-trajectory-data.xml"), "getTrajectoryData"), MEGABYTE).batches
    trajectories = [event for batch in batches for event in translate_trajectory(batch, sender, at)]
    events: Sequence[Dispatch | TrajectoryBatch] = [*translate_dispatch(document, sender, at), *trajectories]
    for seq, event in enumerate(events, 1):
        yield replace(event, stream="of-this-test", seq=seq)
