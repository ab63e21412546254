import base64
import gzip

import pytest
from ads_replies import MEGABYTE, answer, envelope, escaped, fault, packed, reply, sample
from hypothesis import given
from hypothesis import strategies as st

from caiso.ads import InstructionDetail, schema
from caiso.ads.documents import (
    parse_batch_header,
    parse_dispatch_batch,
    parse_dispatch_list,
    parse_flag,
    parse_number,
    parse_receipt,
    parse_trajectories,
)
from caiso.ads.errors import AdsFailure, Busy, HttpRefused, Malformed, Oversized, SoapFault, UnknownUid


def batch(inside: str = "", attributes: str = 'batchUID="B1"') -> bytes:
    return f"<DispatchBatch {attributes}>{inside}</DispatchBatch>".encode()


def instruction(inside: str, uid: str = "I1") -> bytes:
    return batch(f'<instructions><instruction instructionUID="{uid}">{inside}</instruction></instructions>')


def test_namespaces_and_prefixes_do_not_matter() -> None:
    plain = instruction("<resourceId>R</resourceId><dot>1</dot>")
    prefixed = plain.replace(b"<", b"<q:").replace(b"<q:/", b"</q:")
    prefixed = prefixed.replace(b"<q:DispatchBatch", b'<q:DispatchBatch xmlns:q="http://ads.caiso.com/api/schema/v9"')
    assert parse_dispatch_batch(answer(prefixed), MEGABYTE).instructions == (
        parse_dispatch_batch(answer(plain), MEGABYTE).instructions
    )


def test_an_absent_or_empty_element_or_attribute_is_none_and_never_zero() -> None:
    detail = "<detail><instructionDetail segNo=' ' serviceType=''/></detail>"
    (found,) = parse_dispatch_batch(answer(instruction(f"<resourceId>R</resourceId><dot/>{detail}")), MEGABYTE).instructions
    assert (found.dot_mw, found.hourly_mw, found.extra) == (None, None, {})
    assert found.details == (InstructionDetail(),)


def test_an_unknown_element_is_kept_by_name_and_text_at_its_level() -> None:
    xml = batch(
        "<mood>  calm </mood><instructions><note>beside</note><instruction instructionUID='I1'><resourceId>R</resourceId>"
        "<followDotFlag>Y</followDotFlag><detail><instructionDetail segNo='1'><colour>red</colour></instructionDetail></detail>"
        "</instruction></instructions>",
        'batchUID="B1" issuer="X"',
    )
    document = parse_dispatch_batch(answer(xml), MEGABYTE)
    assert document.header.extra == {"@issuer": "X", "mood": "calm", "instructions.note": "beside"}
    assert document.instructions[0].extra == {"followDotFlag": "Y"}
    assert document.instructions[0].details[0].extra == {"colour": "red"}


def test_unknown_elements_inside_each_other_are_kept_by_their_path() -> None:
    xml = instruction(
        "<resourceId>R</resourceId><award unit='MW'><up>3</up><up>4</up><down><by>1</by></down></award><empty/>"
        "<dot unit='MW'>5</dot>"
    )
    (found,) = parse_dispatch_batch(answer(xml), MEGABYTE).instructions
    assert found.dot_mw == 5.0
    assert found.extra == {
        "award@unit": "MW",
        "award.up": "3",
        "award.up[2]": "4",
        "award.down.by": "1",
        "empty": "",
        "dot@unit": "MW",
    }


@pytest.mark.parametrize(
    ("element", "text"),
    [
        ("dot", "NaN"),
        ("dot", "INF"),
        ("dot", "1e999"),
        ("dot", "1,5"),
        ("dot", "0x10"),
        ("instructionType", "two"),
        ("instructionType", "99999999999"),
        ("startTime", "2006-10-13"),
        ("startTime", "2006-10-13T14:10:00"),
        ("startTime", "0001-01-01T00:00:00Z"),
        ("startTime", "2006-02-30T14:10:00Z"),
        ("endTime", "9999-12-31T23:59:59.9999999Z"),
    ],
)
def test_a_text_that_is_not_of_its_type_is_kept_as_text_and_the_field_is_none(element: str, text: str) -> None:
    xml = instruction(f"<resourceId>R</resourceId><{element}> {text} </{element}>")
    (found,) = parse_dispatch_batch(answer(xml), MEGABYTE).instructions
    assert found.extra == {element: text}
    assert (found.dot_mw, found.instruction_type, found.start_at, found.end_at) == (None, None, None, None)


