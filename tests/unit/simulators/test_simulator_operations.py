"""The operations of ADS: envelopes, faults, and the result codes of the response service."""

from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from simulators.ads.documents import Style
from simulators.ads.ledger import Ledger
from simulators.ads.market import Market
from simulators.ads.operations import ApiService, ResponseService, ResultCode
from simulators.ads.plan import Unit
from simulators.ads.records import BatchStatus, BatchType, DispatchBatch
from simulators.ads.soap import Answer, Call, SoapFault, answer_envelope, fault_envelope, parse_call
from simulators.ads.told import Told

UNITS = (
    Unit("ONE", variable=True, pmin_mw=10.0, pmax_mw=100.0, ramp_mw_per_min=20.0),
    Unit("TWO", variable=False, pmin_mw=-80.0, pmax_mw=-20.0, ramp_mw_per_min=10.0),
)
START = datetime(2026, 7, 1, 12, 1, tzinfo=UTC)
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"


class Clock:
    now = START + timedelta(minutes=35)

    def __call__(self) -> datetime:
        return self.now


class Ads:
    """Both services over one ledger, thirty-five minutes after its start: an hourly batch awaits answers."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.ledger = Ledger(Market(UNITS, 300, 1), START)
        self.told = Told()
        self.api = ApiService(self.ledger, self.told, {"ONE", "TWO"}, Style(), self.clock)
        self.response = ResponseService(self.ledger, {"guest"}, self.clock)
        self.ledger.advance(self.clock.now)

    def newest(self, batch_type: BatchType) -> DispatchBatch:
        return [batch for batch in self.ledger.dispatches() if batch.batch_type is batch_type][-1]

    def respond(self, operation: str, batch_uid: str, instruction_uid: str, client: str = "me", **more: str) -> object:
        call = Call(operation, {"batchUID": batch_uid, "instructionUID": instruction_uid, **more})
        return self.response.answer(call, client)


@pytest.fixture
def ads() -> Ads:
    return Ads()


def envelope(body: str) -> bytes:
    return f'<s:Envelope xmlns:s="{SOAP}"><s:Body>{body}</s:Body></s:Envelope>'.encode()


@pytest.mark.parametrize(
    "body",
    [
        '<getBatchStatus xmlns="urn-com-caiso-ads-webservices-api"><batchUID>-1</batchUID></getBatchStatus>',
        '<x:getBatchStatus xmlns:x="urn:any"><batchUID>-1</batchUID></x:getBatchStatus>',
        "<getBatchStatus><!-- rpc --><batchUID>-1</batchUID></getBatchStatus>",
    ],
)
def test_a_call_is_read_by_local_names(body: str) -> None:
    assert parse_call(envelope(body)) == Call("getBatchStatus", {"batchUID": "-1"})


def test_a_parameter_may_be_a_document_or_its_text() -> None:
    as_element = parse_call(envelope("<op><request><MSSLFRequest><a>1</a></MSSLFRequest></request></op>"))
    as_text = parse_call(envelope("<op><request>&lt;MSSLFRequest&gt;&lt;a&gt;1&lt;/a&gt;&lt;/MSSLFRequest&gt;</request></op>"))
    assert etree.fromstring(as_element.parameters["request"]).findtext("a") == "1"
    assert as_text.parameters["request"] == "<MSSLFRequest><a>1</a></MSSLFRequest>"


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"not xml",
        b"<a/>",
        f'<s:Envelope xmlns:s="{SOAP}"/>'.encode(),
        envelope(""),
        b'<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>' + envelope("<op><batchUID>&e;</batchUID></op>"),
    ],
)
def test_what_is_no_call_is_a_fault_of_the_client(broken: bytes) -> None:
    with pytest.raises(SoapFault) as refused:
        parse_call(broken)
    assert refused.value.code == "SOAP-ENV:Client"


@pytest.mark.parametrize(
    ("answer", "text"), [(True, "true"), (False, "false"), (3, "3"), ("<a/>", "<a/>"), (b"\x00\xff", "AP8="), ("", None)]
)
def test_an_answer_comes_as_the_text_of_result(answer: Answer, text: str | None) -> None:
    root = etree.fromstring(answer_envelope("op", answer))
    assert root.findtext(".//{*}opResponse/{*}result") == (text or "")


def test_an_operation_without_an_answer_has_no_result() -> None:
    root = etree.fromstring(answer_envelope("validateDispatchBatch", None))
    assert root.find(".//{*}validateDispatchBatchResponse") is not None
    assert root.find(".//{*}result") is None


def test_a_fault_says_whose_it_is_and_why() -> None:
    root = etree.fromstring(fault_envelope(SoapFault("all is lost", ours=True)))
    fault = root.find(f".//{{{SOAP}}}Fault")
    assert fault is not None
    assert (fault.findtext("faultcode"), fault.findtext("faultstring")) == ("SOAP-ENV:Server", "all is lost")


@pytest.mark.parametrize(
    "call",
    [
        Call("getBatchListByDate", {"batchUID": "-1"}),
        Call("getDispatchBatch", {}),
        Call("getDispatchBatch", {"batchUID": "-1"}),
        Call("getDispatchBatchesSinceUID", {"batchUID": "DISP-GONE"}),
        Call("isNewTrajData", {"batchUID": "TRAJ-GONE"}),
        Call("validateDispatchBatch", {"batchUID": "TRAJ-GONE"}),
        Call("submitMSSLFRequest", {"request": "<other/>"}),
    ],
)
def test_a_call_without_an_answer_is_a_fault(ads: Ads, call: Call) -> None:
    with pytest.raises(SoapFault):
        ads.api.answer(call, "me")


def test_a_batch_uid_with_stray_spaces_is_found(ads: Ads) -> None:
    uid = ads.newest(BatchType.FIVE_MINUTE).batch_uid
    assert ads.api.answer(Call("getBatchStatus", {"batchUID": f" {uid} "}), "me") == BatchStatus.CLOSED


def test_new_trajectory_data_is_told_until_it_was_taken(ads: Ads) -> None:
    last = ads.ledger.trajectories()[-1].batch_uid
    assert ads.api.answer(Call("isNewTrajData", {"batchUID": "-1"}), "me") is True
    assert ads.api.answer(Call("isNewTrajData", {"batchUID": last}), "me") is False
    ads.clock.now += timedelta(minutes=5)
    assert ads.api.answer(Call("isNewTrajData", {"batchUID": last}), "me") is True


def test_an_accepted_instruction_carries_the_answer(ads: Ads) -> None:
    batch = ads.newest(BatchType.HOURLY)
    assert ads.respond("acceptInstruction", batch.batch_uid, batch.instructions[0].instruction_uid) == ResultCode.SUCCESS
    changed = ads.ledger.dispatch(batch.batch_uid)
    assert changed.revision_no == batch.revision_no + 1
    first, second = changed.instructions
    assert (first.accept_status, first.accept_dot_mw, first.responder) == ("ACCEPT", first.dot_mw, "me")
    assert (first.revision_number, second.revision_number, second.accept_status) == (2, 1, None)


def test_a_batch_whose_instructions_are_all_answered_closes(ads: Ads) -> None:
    batch = ads.newest(BatchType.HOURLY)
    for each in batch.instructions:
        ads.respond("acceptInstruction", batch.batch_uid, each.instruction_uid)
    ads.ledger.advance(batch.expires_at)
    assert ads.ledger.dispatch(batch.batch_uid).batch_status is BatchStatus.CLOSED


@pytest.mark.parametrize(("reason", "code"), [("10", 0), ("16", 0), ("9", 1), ("17", 1)])
def test_a_refusal_needs_a_reason_of_caisos_list(ads: Ads, reason: str, code: int) -> None:
    batch = ads.newest(BatchType.HOURLY)
    uid = batch.instructions[0].instruction_uid
    assert ads.respond("declineInstruction", batch.batch_uid, uid, reasonCode=reason) == code


@pytest.mark.parametrize(
    ("index", "share", "reason", "code"),
    [
        *[(0, 0.5, "13", 0), (0, 0.0, "13", 0), (0, 1.0, "13", 0), (0, 1.01, "13", 1), (0, -0.01, "13", 1), (0, 0.5, "99", 1)],
        *[(1, 0.5, "13", 0), (1, 1.01, "13", 1), (1, -0.01, "13", 1), (0, float("nan"), "13", 1), (0, float("inf"), "13", 1)],
    ],
)
def test_a_partial_acceptance_lies_between_zero_and_the_dot(ads: Ads, index: int, share: float, reason: str, code: int) -> None:
    batch = ads.newest(BatchType.HOURLY)
    instruction = batch.instructions[index]
    accepted = str((instruction.dot_mw or 0.0) * share)
    uid = instruction.instruction_uid
    answer = ads.respond("partialAcceptInstruction", batch.batch_uid, uid, acceptDOT=accepted, reasonCode=reason)
    assert answer == code


def test_outside_the_response_period_the_code_is_2(ads: Ads) -> None:
    five, hourly = ads.newest(BatchType.FIVE_MINUTE), ads.newest(BatchType.HOURLY)
    assert ads.respond("acceptInstruction", five.batch_uid, five.instructions[0].instruction_uid) == 2
    ads.clock.now = hourly.expires_at
    assert ads.respond("acceptInstruction", hourly.batch_uid, hourly.instructions[0].instruction_uid) == 2


def test_a_cancelled_batch_takes_no_answers(ads: Ads) -> None:
    hourly = ads.newest(BatchType.HOURLY)
    ads.ledger.cancel(hourly.batch_uid)
    assert ads.respond("acceptInstruction", hourly.batch_uid, hourly.instructions[0].instruction_uid) == 2


def test_unknown_batches_and_instructions_and_clients_have_codes_3_4_and_5(ads: Ads) -> None:
    hourly = ads.newest(BatchType.HOURLY)
    uid = hourly.instructions[0].instruction_uid
    assert ads.respond("acceptInstruction", "DISP-GONE", uid) == 3
    assert ads.respond("acceptInstruction", hourly.batch_uid, "GONE") == 4
    assert ads.respond("acceptInstruction", hourly.batch_uid, uid, client="guest") == 5


def test_a_number_that_is_none_is_a_fault(ads: Ads) -> None:
    hourly = ads.newest(BatchType.HOURLY)
    with pytest.raises(SoapFault, match="reasonCode"):
        ads.respond("declineInstruction", hourly.batch_uid, hourly.instructions[0].instruction_uid, reasonCode="why")


def test_what_was_told_is_known_after_it_was_replaced(ads: Ads) -> None:
    before = ads.newest(BatchType.FIVE_MINUTE)
    asking = Call("getDispatchBatch", {"batchUID": before.batch_uid})
    begun = ads.clock.now
    ads.api.answer(asking, "me")
    ads.clock.now += timedelta(seconds=5)
    ads.api.answer(asking, "me")
    after = ads.ledger.revise(before.batch_uid, "ONE", 11.0)
    ads.ledger.revise(before.batch_uid, "ONE", 12.0)  # nobody asked for the one between
    newest = ads.ledger.dispatch(before.batch_uid)
    ads.api.answer(asking, "me")
    told = [(each.batch.revision_no, each.told_at) for each in ads.told.all()]
    assert told == [(before.revision_no, begun), (newest.revision_no, ads.clock.now)]
    assert after.revision_no not in dict(told)
