"""ADS documents are valid against CAISO's schema, with and without surprises, over many intervals."""

import gzip
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from simulators.ads.documents import Style, compressed, dispatch_batch, dispatch_response, trajectory_response
from simulators.ads.ledger import Ledger
from simulators.ads.load_following import RequestRefused, load_following_response
from simulators.ads.market import Market
from simulators.ads.plan import Unit

FIXTURES = Path(__file__).parents[2] / "fixtures" / "ads"
SCHEMA = etree.XMLSchema(etree.parse(FIXTURES / "ads.caiso.com.xsd"))
UNITS = (
    Unit("SIERRA_2_SOLAR1", variable=True, pmin_mw=0.0, pmax_mw=100.0, ramp_mw_per_min=20.0),
    Unit("A&B <1>", variable=False, pmin_mw=-50.0, pmax_mw=50.0, ramp_mw_per_min=50.0),
)
START = datetime(2026, 7, 1, 12, tzinfo=UTC)
NS = {"a": "http://ads.caiso.com/api/schema/v6"}
PLAIN, SURPRISING = Style("v6"), Style("v6", surprises=True)


def filled(seed: int = 1, interval_s: int = 300, hours: int = 3) -> Ledger:
    ledger = Ledger(Market(UNITS, interval_s, seed), START)
    ledger.advance(START + timedelta(hours=hours))
    return ledger


def parsed(document: bytes) -> etree._Element:
    root = etree.fromstring(document)
    SCHEMA.assertValid(root)
    return root


@given(seed=st.integers(0, 10_000), surprises=st.booleans(), interval_s=st.sampled_from([7, 15, 60, 300]))
@settings(max_examples=25)
def test_every_document_is_valid_against_the_schema(seed: int, *, surprises: bool, interval_s: int) -> None:
    style = Style("v6", surprises=surprises)
    ledger = Ledger(Market(UNITS, interval_s, seed), START)
    ledger.advance(START + timedelta(seconds=30 * interval_s))
    for batch in ledger.dispatches():
        ledger.validate(batch.batch_uid, "CN", START + timedelta(microseconds=1), lambda _: True)
        parsed(dispatch_batch(ledger.dispatch(batch.batch_uid), style, with_instructions=True))
        parsed(dispatch_batch(batch, style, with_instructions=False))
    parsed(dispatch_response(ledger.dispatches(), style))
    parsed(trajectory_response(ledger.trajectories(), style))


def test_an_empty_list_is_a_valid_document() -> None:
    assert not parsed(dispatch_response((), PLAIN)).findall(".//a:DispatchBatch", NS)
    assert not parsed(trajectory_response((), PLAIN)).findall(".//a:trajectoryBatch", NS)


def test_another_validator_agrees() -> None:
    schema = xmlschema.XMLSchema(str(FIXTURES / "ads.caiso.com.xsd"))
    ledger = filled()
    for document in (
        dispatch_response(ledger.dispatches(), SURPRISING),
        trajectory_response(ledger.trajectories(), SURPRISING),
        *(dispatch_batch(batch, SURPRISING, with_instructions=True) for batch in ledger.dispatches()[:20]),
    ):
        schema.validate(document.decode().split("?>", 1)[1])


def test_a_field_that_is_absent_is_an_element_that_is_absent() -> None:
    batch = filled().dispatches()[0]
    without = replace(batch, instructions=tuple(replace(each, dot_mw=None) for each in batch.instructions))
    root = parsed(dispatch_batch(without, PLAIN, with_instructions=True))
    assert root.find(".//a:dot", NS) is None
    assert root.find(".//a:hourlyMw", NS) is not None


def test_zero_megawatts_is_written_as_zero() -> None:
    batch = filled().dispatches()[0]
    zero = replace(batch, instructions=tuple(replace(each, dot_mw=0.0) for each in batch.instructions))
    assert parsed(dispatch_batch(zero, PLAIN, with_instructions=True)).findtext(".//a:dot", namespaces=NS) == "0.0"


def test_values_come_back_as_they_were_issued() -> None:
    batch = filled().dispatches()[0]
    root = parsed(dispatch_batch(batch, SURPRISING, with_instructions=True))
    assert root.get("batchUID", "").strip() == batch.batch_uid
    for element, each in zip(root.iterfind(".//a:instruction", NS), batch.instructions, strict=True):
        assert element.findtext("a:resourceId", "", NS).strip() == each.resource_id
        assert float(element.findtext("a:dot", "", NS)) == each.dot_mw
        assert datetime.fromisoformat(element.findtext("a:startTime", "", NS)) == each.start_at
        assert len(element.findall("a:detail/a:instructionDetail", NS)) == len(each.details)


def test_surprises_are_stray_spaces_and_seven_digit_local_times() -> None:
    document = dispatch_response(filled(hours=12).dispatches(), SURPRISING).decode()
    assert re.search(r'batchUID="( DISP-[0-9A-F-]{36}|DISP-[0-9A-F-]{36} )"', document)
    assert re.search(r"<startTime>2026-07-01T\d\d:\d\d:00\.0000000-04:00</startTime>", document)


def test_without_surprises_there_are_none() -> None:
    ledger = filled()
    documents = [trajectory_response(ledger.trajectories(), PLAIN), dispatch_response(ledger.dispatches(), PLAIN)]
    elements = [element for document in documents for element in parsed(document).iter()]
    values = [element.text or "" for element in elements if not len(element)]
    values += [str(value) for element in elements for value in element.attrib.values()]
    assert len(values) > 1000
    assert [value for value in values if value != value.strip() or "-04:00" in value] == []


def test_compressed_is_gzip_of_the_document() -> None:
    assert gzip.decompress(compressed(b"<a/>")) == b"<a/>"


def test_caisos_own_sample_of_a_load_following_request_is_answered() -> None:
    request = (FIXTURES / "sample-msslf-request.xml").read_text(encoding="utf-8")
    root = parsed(load_following_response(request, {"test"}, PLAIN))
    assert root.findtext("a:scMSSBatchId", namespaces=NS) == "TestBatch1"
    assert root.findtext(".//a:scMSSLFInstructionId", namespaces=NS) == "TestInstruction1"
    assert root.findtext(".//a:validated", namespaces=NS) == "true"


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        (("", ""), "true"),
        (("<resourceId>test", "<resourceId>other"), "false"),
        (("<loadFollowingMW>100", "<loadFollowingMW>nan"), "false"),
        (("<loadFollowingMW>100", "<loadFollowingMW>-3.5"), "true"),
        (("<loadFollowingMW>100", "<loadFollowingMW>much"), "false"),
        (("<endTime>2006-09-25T02", "<endTime>2006-09-25T00"), "false"),
        (("<endTime>2006-09-25T02:00:00.0000000-04:00", "<endTime>2006-09-25T09:00:00"), "false"),
    ],
)
def test_a_load_following_instruction_needs_a_resource_a_span_and_a_number(change: tuple[str, str], valid: str) -> None:
    request = (FIXTURES / "sample-msslf-request.xml").read_text(encoding="utf-8")
    root = parsed(load_following_response(request.replace(*change), {"test"}, PLAIN))
    assert root.findtext(".//a:validated", namespaces=NS) == valid


@pytest.mark.parametrize("request_text", ["", "<MSSLFRequest>", "<other/>"])
def test_what_is_no_load_following_request_is_refused(request_text: str) -> None:
    with pytest.raises(RequestRefused):
        load_following_response(request_text, {"test"}, PLAIN)
