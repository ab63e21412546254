"""Documents: the bytes of an ADS reply to CAISO's records. Pure.

The tables of `schema` say which element or attribute is which field, `fields` reads one record by its table.

Every function raises `Malformed` for a reply that is not the document asked for, `Busy`, `UnknownUid` or `SoapFault` when CAISO
answered with a fault, `HttpRefused` for another status than 200 without a fault, and `Oversized` for a document larger than the
bound when unpacked, or with more elements and attributes than `xml.PARTS_MOST`.
"""

from collections.abc import Callable

from caiso.ads import schema
from caiso.ads.beginning import first_batches
from caiso.ads.fields import FieldReader, NoIdentity, each, judging
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
from caiso.ads.soap import read_document, read_own_answer, read_result, result_of
from caiso.ads.xml import Element, NotThisDocument, descendants, read_xml, written


def parse_dispatch_list(reply: Reply, max_bytes: int) -> DispatchBatchList:
    """The batch headers of an APIDispatchResponse; those without a UID are `problems`."""
    with judging(reply):
        xml = read_document(reply, "APIDispatchResponse", max_bytes)
        found = descendants(read_xml(xml, "APIDispatchResponse"), "DispatchBatch")
        problems: list[str] = []
        return DispatchBatchList(tuple(each(found, _header_reader(), problems)), tuple(problems), xml)


def parse_dispatch_batch(reply: Reply, max_bytes: int) -> DispatchBatch:
    """A DispatchBatch with its instructions; those without a UID or a resource are `problems`."""
    with judging(reply):
        xml = read_document(reply, "DispatchBatch", max_bytes)
        root = read_xml(xml, "DispatchBatch")
        _asked_for(root, reply)
        return parse_dispatch_element(root, xml)


def parse_dispatch_element(root: Element, xml: bytes) -> DispatchBatch:
    """A DispatchBatch element, whatever was asked for.

    Raises:
        NoIdentity: it has no UID.
    """
    problems: list[str] = []
    nameless: set[str | None] = set()
    instructions = tuple(each(descendants(root, "instruction"), _instruction_reader(), problems, nameless))
    is_ownerless, named = None in nameless, frozenset(filter(None, nameless))
    return DispatchBatch(_header_reader()(root), instructions, tuple(problems), xml, named, is_ownerless)


def parse_batch_header(reply: Reply, max_bytes: int) -> BatchHeader:
    """The header of a DispatchBatch."""
    with judging(reply):
        return _asked_for(read_xml(read_document(reply, "DispatchBatch", max_bytes), "DispatchBatch"), reply)


def parse_trajectories(reply: Reply, max_bytes: int) -> TrajectoryBatchList:
    """The batches of an APITrajectoryResponse; batches and points without their identity are `problems`."""
    with judging(reply):
        xml = read_document(reply, "APITrajectoryResponse", max_bytes)
        return parse_trajectory_element(read_xml(xml, "APITrajectoryResponse"), xml)


def parse_trajectory_element(root: Element, xml: bytes, *, is_whole: bool = True) -> TrajectoryBatchList:
    """The trajectory batches below an element."""
    problems: list[str] = []
    nameless: set[str] = set()
    batches = tuple(each(descendants(root, "trajectoryBatch"), _trajectory_reader(problems, nameless), problems))
    return TrajectoryBatchList(batches, tuple(problems), xml, is_whole, frozenset(nameless))


def parse_first_trajectories(body: bytes, max_bytes: int) -> TrajectoryBatchList:
    """The whole batches at the beginning of a getTrajectoryData reply that is larger than the bound; none when not one fits."""
    root = first_batches(body, max_bytes)
    if root is None:
        return TrajectoryBatchList(is_whole=False)
    return parse_trajectory_element(root, written(root), is_whole=False)


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
        text = result_of(read_own_answer(reply)).strip()
        number = schema.read_int(text)
        if number is None or "." in text:  # a code or a status is nothing that may be guessed at
            raise NotThisDocument(f"{text[:40]!r} is no number")
        return number


def parse_receipt(reply: Reply) -> None:
    """An answer without a result (validateDispatchBatch): all that counts is that it is that operation's, and no fault."""
    with judging(reply):
        read_own_answer(reply)


def _asked_for(root: Element, reply: Reply) -> BatchHeader:
    header = _header_reader()(root)
    if header.batch_uid != reply.question.batch_uid:
        raise NotThisDocument(f"it is batch {header.batch_uid}, which is not the one asked for")
    return header


def _header_reader() -> Callable[[Element], BatchHeader]:
    reader = FieldReader(schema.DISPATCH_BATCH, ("batch_uid",), {"instructions": "instruction"})
    return lambda element: BatchHeader(**reader.read(element))


def _instruction_reader() -> Callable[[Element], Instruction]:
    reader = FieldReader(schema.INSTRUCTION, ("instruction_uid", "resource_id"), {"detail": "instructionDetail"})
    of_detail = FieldReader(schema.INSTRUCTION_DETAIL)

    def read(element: Element) -> Instruction:
        details = [InstructionDetail(**of_detail.read(part)) for part in descendants(element, "instructionDetail")]
        return Instruction(**reader.read(element), details=tuple(details))

    return read


def _trajectory_reader(problems: list[str], without_batch: set[str]) -> Callable[[Element], TrajectoryBatch]:
    """`problems` takes up points and compliance records without their identity.

    `without_batch` takes up the resources of batches without theirs.
    """
    parts = {"dopList": "trajectoryDop", "complianceList": "trajectoryCompliance"}
    reader = FieldReader(schema.TRAJECTORY_BATCH, ("batch_uid",), parts)
    of_dop = FieldReader(schema.TRAJECTORY_DOP, ("dop_uid", "resource_id"))
    of_compliance = FieldReader(schema.TRAJECTORY_COMPLIANCE, ("compliance_uid", "resource_id"))

    def read_dop(element: Element) -> TrajectoryDop:
        return TrajectoryDop(**of_dop.read(element))

    def read_compliance(element: Element) -> TrajectoryCompliance:
        return TrajectoryCompliance(**of_compliance.read(element))

    def read(element: Element) -> TrajectoryBatch:
        try:
            header = TrajectoryHeader(**reader.read(element))
        except NoIdentity:
            without_batch.update(named for part in descendants(element, "resourceId") if (named := (part.text or "").strip()))
            raise
        nameless: set[str | None] = set()
        dops = tuple(each(descendants(element, "trajectoryDop"), read_dop, problems, nameless))
        compliance = tuple(each(descendants(element, "trajectoryCompliance"), read_compliance, problems))
        return TrajectoryBatch(header, dops, compliance, frozenset(filter(None, nameless)), None in nameless)

    return read
