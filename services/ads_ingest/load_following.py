"""Load following: the two documents of submitMSSLFRequest (specification, 2.8). Pure.

Only metered subsystems submit them and the loop does not; a request that somebody keeps and CAISO's answer to it are read here
as completely as everything else that the schema describes.
"""

from dataclasses import dataclass, field
from datetime import datetime

from ads_ingest import schema
from ads_ingest.envelope import read_result
from ads_ingest.fields import judging, read_fields
from ads_ingest.markup import descendants, read_xml
from ads_ingest.records import Reply
from ads_ingest.unpack import unpack
from dotbus.contracts.messages import Extra


@dataclass(frozen=True)
class LoadFollowingInstruction:
    """One MSSLFInstructionRequest: megawatts to follow up (positive) or down."""

    sc_batch_id: str | None = None
    sc_instruction_id: str | None = None
    resource_id: str | None = None
    start_at: datetime | None = None
    end_at: datetime | None = None
    load_following_mw: float | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class LoadFollowingRequest:
    """An MSSLFRequest."""

    sc_batch_id: str | None = None
    instructions: tuple[LoadFollowingInstruction, ...] = ()
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class LoadFollowingResult:
    """One MSSLFInstructionResponse: whether CAISO took the instruction, and under which identifier."""

    caiso_batch_id: str | None = None
    caiso_instruction_id: str | None = None
    sc_batch_id: str | None = None
    sc_instruction_id: str | None = None
    validated: bool | None = None
    extra: Extra = field(default_factory=dict)


@dataclass(frozen=True)
class LoadFollowingResponse:
    """An MSSLFResponse."""

    caiso_batch_id: str | None = None
    sc_batch_id: str | None = None
    results: tuple[LoadFollowingResult, ...] = ()
    extra: Extra = field(default_factory=dict)


def parse_load_following_request(xml: bytes) -> LoadFollowingRequest:
    """An MSSLFRequest as it is submitted.

    Raises:
        NotThisDocument: it is none.
    """
    root = read_xml(xml, "MSSLFRequest")
    parts = {"mssLFInstructionRequests": "MSSLFInstructionRequest"}
    instructions = (
        LoadFollowingInstruction(**read_fields(element, schema.MSS_INSTRUCTION_REQUEST))
        for element in descendants(root, "MSSLFInstructionRequest")
    )
    return LoadFollowingRequest(**read_fields(root, schema.MSS_REQUEST, parts=parts), instructions=tuple(instructions))


def parse_load_following_response(reply: Reply, max_bytes: int) -> LoadFollowingResponse:
    """CAISO's answer to a submitted request; failures as in `parse`."""
    with judging(reply):
        root = read_xml(unpack(read_result(reply), max_bytes), "MSSLFResponse")
        parts = {"mssLFInstructionResponses": "MSSLFInstructionResponse"}
        results = (
            LoadFollowingResult(**read_fields(element, schema.MSS_INSTRUCTION_RESPONSE))
            for element in descendants(root, "MSSLFInstructionResponse")
        )
        return LoadFollowingResponse(**read_fields(root, schema.MSS_RESPONSE, parts=parts), results=tuple(results))
