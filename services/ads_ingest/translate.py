"""Translate: CAISO records to messages. Pure.

One event for each batch and resource. A record becomes the message whose fields have the names of its own. What an event says
of the time that it holds for is in `intervals`.
"""

import hashlib
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import msgspec

from caiso.ads import records
from dotbus.contracts.messages import (
    Compliance,
    Dispatch,
    DispatchBatchHeader,
    Dop,
    Environment,
    Instruction,
    TrajectoryBatch,
    TrajectoryBatchHeader,
)
from dotbus.runtime.installation.installation import Installation

M = TypeVar("M", bound=msgspec.Struct)
P = TypeVar("P", Dop, Compliance)


@dataclass(frozen=True)
class Sender:
    """Who speaks, for which installation."""

    installation: Installation
    source: str

    @property
    def environment(self) -> Environment:
        """Which CAISO we listen to."""
        return self.installation.environment

    def dot_topic(self, resource_id: str) -> str:
        """Where the DOTs of a resource are said."""
        return self.installation.topics.dot(self.installation.plant_of(resource_id), resource_id)

    def trajectory_topic(self, resource_id: str) -> str:
        """Where the curve of a resource is said."""
        return self.installation.topics.trajectory(self.installation.plant_of(resource_id), resource_id)

    def instructions_topic(self, resource_id: str) -> str:
        """Where all else that a resource is instructed is said."""
        return self.installation.topics.instructions(self.installation.plant_of(resource_id), resource_id)


def translate_header(header: records.BatchHeader) -> DispatchBatchHeader:
    """What CAISO says of a batch, as the contract says it."""
    return _as_message(header, DispatchBatchHeader)


def translate_dispatch(
    document: records.DispatchBatch, sender: Sender, now: datetime, gone: Collection[str] = ()
) -> tuple[Dispatch, ...]:
    """One event for each resource in a batch, in the order in which CAISO names them.

    Those that were named before and are gone come last, with no instruction: for them that is the news. Their ids say so, lest
    what is told of a resource that is not named passes for what an account is told that sees it.
    """
    header = translate_header(document.header)
    instructions = msgspec.convert(document.instructions, tuple[Instruction, ...], from_attributes=True)
    by_resource: dict[str, list[Instruction]] = {}
    for instruction in instructions:
        by_resource.setdefault(instruction.resource_id, []).append(instruction)
    for resource_id in sorted(gone):
        by_resource.setdefault(resource_id, [])
    revision = _revision(header, instructions)
    return tuple(
        Dispatch(
            environment=sender.environment,
            source=sender.source,
            time=now,
            id=f"dispatch/{header.batch_uid}/{revision}/{resource_id}" + ("" if own else "/unnamed"),
            plant=sender.installation.plant_of(resource_id),
            resource_id=resource_id,
            batch=header,
            instructions=tuple(own),
        )
        for resource_id, own in by_resource.items()
    )


def _revision(header: DispatchBatchHeader, instructions: tuple[Instruction, ...]) -> str:
    """What tells one state of a batch from another: its revision and status.

    CAISO says that a change of status raises the revision; the status is there for the day when it does not, because an
    emergency cancel that passed for a repetition would be lost. Without a revision the content itself tells.
    """
    status = "-" if header.batch_status is None else str(header.batch_status)
    if header.revision_no is not None:
        return f"{header.revision_no}.{status}"
    content = msgspec.json.encode((header, instructions))
    return f"{hashlib.sha256(content).hexdigest()[:12]}.{status}"


def translate_trajectory(record: records.TrajectoryBatch, sender: Sender, now: datetime) -> tuple[TrajectoryBatch, ...]:
    """One event for each resource in a trajectory batch."""
    header = _as_message(record.header, TrajectoryBatchHeader)
    dops, compliance = _by_resource(record.dops, Dop), _by_resource(record.compliance, Compliance)
    return tuple(
        TrajectoryBatch(
            environment=sender.environment,
            source=sender.source,
            time=now,
            id=f"trajectory/{header.batch_uid}/{resource_id}",
            plant=sender.installation.plant_of(resource_id),
            resource_id=resource_id,
            batch=header,
            dops=tuple(dops.get(resource_id, ())),
            compliance=tuple(compliance.get(resource_id, ())),
        )
        for resource_id in {**dops, **compliance}
    )


def _by_resource(parts: Iterable[records.TrajectoryDop | records.TrajectoryCompliance], kind: type[P]) -> dict[str, list[P]]:
    """What is said of each resource, in the order in which CAISO names them."""
    found: dict[str, list[P]] = {}
    for part in parts:
        found.setdefault(part.resource_id, []).append(_as_message(part, kind))
    return found


def _as_message(record: msgspec.Struct, kind: type[M]) -> M:
    return msgspec.convert(record, kind, from_attributes=True)
