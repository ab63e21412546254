"""CAISO records: what was asked of ADS, what came back, and its documents before they are taken apart by resource.

The parts of a document are the contract's own structs wherever ADS and the contract say the same thing, so that no element is
named twice. `problems` are parts that had to be left out because they lack the identity without which nobody can be told of
them; the rest of the document stands.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from dotbus.contracts.messages import Compliance, DispatchBatchHeader, Dop, Instruction, TrajectoryBatchHeader

T = TypeVar("T")

WHOLE_CACHE = "-1"
"""Asked for what came since this UID, ADS gives all that it has: the last 24 hours (specification, 2.1)."""


@dataclass(frozen=True)
class Question:
    """One operation of the ADS web service and the batch UID that it is asked about."""

    operation: str
    batch_uid: str

    def __str__(self) -> str:
        return f"{self.operation}({self.batch_uid})"


@dataclass(frozen=True)
class Reply:
    """The bytes that answered a question. `clock_offset_s` is CAISO's Date minus our clock, None when it said none."""

    question: Question
    status: int
    body: bytes
    clock_offset_s: float | None = None


@dataclass(frozen=True)
class OfResource(Generic[T]):
    """A record and the resource that CAISO names in it."""

    resource_id: str
    record: T


@dataclass(frozen=True)
class DispatchDocument:
    """A DispatchBatch with its instructions, and the XML it was read from."""

    header: DispatchBatchHeader
    instructions: tuple[Instruction, ...] = ()
    problems: tuple[str, ...] = ()
    xml: bytes = b""


@dataclass(frozen=True)
class DispatchList:
    """An APIDispatchResponse: headers in the order in which ADS received the batches, and the XML they were read from."""

    headers: tuple[DispatchBatchHeader, ...] = ()
    problems: tuple[str, ...] = ()
    xml: bytes = b""


@dataclass(frozen=True)
class TrajectoryRecord:
    """A trajectoryBatch with the points and compliance records of every resource in it."""

    header: TrajectoryBatchHeader
    dops: tuple[OfResource[Dop], ...] = ()
    compliance: tuple[OfResource[Compliance], ...] = ()


@dataclass(frozen=True)
class TrajectoryList:
    """An APITrajectoryResponse, and the XML it was read from."""

    batches: tuple[TrajectoryRecord, ...] = ()
    problems: tuple[str, ...] = ()
    xml: bytes = b""
