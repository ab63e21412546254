"""CAISO's own five samples, every value: read again here with the standard library's parser and compared one by one."""

import xml.etree.ElementTree as ET
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from ads_replies import MEGABYTE, SAMPLES, answer, sample

from caiso.ads import schema
from caiso.ads.documents import parse_batch_header, parse_dispatch_batch, parse_dispatch_list, parse_trajectories
from caiso.ads.load_following import parse_load_following_request, parse_load_following_response
from caiso.ads.schema import Table

NAMESPACE = "{http://ads.caiso.com/api/schema/v6}"
BATCH = "DISP-59F16A91-46CA-402B-FFDC-0A090014DA8C"
XSD = "{http://www.w3.org/2001/XMLSchema}"
READER_OF = {
    "xsd:string": schema.read_text,
    "xsd:int": schema.read_int,
    "xsd:double": schema.read_float,
    "xsd:dateTime": schema.read_time,
    "xsd:boolean": schema.read_bool,
}
NARROWER_THAN_ITS_TYPE = {"revisionNo": schema.read_revision, "revisionNumber": schema.read_revision}
TABLE_OF = {
    "DispatchBatch": schema.DISPATCH_BATCH,
    "instruction": schema.INSTRUCTION,
    "instructionDetail": schema.INSTRUCTION_DETAIL,
    "trajectoryBatch": schema.TRAJECTORY_BATCH,
    "trajectoryDop": schema.TRAJECTORY_DOP,
    "trajectoryCompliance": schema.TRAJECTORY_COMPLIANCE,
    "MSSLFRequest": schema.MSS_REQUEST,
    "MSSLFInstructionRequest": schema.MSS_INSTRUCTION_REQUEST,
    "MSSLFResponse": schema.MSS_RESPONSE,
    "MSSLFInstructionResponse": schema.MSS_INSTRUCTION_RESPONSE,
}


def texts(element: ET.Element) -> dict[str, str]:
    """Attributes and leaf elements of a record by local name, trimmed."""
    leaves = {child.tag.split("}")[-1]: (child.text or "").strip() for child in element if len(child) == 0}
    return {name: text for name, text in (leaves | {k: v.strip() for k, v in element.attrib.items()}).items() if text}


def as_text(value: object, like: str) -> str:
    """A field back as CAISO wrote it, for comparison."""
    if isinstance(value, datetime):
        written = datetime.fromisoformat(like[:19] + (like[-6:] if not like.endswith("Z") else "+00:00"))
        return like if value == written else value.isoformat()
    if isinstance(value, float):
        return like if value == float(like) else repr(value)
    return str(value)


def compare(record: object, element: ET.Element, table: Table) -> None:
    """Each text of the sample is in its field, and each field that has a value has a text in the sample."""
    said = texts(element)
    for name, (field, _read) in table.items():
        value = getattr(record, field, None)
        if name in said and hasattr(record, field):
            assert as_text(value, said[name]) == said[name], (name, value)
        elif hasattr(record, field):
            assert value is None, (name, value)
    assert record.extra == {}  # type: ignore[attr-defined]
    assert set(said) <= set(table), "the sample holds something that no table knows"


def test_every_value_of_the_dispatch_batch_sample() -> None:
    document = parse_dispatch_batch(answer(sample("sample-dispatch-batch.xml"), batch_uid=BATCH), MEGABYTE)
    root = ET.fromstring(sample("sample-dispatch-batch.xml"))
    compare(document.header, root, schema.DISPATCH_BATCH)
    elements = root.findall(f"{NAMESPACE}instructions/{NAMESPACE}instruction")
    assert len(elements) == len(document.instructions) == 2
    for instruction, element in zip(document.instructions, elements, strict=True):
        compare(instruction, element, schema.INSTRUCTION)
        segments = element.findall(f"{NAMESPACE}detail/{NAMESPACE}instructionDetail")
        assert len(segments) == len(instruction.details) == 8
        for detail, segment in zip(instruction.details, segments, strict=True):
            compare(detail, segment, schema.INSTRUCTION_DETAIL)


def test_some_values_of_the_dispatch_batch_sample_read_off_the_specification_by_eye() -> None:
    document = parse_dispatch_batch(answer(sample("sample-dispatch-batch.xml"), batch_uid=BATCH), MEGABYTE)
    assert document.header.batch_uid == BATCH  # printed with a space behind it
    assert document.header.start_at == datetime(2006, 10, 13, 14, 10, tzinfo=UTC)
    assert (document.header.revision_no, document.header.batch_status, document.header.batch_type) == (4, 3, 0)
    first, second = document.instructions
    assert (first.resource_id, first.dot_mw, first.agc_flag, first.rmr_flag) == ("TEST_RESOURCE_1", 12.0, "Y", "N")
    assert first.batch_uid == BATCH  # printed with spaces on both sides
    assert (second.resource_id, second.dot_mw, second.agc_flag) == ("TEST_RESOURCE_2", 11.0, None)
    assert [(d.seg_no, d.service_type, d.segment_mw) for d in second.details][:3] == [
        (1, "SCHD", 0.0),
        (2, "SUPP", 2.0),
        (3, "RMPS", 4.0),
    ]