@pytest.mark.parametrize(("table", "wrap"), [(schema.INSTRUCTION, "instruction"), (schema.DISPATCH_BATCH, "batch")])
@pytest.mark.parametrize("inside", ["<x/>", "<x>7</x>", "<x></x>9", "<x y='1'/>9"])
@pytest.mark.parametrize("before", ["", "8", "2006-10-13T14:10:00Z"])
def test_a_field_with_elements_where_its_text_belongs_is_unreadable(
    table: schema.Table, wrap: str, inside: str, before: str
) -> None:
    names = [name for name in table if name not in {"instructionUID", "resourceId"}]
    elements = "".join(f"<{name}>{before}{inside}</{name}>" for name in names)
    xml = instruction(f"<resourceId>R</resourceId>{elements}") if wrap == "instruction" else batch(elements)
    document = parse_dispatch_batch(answer(xml), MEGABYTE)
    found = document.instructions[0] if wrap == "instruction" else document.header
    fields = {field for field, _read in table.values()} - {"instruction_uid", "resource_id"}
    if wrap == "instruction":
        assert {getattr(found, field) for field in fields} == {None}
    else:
        assert {getattr(found, field) for field in fields - {"batch_uid"}} == {None}
    assert set(names) <= set(found.extra), "whoever needs it has to see that it is there and not readable"


@pytest.mark.parametrize("name", ["dopUID", "dop", "targetTime", "sequenceNumber"])
def test_a_point_with_elements_where_a_text_belongs_is_unreadable(name: str) -> None:
    texts = {"dopUID": "D1", "resourceId": "R", "dop": "8", "targetTime": "2006-10-13T14:10:00Z", "sequenceNumber": "1"}
    dop = "".join(f"<{key}>{text}{'<x/>' if key == name else ''}</{key}>" for key, text in texts.items())
    inside = f"<trajectoryBatch batchUID='T1'><dopList><trajectoryDop>{dop}</trajectoryDop></dopList></trajectoryBatch>"
    xml = f"<APITrajectoryResponse><trajectoryBatchList>{inside}</trajectoryBatchList></APITrajectoryResponse>".encode()
    listed = parse_trajectories(answer(xml, "getTrajectoryData"), MEGABYTE)
    dops = listed.batches[0].dops
    assert [name in each.extra for each in dops] == ([] if name == "dopUID" else [True])
    assert len(listed.problems) == (name == "dopUID")


@pytest.mark.parametrize(
    "body", ["<result>0<x/>5</result>", "<result><x>0</x></result>", "<result>0</result><result>5</result>"]
)
def test_a_result_that_is_not_one_text_is_malformed(body: str) -> None:
    told = (
        f"<E:Envelope xmlns:E='e'><E:Body><acceptInstructionResponse>{body}</acceptInstructionResponse></E:Body></E:Envelope>"
    )
    for parse in (parse_number, parse_flag):
        with pytest.raises(Malformed, match="result"):
            parse(reply(told.encode(), "acceptInstruction"))


def test_an_element_that_comes_twice_keeps_its_first_value_and_shows_the_second() -> None:
    (found,) = parse_dispatch_batch(
        answer(instruction("<resourceId>R</resourceId><dot>1</dot><dot>2</dot>")), MEGABYTE
    ).instructions
    assert (found.dot_mw, found.extra) == (1.0, {"dot": "2"})


@pytest.mark.parametrize("text", ["12", "12.0", "+12", "1.2e1", " 12. "])
def test_every_way_to_write_a_number_is_read(text: str) -> None:
    (found,) = parse_dispatch_batch(answer(instruction(f"<resourceId>R</resourceId><dot>{text}</dot>")), MEGABYTE).instructions
    assert found.dot_mw == 12.0


@pytest.mark.parametrize("resource", ["", "   ", "R\u0082", "R" * 201])
def test_an_instruction_that_no_resource_can_be_told_of_is_left_out_aloud_and_the_others_stand(resource: str) -> None:
    xml = batch(
        f"<instructions><instruction instructionUID='I1'><resourceId>{resource}</resourceId></instruction>"
        "<instruction><resourceId>R2</resourceId></instruction>"
        "<instruction instructionUID='I3'><resourceId>R3</resourceId></instruction></instructions>"
    )
    document = parse_dispatch_batch(answer(xml), MEGABYTE)
    assert [each.resource_id for each in document.instructions] == ["R3"]
    assert len(document.problems) == 2
    assert "resource_id" in document.problems[0]
    assert "instruction_uid" in document.problems[1]


