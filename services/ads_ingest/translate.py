"""Translate: CAISO records to messages. Pure.

One event for each batch and resource. What an event says of the time that it holds for is in `intervals`.
"""

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import msgspec

from ads_ingest.records import DispatchDocument, TrajectoryRecord
from dotbus.contracts.messages import Dispatch, Environment, Instruction, TrajectoryBatch
from dotbus.runtime.installation import Installation


@dataclass(frozen=True)
class Sender:
    """Who speaks, for which installation."""

    installation: Installation
    source: str

    @property
    def environment(self) -> Environment:
        """Which CAISO we listen to."""
        return self.installation.environment


def translate_dispatch(
    document: DispatchDocument, sender: Sender, now: datetime, named: Collection[str] = ()
) -> tuple[Dispatch, ...]:
    """One event for each resource in a batch, in the order in which CAISO names them.

    Those that were named before and are not any more come last, with no instruction: for them that is the news.
    """
    by_resource: dict[str, list[Instruction]] = {}
    for instruction in document.instructions:
        by_resource.setdefault(instruction.resource_id, []).append(instruction)
    for resource_id in sorted(named):
        by_resource.setdefault(resource_id, [])
    revision = _revision(document)
    return tuple(
        Dispatch(
            environment=sender.environment,
            source=sender.source,
            time=now,
            id=f"dispatch/{document.header.batch_uid}/{revision}/{resource_id}",
            plant=sender.installation.plant_of(resource_id),
            resource_id=resource_id,
            batch=document.header,
            instructions=tuple(instructions),
        )
        for resource_id, instructions in by_resource.items()
    )


def _revision(document: DispatchDocument) -> str:
    """What tells one state of a batch from another: its revision and status.

    CAISO says that a change of status raises the revision; the status is there for the day when it does not, because an
    emergency cancel that passed for a repetition would be lost. Without a revision the content itself tells.
    """
    header = document.header
    status = "-" if header.batch_status is None else str(header.batch_status)
    if header.revision_no is not None:
        return f"{header.revision_no}.{status}"
    content = msgspec.json.encode((header, document.instructions))
    return f"{hashlib.sha256(content).hexdigest()[:12]}.{status}"


def translate_trajectory(record: TrajectoryRecord, sender: Sender, now: datetime) -> tuple[TrajectoryBatch, ...]:
    """One event for each resource in a trajectory batch."""
    named = [part.resource_id for part in record.dops] + [part.resource_id for part in record.compliance]
    return tuple(
        TrajectoryBatch(
            environment=sender.environment,
            source=sender.source,
            time=now,
            id=f"trajectory/{record.header.batch_uid}/{resource_id}",
            plant=sender.installation.plant_of(resource_id),
            resource_id=resource_id,
            batch=record.header,
            dops=tuple(part.record for part in record.dops if part.resource_id == resource_id),
            compliance=tuple(part.record for part in record.compliance if part.resource_id == resource_id),
        )
        for resource_id in dict.fromkeys(named)
    )