def test_every_value_of_the_batch_list_sample() -> None:
    xml = sample("sample-dispatch-batches-since-uid.xml")
    listed = parse_dispatch_list(answer(xml, "getDispatchBatchesSinceUID", "-1"), MEGABYTE)
    elements = ET.fromstring(xml).findall(f"{NAMESPACE}dispatchBatchList/{NAMESPACE}DispatchBatch")
    assert len(elements) == len(listed.headers) == 2
    for header, element in zip(listed.headers, elements, strict=True):
        compare(header, element, schema.DISPATCH_BATCH)
    assert listed.headers[1].batch_uid == "DISP-59F16A91-46CA-402B-FFDC-0A090015FF5DE"
    assert listed.headers[0].batch_received_at == datetime(2006, 10, 13, 14, 55, 36, tzinfo=UTC)
    assert listed.problems == ()


def test_every_value_of_the_trajectory_sample() -> None:
    xml = sample("sample-trajectory-data.xml")
    listed = parse_trajectories(answer(xml, "getTrajectoryData", "-1"), MEGABYTE)
    elements = ET.fromstring(xml).findall(f"{NAMESPACE}trajectoryBatchList/{NAMESPACE}trajectoryBatch")
    assert len(elements) == len(listed.batches) == 2
    for batch, element in zip(listed.batches, elements, strict=True):
        compare_batch(batch.header, element)
        dops = element.findall(f"{NAMESPACE}dopList/{NAMESPACE}trajectoryDop")
        for part, dop in zip(batch.dops, dops, strict=True):
            assert part.resource_id == texts(dop)["resourceId"]
            compare(part, dop, schema.TRAJECTORY_DOP)
        records = element.findall(f"{NAMESPACE}complianceList/{NAMESPACE}trajectoryCompliance")
        for part, record in zip(batch.compliance, records, strict=True):
            assert part.resource_id == texts(record)["resourceId"]
            compare(part, record, schema.TRAJECTORY_COMPLIANCE)
    assert [batch.header.binding_flag for batch in listed.batches] == ["Y", None]
    assert [(p.resource_id, p.dop_mw) for p in listed.batches[1].dops] == [
        ("TEST_RESOURCE_1", 16.0),
        ("TEST_RESOURCE_2", 14.0),
    ]
    assert listed.batches[1].dops[0].target_at == datetime(2006, 10, 13, 15, 8, tzinfo=UTC)


def compare_batch(header: object, element: ET.Element) -> None:
    """The header alone: the lists in it are records of their own."""
    bare = ET.Element(element.tag, element.attrib)
    bare.extend(child for child in element if not child.tag.endswith("List"))
    compare(header, bare, schema.TRAJECTORY_BATCH)


def test_every_value_of_the_load_following_samples() -> None:
    request = parse_load_following_request(sample("sample-msslf-request.xml"))
    assert request.sc_batch_id == "TestBatch1"
    (asked,) = request.instructions
    assert (asked.sc_batch_id, asked.sc_instruction_id, asked.resource_id) == ("TestBatch1", "TestInstruction1", "test")
    assert (asked.start_at, asked.end_at) == (
        datetime(2006, 9, 25, 5, 0, tzinfo=UTC),
        datetime(2006, 9, 25, 6, 0, tzinfo=UTC),
    )
    assert asked.load_following_mw == 100.0

    response = parse_load_following_response(answer(sample("sample-msslf-response.xml"), "submitMSSLFRequest", "-"), MEGABYTE)
    assert (response.caiso_batch_id, response.sc_batch_id) == ("8", "TestBatch1")
    (result,) = response.results
    assert (result.caiso_batch_id, result.caiso_instruction_id) == ("8", "7")
    assert (result.sc_batch_id, result.sc_instruction_id, result.validated) == ("TestBatch1", "TestInstruction1", True)


def test_a_header_without_instructions_is_read_as_a_header() -> None:
    xml = sample("sample-dispatch-batch.xml")
    header = parse_batch_header(answer(xml, "getBatchHeader", BATCH), MEGABYTE)
    assert header == parse_dispatch_batch(answer(xml, batch_uid=BATCH), MEGABYTE).header


@pytest.mark.parametrize("record", sorted(TABLE_OF))
def test_the_tables_know_every_element_and_attribute_of_the_schema_with_its_type(record: str) -> None:
    root = ET.parse(Path(SAMPLES / "ads.caiso.com.xsd")).getroot()
    element = next(each for each in root.findall(f"{XSD}element") if each.get("name") == record)
    named = [*element.iterfind(f"{XSD}complexType/{XSD}sequence/{XSD}element"), *element.iter(f"{XSD}attribute")]
    declared = {str(each.get("name")): READER_OF[str(each.get("type"))] for each in named if each.get("type")}
    declared |= {name: read for name, read in NARROWER_THAN_ITS_TYPE.items() if name in declared}
    assert declared == {name: read for name, (_field, read) in TABLE_OF[record].items()}


def test_no_two_elements_of_a_record_share_a_field() -> None:
    for record, table in TABLE_OF.items():
        fields = [field for field, _read in table.values()]
        assert len(fields) == len(set(fields)), record


def test_parsed_records_are_what_the_contract_can_say() -> None:
    document = parse_dispatch_batch(answer(sample("sample-dispatch-batch.xml"), batch_uid=BATCH), MEGABYTE)
    for record in (document.header, *document.instructions):
        assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record