def test_a_header_without_a_uid_is_left_out_of_the_list() -> None:
    batches = b"<DispatchBatch/><DispatchBatch batchUID='B2'/>"
    xml = b"<APIDispatchResponse><dispatchBatchList>" + batches + b"</dispatchBatchList></APIDispatchResponse>"
    listed = parse_dispatch_list(answer(xml, "getDispatchBatchesSinceUID"), MEGABYTE)
    assert [header.batch_uid for header in listed.headers] == ["B2"]
    assert len(listed.problems) == 1


def test_a_batch_without_a_uid_or_another_batch_than_asked_for_is_malformed() -> None:
    for attributes in ("", 'batchUID="B2"'):
        with pytest.raises(Malformed):
            parse_dispatch_batch(answer(batch(attributes=attributes)), MEGABYTE)
        with pytest.raises(Malformed):
            parse_batch_header(answer(batch(attributes=attributes), "getBatchHeader"), MEGABYTE)


def test_an_empty_list_is_no_failure() -> None:
    for inside in ("", "<trajectoryBatchList/>"):
        xml = f"<APITrajectoryResponse>{inside}</APITrajectoryResponse>".encode()
        assert parse_trajectories(answer(xml, "getTrajectoryData"), MEGABYTE).batches == ()


def test_packed_and_escaped_documents_are_told_apart_by_themselves() -> None:
    xml = batch("<marketID>M</marketID>")
    for result in (packed(xml), escaped(xml), escaped(b'<?xml version="1.0" encoding="utf-16"?>\n' + xml)):
        assert parse_dispatch_batch(reply(envelope("x", f"\n {result} \n")), MEGABYTE).header.market_id == "M"
    declared_falsely = b'<?xml version="1.0" encoding="utf-16"?>\n' + xml
    assert parse_dispatch_batch(answer(declared_falsely), MEGABYTE).header.market_id == "M"


def test_a_fault_is_told_with_its_text_whatever_the_status() -> None:
    for status in (200, 500):
        with pytest.raises(SoapFault, match=r"getDispatchBatch\(B1\): SOAP fault: S:Server: this & that is wrong"):
            parse_dispatch_batch(reply(fault("this & that is wrong"), status=status), MEGABYTE)
        with pytest.raises(SoapFault):
            parse_receipt(reply(fault("no"), "validateDispatchBatch", status=status))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Batch UID 'DISP-1' does not exist in the ADS API cache", UnknownUid),
        ("unknown batch", UnknownUid),
        ("Unknown batch UID: DISP-1", UnknownUid),
        ("Invalid Batch UID", UnknownUid),
        ("java.lang.IllegalArgumentException: batchUID DISP-1 not found", UnknownUid),
        ("No batch found for DISP-1", UnknownUid),
        ("Could not find batch DISP-1", UnknownUid),
        ("The UID has expired", UnknownUid),
        ("ADS API is temporarily unavailable", Busy),
        ("ADS is busy", Busy),
        ("Service unavailable", Busy),
        ("Batch DISP-1 could not be read at the moment, try again", Busy),
        ("Read timed out", Busy),
        ("Too many requests for batch DISP-1", Busy),
        ("something is wrong", SoapFault),
        ("The user is not authorized", SoapFault),
        ("java.lang.NullPointerException", SoapFault),
        ("Invalid signature", SoapFault),
        ("", SoapFault),
    ],
)
def test_a_fault_is_typed_by_what_it_says(text: str, kind: type[AdsFailure]) -> None:
    with pytest.raises(AdsFailure) as raised:
        parse_dispatch_list(reply(fault(text), "getDispatchBatchesSinceUID", status=500), MEGABYTE)
    assert type(raised.value) is kind


