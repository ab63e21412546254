"""Load following of metered subsystems: the two documents of submitMSSLFRequest (specification, 2.8). Pure."""

import math
from dataclasses import dataclass, field
from datetime import datetime
from xml.sax.saxutils import escape, quoteattr

from caiso.ads import schema
from caiso.ads.fields import FieldReader, judging
from caiso.ads.records import Extra, Reply
from caiso.ads.soap import read_document
from caiso.ads.xml import descendants, read_xml


@dataclass(frozen=True)
class LoadFollowingInstruction:
    """One MSSLFInstructionRequest.

    Attributes:
        sc_batch_id: the batch, by the scheduling coordinator's name (scMSSBatchId).
        sc_instruction_id: the instruction, by the scheduling coordinator's name (scMSSLFInstructionId).
        resource_id: the resource by CAISO's Master File name.
        start_at: the start of the time to follow.
        end_at: its end.
        load_following_mw: megawatts to follow up (positive) or down.
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    sc_batch_id: str | None = None
    sc_instruction_id: str | None = None
    resource_id: str | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    load_following_mw: float | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class LoadFollowingRequest:
    """An MSSLFRequest.

    Attributes:
        sc_batch_id: the scheduling coordinator's name of it (scMSSBatchId).
        instructions: in their order.
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    sc_batch_id: str | None = None
    instructions: tuple[LoadFollowingInstruction, ...] = ()
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class LoadFollowingResult:
    """One MSSLFInstructionResponse: whether CAISO took the instruction, and under which identifier.

    Attributes:
        caiso_batch_id: CAISO's name of the batch (caisoMSSBatchId).
        caiso_instruction_id: CAISO's name of the instruction (caisoMSSLFInstructionId).
        sc_batch_id: the scheduling coordinator's (scMSSBatchId).
        sc_instruction_id: the scheduling coordinator's (scMSSLFInstructionId).
        validated: whether the instruction is valid, and was passed on.
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    caiso_batch_id: str | None = None
    caiso_instruction_id: str | None = None
    sc_batch_id: str | None = None
    sc_instruction_id: str | None = None
    validated: bool | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class LoadFollowingResponse:
    """An MSSLFResponse.

    Attributes:
        caiso_batch_id: CAISO's name of the batch (caisoMSSBatchId).
        sc_batch_id: the scheduling coordinator's (scMSSBatchId).
        results: of each instruction.
        extra: elements that this version does not know, by CAISO's name, as text.
    """

    caiso_batch_id: str | None = None
    sc_batch_id: str | None = None
    results: tuple[LoadFollowingResult, ...] = ()
    extra: Extra = field(default_factory=dict)


def write_load_following_request(request: LoadFollowingRequest, namespace: str) -> str:
    """An MSSLFRequest document in a namespace; what a record leaves open is left out.

    Raises:
        ValueError: megawatts are no number, or a time has no zone.
    """
    inside = "".join(
        f"<MSSLFInstructionRequest>{_elements(each, schema.MSS_INSTRUCTION_REQUEST)}</MSSLFInstructionRequest>"
        for each in request.instructions
    )
    return (
        f"<MSSLFRequest xmlns={quoteattr(namespace)}>{_elements(request, schema.MSS_REQUEST)}"
        f"<mssLFInstructionRequests>{inside}</mssLFInstructionRequests></MSSLFRequest>"
    )


def _elements(record: LoadFollowingRequest | LoadFollowingInstruction, table: schema.Table) -> str:
    values = ((name, getattr(record, field)) for name, (field, _read) in table.items())
    return "".join(f"<{name}>{escape(_text(value))}</{name}>" for name, value in values if value is not None)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value.isoformat()} has no zone, and could be any hour")
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no number of megawatts")
    return str(value)


def parse_load_following_request(xml: bytes) -> LoadFollowingRequest:
    """An MSSLFRequest as it is submitted.

    Raises:
        NotThisDocument: it is none.
    """
    root = read_xml(xml, "MSSLFRequest")
    parts = {"mssLFInstructionRequests": "MSSLFInstructionRequest"}
    of_instruction = FieldReader(schema.MSS_INSTRUCTION_REQUEST)
    instructions = (
        LoadFollowingInstruction(**of_instruction.read(each)) for each in descendants(root, "MSSLFInstructionRequest")
    )
    return LoadFollowingRequest(**FieldReader(schema.MSS_REQUEST, parts=parts).read(root), instructions=tuple(instructions))


def parse_load_following_response(reply: Reply, max_bytes: int) -> LoadFollowingResponse:
    """CAISO's answer to a submitted request; failures as in `parse`."""
    with judging(reply):
        root = read_xml(read_document(reply, "MSSLFResponse", max_bytes), "MSSLFResponse")
        parts = {"mssLFInstructionResponses": "MSSLFInstructionResponse"}
        of_result = FieldReader(schema.MSS_INSTRUCTION_RESPONSE)
        results = (LoadFollowingResult(**of_result.read(each)) for each in descendants(root, "MSSLFInstructionResponse"))
        return LoadFollowingResponse(**FieldReader(schema.MSS_RESPONSE, parts=parts).read(root), results=tuple(results))
