"""ADS's XML documents, as the schema ads.caiso.com.xsd prescribes them.

Pure: records to bytes. With `surprises` the documents carry what CAISO's own samples do and a hurried client trips over: stray
spaces around identifiers, and times with seven fraction digits and a local offset. They stay valid.
"""

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from lxml import etree

from simulators.ads.records import Compliance, DispatchBatch, Dop, Instruction, TrajectoryBatch
from simulators.chance import fraction

VERSIONS = ("v6", "v7", "v8")
"""The versions of the API, each of which has its documents in a namespace of its own."""

_BATCH = (
    ("marketID", "market_id"),
    ("batchStatus", "batch_status"),
    ("batchReceived", "received_at"),
    ("batchSent", "sent_at"),
    ("batchExpires", "expires_at"),
    ("batchType", "batch_type"),
    ("startTime", "start_at"),
    ("dispatchMode", "dispatch_mode"),
    ("bindingFlag", "binding_flag"),
    ("revisionNo", "revision_no"),
)
_INSTRUCTION = (
    ("resourceId", "resource_id"),
    ("startTime", "start_at"),
    ("endTime", "end_at"),
    ("dot", "dot_mw"),
    ("oosEnergyCode", "oos_energy_code"),
    ("asType", "as_type"),
    ("instructionType", "instruction_type"),
    ("preGoto", "pre_goto_mw"),
    ("bidDelay", "bid_delay_min"),
    ("minAccept", "min_accept_mw"),
    ("acceptDot", "accept_dot_mw"),
    ("acceptStatus", "accept_status"),
    ("responder", "responder"),
    ("reasonCode", "reason_code"),
    ("apiValidated", "api_validated_at"),
    ("apiValidatedBy", "api_validated_by"),
    ("revisionNumber", "revision_number"),
    ("statusCode", "status_code"),
    ("clearedMW", "cleared_mw"),
    ("awardMW", "award_mw"),
    ("selfSchedMW", "self_sched_mw"),
    ("hourlyMw", "hourly_mw"),
    ("configurationId", "configuration_id"),
    ("transitionFromConfigId", "transition_from_config_id"),
    ("transitionToConfigId", "transition_to_config_id"),
    ("agcFlag", "agc_flag"),
    ("rmrFlag", "rmr_flag"),
)
_SEGMENT = (("serviceType", "service_type"), ("mw", "segment_mw"))
_TRAJECTORY = (("batchReceived", "received_at"), ("bindingFlag", "binding_flag"), ("batchSent", "sent_at"))
_DOP = (
    ("resourceId", "resource_id"),
    ("dop", "dop_mw"),
    ("targetTime", "target_at"),
    ("sequenceNumber", "sequence_number"),
    ("configurationId", "configuration_id"),
)
_COMPLIANCE = (
    ("resourceId", "resource_id"),
    ("startTime", "start_at"),
    ("mwh", "expected_mwh"),
    ("complFlag", "compliance_flag"),
    ("configurationId", "configuration_id"),
)
_EASTERN = ZoneInfo("America/New_York")
"""CAISO's samples state Pacific events with an Eastern offset."""

_ONE_IN = 3


@dataclass(frozen=True)
class Style:
    """How documents are written: in which version of the API, and whether with surprises."""

    version: str = "v7"
    surprises: bool = False

    @property
    def namespace(self) -> str:
        """The namespace of the documents."""
        return f"http://ads.caiso.com/api/schema/{self.version}"


PLAIN = Style()