def test_a_status_without_a_fault_is_refused_even_with_a_good_document() -> None:
    good = answer(batch())
    for body in (b"<html>Bad gateway</html>", b"", good.body):
        with pytest.raises(HttpRefused, match="502"):
            parse_dispatch_batch(reply(body, status=502), MEGABYTE)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Service unavailable</body></html>",
        b"<a:Envelope xmlns:a='x'/>",
        b"<a:Envelope xmlns:a='x'><a:Body/></a:Envelope>",
        envelope("getDispatchBatch", ""),
        envelope("getDispatchBatch", "not base64!"),
        envelope("getDispatchBatch", packed(b"")),
        envelope("getDispatchBatch", packed(b"<DispatchBatch batchUID='B1'>")),
        envelope("getDispatchBatch", packed(b"<SomethingElse batchUID='B1'/>")),
        envelope("getDispatchBatch", packed(batch())[:20]),
        envelope("getDispatchBatch", packed(batch())[:-8]),
        envelope("getDispatchBatch", "aGVsbG8gd29ybGQ="),
        envelope("getDispatchBatch", packed(batch()))[:-40],
    ],
)
def test_a_reply_that_is_not_the_document_is_malformed_and_keeps_its_bytes(body: bytes) -> None:
    with pytest.raises(Malformed) as raised:
        parse_dispatch_batch(reply(body), MEGABYTE)
    assert raised.value.content == body
    assert raised.value.question.batch_uid == "B1"


def test_a_small_gzip_of_a_huge_document_is_oversized() -> None:
    with pytest.raises(Oversized):
        parse_dispatch_batch(answer(batch(" " * (MEGABYTE + 1))), MEGABYTE)


def test_entities_and_document_types_are_refused_wherever_they_are() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]><DispatchBatch batchUID="B1">&b;</DispatchBatch>'
    outside = b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><DispatchBatch batchUID="B1"/>'
    for xml in (bomb, outside, bomb.decode().encode("utf-16")):
        with pytest.raises(Malformed, match="document type"):
            parse_dispatch_batch(answer(xml), MEGABYTE)
    with pytest.raises(Malformed, match="document type"):
        parse_dispatch_batch(reply(b"<!DOCTYPE a>" + answer(batch()).body.partition(b"?>")[2]), MEGABYTE)


def test_a_document_nested_without_end_is_malformed() -> None:
    xml = batch("<a>" * 100_000 + "</a>" * 100_000)
    with pytest.raises(Malformed):
        parse_dispatch_batch(answer(xml), 10 * MEGABYTE)


def test_a_result_of_more_than_ten_megabytes_is_read() -> None:
    padded = envelope("getDispatchBatch", escaped(batch("<marketID>M</marketID>")) + " " * 11 * MEGABYTE)
    assert parse_dispatch_batch(reply(padded), 20 * MEGABYTE).header.market_id == "M"


def test_the_flag_is_one_of_two_words() -> None:
    for text, meaning in (("true", True), (" 1 ", True), ("FALSE", False), ("0", False)):
        assert parse_flag(reply(envelope("isNewTrajData", text))) is meaning
    with pytest.raises(Malformed):
        parse_flag(reply(envelope("isNewTrajData", "perhaps")))


def test_a_receipt_needs_no_result() -> None:
    body = b"<E:Envelope xmlns:E='x'><E:Body><validateDispatchBatchResponse/></E:Body></E:Envelope>"
    parse_receipt(reply(body, "validateDispatchBatch"))
    with pytest.raises(Malformed):
        parse_receipt(reply(b"<E:Envelope xmlns:E='x'><E:Body/></E:Envelope>", "validateDispatchBatch"))


@pytest.mark.parametrize("text", ["0.0", "0.", "3.0", "", "0x0", "1e0"])
@pytest.mark.parametrize("operation", ["acceptInstruction", "getBatchStatus"])
def test_a_result_that_is_no_whole_number_as_the_schema_writes_it_is_none(operation: str, text: str) -> None:
    with pytest.raises(Malformed):
        parse_number(reply(envelope(operation, text), operation))


@pytest.mark.parametrize("operation", ["acceptInstruction", "getBatchStatus"])
def test_a_number_or_a_receipt_of_another_operation_is_none(operation: str) -> None:
    """Nothing else in it tells what it answers."""
    assert parse_number(reply(envelope(operation, "0"), operation)) == 0
    with pytest.raises(Malformed, match="declineInstructionResponse"):
        parse_number(reply(envelope("declineInstruction", "0"), operation))
    with pytest.raises(Malformed, match="validateDispatchBatchResponse"):
        parse_receipt(reply(envelope(operation, ""), "validateDispatchBatch"))


