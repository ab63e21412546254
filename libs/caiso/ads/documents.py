"""Documents: the bytes of an ADS reply to CAISO's records. Pure.

The tables of `schema` say which element or attribute is which field, `fields` reads one record by its table.

Every function raises `Malformed` for a reply that is not the document asked for, `Busy`, `UnknownUid` or `SoapFault` when CAISO
answered with a fault, `HttpRefused` for another status than 200 without a fault, and `Oversized` for a document larger than the
bound when unpacked.
"""

from caiso.ads import schema
from caiso.ads.fields import each, judging, read_fields
from caiso.ads.records import (
    BatchHeader,
    DispatchBatch,
    DispatchBatchList,
    Instruction,
    InstructionDetail,
    Reply,
    TrajectoryBatch,
    TrajectoryBatchList,
    TrajectoryCompliance,
    TrajectoryDop,
    TrajectoryHeader,
)
from caiso.ads.soap import read_answer, read_result
from caiso.ads.unpack import unpack
from caiso.ads.xml import Element, NotThisDocument, descendants, read_xml


def parse_dispatch_list(reply: Reply, max_bytes: int) -> DispatchBatchList:
    """The batch headers of an APIDispatchResponse; those without a UID are `problems`."""
    with judging(reply):
        xml = unpack(read_result(reply), max_bytes)
        root = read_xml(xml, "APIDispatchResponse")
        problems: list[str] = []
        headers = tuple(each(descendants(root, "DispatchBatch"), _header, problems))
        return DispatchBatchList(headers, tuple(problems), xml)


def parse_dispatch_batch(reply: Reply, max_bytes: int) -> DispatchBatch:
    """A DispatchBatch with its instructions; those without a UID or a resource are `problems`."""
    with judging(reply):
        xml = unpack(read_result(reply), max_bytes)
        root = read_xml(xml, "DispatchBatch")
        header = _asked_for(root, reply)
        problems: list[str] = []
        instructions = tuple(each(descendants(root, "instruction"), _instruction, problems))
        return DispatchBatch(header, instructions, tuple(problems), xml)


def parse_batch_header(reply: Reply, max_bytes: int) -> BatchHeader:
    """The header of a DispatchBatch."""
    with judging(reply):
        return _asked_for(read_xml(unpack(read_result(reply), max_bytes), "DispatchBatch"), reply)


def parse_trajectories(reply: Reply, max_bytes: int) -> TrajectoryBatchList:
    """The batches of an APITrajectoryResponse; batches and points without their identity are `problems`."""
    with judging(reply):
        xml = unpack(read_result(reply), max_bytes)
        root = read_xml(xml, "APITrajectoryResponse")
        problems: list[str] = []
        found = descendants(root, "trajectoryBatch")
        batches = tuple(each(found, lambda element: _trajectory(element, problems), problems))
        return TrajectoryBatchList(batches, tuple(problems), xml)


def parse_flag(reply: Reply) -> bool:
    """The boolean of isNewTrajData."""
    with judging(reply):
        match read_result(reply).strip().lower():
            case "true" | "1":
                return True
            case "false" | "0":
                return False
            case other:
                raise NotThisDocument(f"{other[:40]!r} is neither true nor false")


def parse_number(reply: Reply) -> int:
    """The number of getBatchStatus and of the response service."""
    with judging(reply):
        text = read_result(reply).strip()
        number = schema.read_int(text)
        if number is None:
            raise NotThisDocument(f"{text[:40]!r} is no number")
        return number


def parse_receipt(reply: Reply) -> None:
    """An answer without a result (validateDispatchBatch): all that counts is that it is no fault."""
    with judging(reply):
        read_answer(reply)


def _asked_for(root: Element, reply: Reply) -> BatchHeader:
    header = _header(root)
    if header.batch_uid != reply.question.batch_uid:
        raise NotThisDocument(f"it is batch {header.batch_uid}, which is not the one asked for")
    return header


def _header(element: Element) -> BatchHeader:
    fields = read_fields(element, schema.DISPATCH_BATCH, ("batch_uid",), {"instructions": "instruction"})
    return BatchHeader(**fields)


def _instruction(element: Element) -> Instruction:
    parts = {"detail": "instructionDetail"}
    fields = read_fields(element, schema.INSTRUCTION, ("instruction_uid", "resource_id"), parts)
    segments = (read_fields(part, schema.INSTRUCTION_DETAIL) for part in descendants(element, "instructionDetail"))
    return Instruction(**fields, details=tuple(InstructionDetail(**segment) for segment in segments))


def _trajectory(element: Element, problems: list[str]) -> TrajectoryBatch:
    parts = {"dopList": "trajectoryDop", "complianceList": "trajectoryCompliance"}
    header = TrajectoryHeader(**read_fields(element, schema.TRAJECTORY_BATCH, ("batch_uid",), parts))
    return TrajectoryBatch(
        header,
        tuple(each(descendants(element, "trajectoryDop"), _dop, problems)),
        tuple(each(descendants(element, "trajectoryCompliance"), _compliance, problems)),
    )


def _dop(element: Element) -> TrajectoryDop:
    return TrajectoryDop(**read_fields(element, schema.TRAJECTORY_DOP, ("dop_uid", "resource_id")))


def _compliance(element: Element) -> TrajectoryCompliance:
    return TrajectoryCompliance(**read_fields(element, schema.TRAJECTORY_COMPLIANCE, ("compliance_uid", "resource_id")))