@dataclass(frozen=True)
class _Writer:
    """Writes elements of one document."""

    style: Style
    local_times: bool

    def element(self, name: str, **attributes: str) -> etree._Element:
        attributes = self._strayed_uids(attributes)
        return etree.Element(f"{{{self.style.namespace}}}{name}", attributes, default_namespace(self.style.namespace))

    def child(self, parent: etree._Element, name: str, text: str | None = None, **attributes: str) -> etree._Element:
        tag = f"{{{self.style.namespace}}}{name}"
        child = etree.SubElement(parent, tag, self._strayed_uids(attributes))
        child.text = text
        return child

    def fields(self, parent: etree._Element, record: object, elements: Iterable[tuple[str, str]]) -> None:
        """One element for each field that is not absent."""
        for name, field in elements:
            value = getattr(record, field)
            if value is not None:
                self.child(parent, name, self._text(name, value))

    def identifier(self, parent: etree._Element, name: str, text: str) -> None:
        self.child(parent, name, self._strayed(text))

    def _text(self, name: str, value: object) -> str:
        if isinstance(value, datetime):
            return self._time(value)
        if name == "resourceId":
            return self._strayed(str(value))
        return str(int(value)) if isinstance(value, int) else str(value)

    def _time(self, at: datetime) -> str:
        if self.style.surprises and self.local_times:
            local = at.astimezone(_EASTERN)
            offset = local.strftime("%z")
            return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond:06d}0{offset[:3]}:{offset[3:]}"
        fraction_of_second = f".{at.microsecond:06d}".rstrip("0") if at.microsecond else ""
        return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}{fraction_of_second}Z"

    def _strayed_uids(self, attributes: dict[str, str]) -> dict[str, str]:
        return {key: self._strayed(text) if key.endswith("UID") else text for key, text in attributes.items()}

    def _strayed(self, text: str) -> str:
        """The text with a stray space before or behind it, the same each time it is asked for."""
        if not self.style.surprises or fraction("stray", text) >= 1 / _ONE_IN:
            return text
        return f" {text}" if fraction("before", text) < 0.5 else f"{text} "  # noqa: PLR2004 - a coin


def dispatch_response(batches: Iterable[DispatchBatch], style: Style) -> bytes:
    """APIDispatchResponse: the headers of batches, without their instructions."""
    writer = _Writer(style, local_times=True)
    root = writer.element("APIDispatchResponse")
    listed = writer.child(root, "dispatchBatchList")
    for batch in batches:
        writer.fields(writer.child(listed, "DispatchBatch", batchUID=batch.batch_uid), batch, _BATCH)
    return _bytes(root)


def dispatch_batch(batch: DispatchBatch, style: Style, *, with_instructions: bool) -> bytes:
    """DispatchBatch: one batch, with its instructions or (getBatchHeader) without."""
    writer = _Writer(style, local_times=False)
    root = writer.element("DispatchBatch", batchUID=batch.batch_uid)
    writer.fields(root, batch, _BATCH)
    if with_instructions:
        instructions = writer.child(root, "instructions")
        for instruction in batch.instructions:
            _add_instruction(writer, instructions, instruction, batch.batch_uid)
    return _bytes(root)


def _add_instruction(writer: _Writer, parent: etree._Element, instruction: Instruction, batch_uid: str) -> None:
    element = writer.child(parent, "instruction", instructionUID=instruction.instruction_uid)
    writer.identifier(element, "batchUID", batch_uid)
    writer.fields(element, instruction, _INSTRUCTION)
    if instruction.details:
        detail = writer.child(element, "detail")
        for number, segment in enumerate(instruction.details, start=1):
            writer.fields(writer.child(detail, "instructionDetail", segNo=str(number)), segment, _SEGMENT)


def trajectory_response(batches: Iterable[TrajectoryBatch], style: Style) -> bytes:
    """APITrajectoryResponse: trajectory batches with their points and compliance records."""
    writer = _Writer(style, local_times=True)
    root = writer.element("APITrajectoryResponse")
    listed = writer.child(root, "trajectoryBatchList")
    for batch in batches:
        element = writer.child(listed, "trajectoryBatch", batchUID=batch.batch_uid)
        writer.fields(element, batch, _TRAJECTORY)
        _add_dops(writer, writer.child(element, "dopList"), batch.dops)
        _add_compliance(writer, writer.child(element, "complianceList"), batch.compliance)
    return _bytes(root)


def _add_dops(writer: _Writer, parent: etree._Element, dops: Iterable[Dop]) -> None:
    for dop in dops:
        writer.fields(writer.child(parent, "trajectoryDop", dopUID=dop.dop_uid), dop, _DOP)


def _add_compliance(writer: _Writer, parent: etree._Element, records: Iterable[Compliance]) -> None:
    for record in records:
        element = writer.child(parent, "trajectoryCompliance", complianceUID=record.compliance_uid)
        writer.fields(element, record, _COMPLIANCE)


def compressed(document: bytes) -> bytes:
    """The document in gzip, as getDispatchBatch and getTrajectoryData carry it (in Base64, which the envelope adds)."""
    return gzip.compress(document, mtime=0)


def default_namespace(namespace: str) -> dict[str, str]:
    """The prefix map of a document that writes its namespace without a prefix."""
    return {None: namespace}  # type: ignore[dict-item]  # lxml's stubs do not know that a prefix may be None


def _bytes(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)