def inline(xml: bytes, within: str = "result") -> bytes:
    """A reply that holds its document as it is, not as text."""
    inside = f"<{within}>{xml.decode()}</{within}>" if within else xml.decode()
    return f"<E:Envelope xmlns:E='urn:e'><E:Body><m:R xmlns:m='urn:x'>{inside}</m:R></E:Body></E:Envelope>".encode()


@pytest.mark.parametrize("within", ["result", "return", ""])
def test_a_document_that_is_in_the_answer_as_it_is_is_read_as_if_it_were_packed(within: str) -> None:
    xml = instruction("<resourceId>R</resourceId><dot>12.5</dot>").replace(b"<DispatchBatch", b"<DispatchBatch xmlns='urn:v9'")
    packed_one = parse_dispatch_batch(answer(xml), MEGABYTE)
    found = parse_dispatch_batch(reply(inline(xml, within)), MEGABYTE)
    assert (found.header, found.instructions) == (packed_one.header, packed_one.instructions)
    assert b"<dot>12.5</dot>" in found.xml
    trajectories = parse_trajectories(reply(inline(b"<APITrajectoryResponse/>", within), "getTrajectoryData"), MEGABYTE)
    assert trajectories.batches == ()


def in_base64(packed_bytes: bytes) -> bytes:
    return envelope("getDispatchBatch", base64.b64encode(packed_bytes).decode())


def test_a_gzip_of_several_members_is_one_document() -> None:
    xml = instruction("<resourceId>R</resourceId>")
    members = [gzip.compress(xml[at : at + 20]) for at in range(0, len(xml), 20)]
    for behind in (b"", bytes(512)):
        document = parse_dispatch_batch(reply(in_base64(b"".join(members) + behind)), MEGABYTE)
        assert document.instructions[0].resource_id == "R"
        assert document.xml == xml


def test_a_gzip_whose_second_member_is_damaged_or_cut_is_malformed() -> None:
    xml = batch()
    first, second = gzip.compress(xml[:20]), gzip.compress(xml[20:])
    for damaged in (first + second[:-9], first + second[:12] + b"!" + second[13:]):
        with pytest.raises(Malformed):
            parse_dispatch_batch(reply(in_base64(damaged)), MEGABYTE)


def test_members_without_end_and_members_that_are_too_large_together_are_refused() -> None:
    with pytest.raises(Malformed, match="members"):
        parse_dispatch_batch(reply(in_base64(gzip.compress(b" ") * 10_000)), MEGABYTE)
    with pytest.raises(Oversized):
        parse_dispatch_batch(reply(in_base64(gzip.compress(bytes(MEGABYTE // 10)) * 11)), MEGABYTE)


def test_a_document_that_is_larger_than_the_bound_without_any_packing_is_oversized() -> None:
    with pytest.raises(Oversized):
        parse_batch_header(answer(batch(f"<marketID>{'M' * 1000}</marketID>"), "getBatchHeader"), 1000)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "iso-8859-1"])
def test_a_document_in_any_usual_encoding_is_read(encoding: str) -> None:
    declared = encoding.removesuffix("-sig").removesuffix("-le").removesuffix("-be")
    said = batch("<marketID>caf\u00e9</marketID>").decode()
    xml = f"<?xml version='1.0' encoding='{declared}'?>{said}"
    assert parse_dispatch_batch(answer(xml.encode(encoding)), MEGABYTE).header.market_id == "caf\u00e9"


@pytest.mark.parametrize("encoding", ["utf-7", "cp037", "utf-32"])
def test_an_encoding_that_could_hide_a_document_type_is_refused(encoding: str) -> None:
    declaration = f"<?xml version='1.0' encoding='{encoding}'?>"
    hidden = "<!DOCTYPE a [<!ENTITY b 'cc'>]><DispatchBatch batchUID='B1'/>"
    for xml in (declaration.encode() + hidden.encode(encoding), (declaration + hidden).encode(encoding)):
        with pytest.raises(Malformed):
            parse_dispatch_batch(answer(xml), MEGABYTE)


def test_a_bomb_of_entities_in_the_envelope_itself_is_refused_before_it_is_read() -> None:
    levels = "".join(f"<!ENTITY e{n} '{f'&e{n - 1};' * 10}'>" for n in range(1, 12))
    bomb = f"<!DOCTYPE a [<!ENTITY e0 'x'>{levels}]><E:Envelope xmlns:E='urn:e' a='&e11;'/>"
    for body in (bomb.encode(), bomb.encode("utf-16")):
        with pytest.raises(Malformed, match="document type"):
            parse_dispatch_batch(reply(body), MEGABYTE)


def test_paths_that_would_be_many_times_longer_than_the_document_are_refused() -> None:
    deep, name = 200, "n" * 200
    xml = batch(f"<{name}>" * deep + "<a/>" * 1000 + f"</{name}>" * deep)
    with pytest.raises(Malformed, match="than anybody can be told of"):
        parse_dispatch_batch(answer(xml), MEGABYTE)


def test_an_unknown_element_that_repeats_ten_thousand_times_is_kept_each_time() -> None:
    document = parse_dispatch_batch(answer(batch("<note>x</note>" * 10_000)), MEGABYTE)
    assert len(document.header.extra) == 10_000
    assert document.header.extra["note[10000]"] == "x"


def test_what_stands_beside_the_records_in_their_list_is_kept_too() -> None:
    xml = instruction("<resourceId>R</resourceId><detail unit='MW'><instructionDetail/><note>n</note></detail>")
    (found,) = parse_dispatch_batch(answer(xml), MEGABYTE).instructions
    assert found.extra == {"detail@unit": "MW", "detail.note": "n"}
    assert len(found.details) == 1


def test_attributes_are_read_and_kept_like_elements() -> None:
    schema = 'xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="t"'
    xml = batch(attributes=f'batchUID=" B1 " batchStatus="two" issuer=" X " {schema}')
    header = parse_dispatch_batch(answer(xml), MEGABYTE).header
    assert (header.batch_uid, header.batch_status, header.extra) == ("B1", None, {"batchStatus": "two", "@issuer": "X"})


EVERY_DOCUMENT = (parse_dispatch_list, parse_dispatch_batch, parse_batch_header, parse_trajectories)


@given(st.binary(max_size=400), st.sampled_from([200, 404, 500]))
def test_arbitrary_bytes_raise_only_what_is_ours(body: bytes, status: int) -> None:
    for parse in EVERY_DOCUMENT:
        with pytest.raises(AdsFailure):
            parse(reply(body, status=status), MEGABYTE)
    with pytest.raises(AdsFailure):
        parse_flag(reply(body, status=status))


@given(st.binary(max_size=200))
def test_arbitrary_bytes_inside_a_good_envelope_raise_only_what_is_ours(inside: bytes) -> None:
    for parse in EVERY_DOCUMENT:
        with pytest.raises(AdsFailure):
            parse(reply(envelope("x", packed(inside))), MEGABYTE)


@given(st.data())
def test_a_sample_with_any_of_its_bytes_changed_is_read_or_refused_and_never_crashes(data: st.DataObject) -> None:
    names = ["sample-dispatch-batch.xml", "sample-trajectory-data.xml", "sample-dispatch-batches-since-uid.xml"]
    xml = bytearray(sample(data.draw(st.sampled_from(names))))
    for _ in range(data.draw(st.integers(1, 8))):
        xml[data.draw(st.integers(0, len(xml) - 1))] = data.draw(st.integers(0, 255))
    for parse in EVERY_DOCUMENT:
        try:
            parse(answer(bytes(xml), batch_uid="DISP-59F16A91-46CA-402B-FFDC-0A090014DA8C"), MEGABYTE)
        except AdsFailure as failure:
            assert failure.reason  # noqa: PT017  # either outcome is right; what is tested is that there is no third


@given(st.text(max_size=80), st.sampled_from(["dot", "startTime", "instructionType", "resourceId", "somethingNew"]))
def test_any_text_in_any_element_is_a_value_or_kept_as_text(text: str, element: str) -> None:
    inside = escaped(text.encode("utf-8", "ignore"))
    xml = instruction(f"<resourceId>R</resourceId><{element}>{inside}</{element}>").decode()
    try:
        document = parse_dispatch_batch(answer(xml.encode()), MEGABYTE)
    except Malformed:
        return  # a character that XML does not allow
    assert len(document.instructions) == 1
