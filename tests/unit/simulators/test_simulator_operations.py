"""The operations of ADS: envelopes, faults, and the result codes of the response service."""

import gzip
from datetime import UTC, datetime, timedelta

import pytest
from lxml import etree

from simulators.ads.answers import Answers, ResultCode
from simulators.ads.clients import Clients, Rights, rights_named
from simulators.ads.dispatches import Kind
from simulators.ads.documents import Style
from simulators.ads.ledger import Ledger
from simulators.ads.market import Market, Order
from simulators.ads.operations import Ads as Shared
from simulators.ads.operations import ApiService, Arrangement, Question
from simulators.ads.plan import Unit
from simulators.ads.records import BatchStatus, BatchType, DispatchBatch
from simulators.ads.responses import ResponseService
from simulators.ads.soap import Answer, Call, SoapFault, answer_envelope, fault_envelope, parse_call
from simulators.ads.told import Told
from simulators.conduct import Conduct, Continues, UnknownCursor

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
        self.told, self.answers, self.conduct = Told(), Answers(), Conduct()
        self.clients = Clients({"guest": Rights(may_respond=False), "one": Rights(("O*",)), "nobody": Rights(("X",))})
        shared = Shared(self.ledger, self.clients, self.told, self.answers, self.conduct, {"ONE", "TWO"}, self.clock)
        self.api, self.response = ApiService(shared), ResponseService(shared)
        self.ledger.advance(self.clock.now)

    def ask(self, operation: str, batch_uid: str, client: str = "me", **more: object) -> Answer:
        return self.api.answer(Question(Call(operation, {"batchUID": batch_uid}), client, **more))  # type: ignore[arg-type]

    def newest(self, batch_type: BatchType) -> DispatchBatch:
        return [batch for batch in self.ledger.dispatches() if batch.batch_type is batch_type][-1]

    def respond(self, operation: str, batch_uid: str, instruction_uid: str, client: str = "me", **more: str) -> object:
        call = Call(operation, {"batchUID": batch_uid, "instructionUID": instruction_uid, **more})
        return self.response.answer(Question(call, client))


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
        ads.api.answer(Question(call, "me"))


def test_a_batch_uid_with_stray_spaces_is_found(ads: Ads) -> None:
    uid = ads.newest(BatchType.FIVE_MINUTE).batch_uid
    assert ads.ask("getBatchStatus", f" {uid} ") == BatchStatus.CLOSED


def test_new_trajectory_data_is_told_until_it_was_taken(ads: Ads) -> None:
    last = ads.ledger.trajectories()[-1].batch_uid
    assert ads.ask("isNewTrajData", "-1") is True
    assert ads.ask("isNewTrajData", last) is False
    ads.clock.now += timedelta(minutes=5)
    assert ads.ask("isNewTrajData", last) is True


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
    ads.ledger.set_status(hourly.batch_uid, BatchStatus.EMERGENCY_CANCELLED)
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
    begun = ads.clock.now
    ads.ask("getDispatchBatch", before.batch_uid)
    ads.clock.now += timedelta(seconds=5)
    ads.ask("getDispatchBatch", before.batch_uid)
    after = ads.ledger.revise(before.batch_uid, "ONE", 11.0)
    ads.ledger.revise(before.batch_uid, "ONE", 12.0)  # nobody asked for the one between
    newest = ads.ledger.dispatch(before.batch_uid)
    ads.ask("getDispatchBatch", before.batch_uid)
    told = [(each.batch.revision_no, each.told_at) for each in ads.told.dispatches()]
    assert told == [(before.revision_no, begun), (newest.revision_no, ads.clock.now)]
    assert after.revision_no not in dict(told)


def instruction_resources(ads: Ads, batch_uid: str, client: str) -> list[str | None]:
    document = ads.ask("getDispatchBatch", batch_uid, client)
    assert isinstance(document, bytes)
    root = etree.fromstring(gzip.decompress(document))
    return [each.findtext("{*}resourceId") for each in root.iter("{*}instruction")]


def listed(ads: Ads, since: str = "-1", client: str = "me", **more: object) -> list[str | None]:
    document = ads.ask("getDispatchBatchesSinceUID", since, client, **more)
    assert isinstance(document, str)
    return [each.get("batchUID") for each in etree.fromstring(document.encode()).iter("{*}DispatchBatch")]


def listed_trajectories(ads: Ads, client: str = "me", **more: object) -> list[tuple[str | None, set[str | None]]]:
    document = ads.ask("getTrajectoryData", "-1", client, **more)
    assert isinstance(document, bytes)
    batches = etree.fromstring(gzip.decompress(document)).iter("{*}trajectoryBatch")
    return [(each.get("batchUID"), {name.text for name in each.iter("{*}resourceId")}) for each in batches]


def test_a_client_is_given_the_instructions_that_it_may_see(ads: Ads) -> None:
    uid = ads.newest(BatchType.FIVE_MINUTE).batch_uid
    assert instruction_resources(ads, uid, "me") == ["ONE", "TWO"]
    assert instruction_resources(ads, uid, "one") == ["ONE"]


def test_a_batch_of_which_a_client_sees_nothing_is_not_in_its_cache(ads: Ads) -> None:
    of_two = ads.ledger.issue(Order(Kind.EXCEPTIONAL, ("TWO",)), ads.clock.now).batch_uid
    assert of_two in listed(ads)
    assert of_two not in listed(ads, client="one")
    assert listed(ads, client="nobody") == []
    operations = ("getDispatchBatch", "getBatchHeader", "getBatchStatus", "validateDispatchBatch", "getDispatchBatchesSinceUID")
    for operation in operations:
        with pytest.raises(SoapFault, match="does not exist"):
            ads.ask(operation, of_two, "one")


def test_a_client_is_given_the_trajectories_that_it_may_see(ads: Ads) -> None:
    assert all(names == {"ONE"} for _, names in listed_trajectories(ads, "one"))
    assert [uid for uid, _ in listed_trajectories(ads, "one")] == [uid for uid, _ in listed_trajectories(ads)]
    assert listed_trajectories(ads, "nobody") == []
    assert ads.ask("isNewTrajData", "-1", "nobody") is False
    with pytest.raises(SoapFault, match="does not exist"):
        ads.ask("isNewTrajData", ads.ledger.trajectories()[-1].batch_uid, "nobody")


def test_new_rights_hold_from_then_on(ads: Ads) -> None:
    uid = ads.newest(BatchType.FIVE_MINUTE).batch_uid
    ads.clients.grant("one", Rights(("T*",)))
    assert instruction_resources(ads, uid, "one") == ["TWO"]


def test_a_batch_that_one_client_lost_is_there_for_the_others(ads: Ads) -> None:
    uid = ads.newest(BatchType.HOURLY).batch_uid
    ads.clients.lose("one", uid)
    assert uid in listed(ads)
    assert uid not in listed(ads, client="one")
    with pytest.raises(SoapFault):
        ads.ask("getDispatchBatchesSinceUID", uid, "one")
    assert ads.respond("acceptInstruction", uid, "any", client="one") == 3


def test_a_client_answers_for_what_it_sees_only(ads: Ads) -> None:
    batch = ads.newest(BatchType.HOURLY)
    first, second = (each.instruction_uid for each in batch.instructions)
    assert ads.respond("acceptInstruction", batch.batch_uid, second, client="one") == 5
    assert ads.respond("acceptInstruction", batch.batch_uid, first, client="one") == 0
    assert [each.responder for each in ads.ledger.dispatch(batch.batch_uid).instructions] == ["one", None]


def test_the_last_answer_within_the_period_counts_and_all_are_recorded(ads: Ads) -> None:
    batch = ads.newest(BatchType.HOURLY)
    uid = batch.instructions[0].instruction_uid
    ads.respond("acceptInstruction", batch.batch_uid, uid)
    ads.respond("partialAcceptInstruction", batch.batch_uid, uid, acceptDOT="1.5", reasonCode="13")
    ads.respond("declineInstruction", batch.batch_uid, uid, client="guest", reasonCode="10")
    changed = ads.ledger.dispatch(batch.batch_uid).instructions[0]
    assert (changed.accept_status, changed.accept_dot_mw, changed.reason_code) == ("PARTIAL", 1.5, 13)
    told = [(each.client, each.operation, each.accept_dot_mw, each.reason_code, each.result_code) for each in ads.answers.all()]
    assert told == [
        ("me", "acceptInstruction", None, None, 0),
        ("me", "partialAcceptInstruction", 1.5, 13, 0),
        ("guest", "declineInstruction", None, 10, 5),
    ]


def test_an_answer_is_in_what_the_batch_says_afterwards(ads: Ads) -> None:
    batch = ads.newest(BatchType.HOURLY)
    ads.respond("declineInstruction", batch.batch_uid, batch.instructions[0].instruction_uid, reasonCode="13")
    document = ads.ask("getDispatchBatch", batch.batch_uid)
    assert isinstance(document, bytes)
    root = etree.fromstring(gzip.decompress(document))
    names = ("acceptDot", "acceptStatus", "responder", "reasonCode", "revisionNumber", "statusCode")
    assert [root.findtext(f".//{{*}}{name}") for name in names] == ["0.0", "DECLINE", "me", "13", "2", "1"]
    assert root.findtext("{*}revisionNo") == "2"


def test_an_unknown_cursor_can_be_answered_with_nothing_new(ads: Ads) -> None:
    ads.conduct.unknown_cursor = UnknownCursor.EMPTY_LIST
    assert listed(ads, "DISP-GONE") == []
    assert ads.ask("isNewTrajData", "TRAJ-GONE") is False
    with pytest.raises(SoapFault):
        ads.ask("getDispatchBatch", "DISP-GONE")


def test_a_list_can_continue_from_the_newest_revision_of_its_batch(ads: Ads) -> None:
    batch = ads.newest(BatchType.HOURLY)
    ads.ask("getDispatchBatch", batch.batch_uid)
    ads.respond("declineInstruction", batch.batch_uid, batch.instructions[0].instruction_uid, reasonCode="13")
    assert listed(ads, batch.batch_uid)[-1:] == [batch.batch_uid]
    ads.conduct.continues = Continues.NEWEST
    assert listed(ads, batch.batch_uid) == []


def test_lists_can_come_doubled_and_reversed(ads: Ads) -> None:
    plain = listed(ads)
    assert listed(ads, arrangement=Arrangement.REVERSED) == plain[::-1]
    assert listed(ads, arrangement=Arrangement.DOUBLED) == [uid for uid in plain for _ in range(2)]
    trajectories = listed_trajectories(ads)
    assert listed_trajectories(ads, arrangement=Arrangement.REVERSED) == trajectories[::-1]


@pytest.mark.parametrize("version", ["v6", "v7", "v8"])
def test_each_version_has_its_documents_in_a_namespace_of_its_own(ads: Ads, version: str) -> None:
    document = ads.ask("getBatchHeader", ads.newest(BatchType.HOURLY).batch_uid, style=Style(version))
    assert isinstance(document, str)
    assert etree.QName(etree.fromstring(document.encode())).namespace == f"http://ads.caiso.com/api/schema/{version}"


def test_what_was_told_is_known_for_each_client_as_it_was_given(ads: Ads) -> None:
    uid = ads.newest(BatchType.FIVE_MINUTE).batch_uid
    ads.ask("getDispatchBatch", uid)
    ads.ask("getDispatchBatch", uid, "one")
    told = [(each.client, [i.resource_id for i in each.batch.instructions]) for each in ads.told.dispatches()]
    assert told == [("me", ["ONE", "TWO"]), ("one", ["ONE"])]
    assert [each.client for each in ads.told.dispatches("one")] == ["one"]
    ads.ask("getTrajectoryData", "-1", "one")
    points = [dop.resource_id for each in ads.told.trajectories("one") for dop in each.batch.dops]
    assert set(points) == {"ONE"}
    assert ads.told.trajectories("me") == []


def test_what_does_not_arrive_whole_was_not_told(ads: Ads) -> None:
    uid = ads.newest(BatchType.FIVE_MINUTE).batch_uid
    ads.ask("getDispatchBatch", uid, arrives=False)
    ads.ask("getTrajectoryData", "-1", arrives=False)
    assert (ads.told.dispatches(), ads.told.trajectories()) == ([], [])


@pytest.mark.parametrize("text", ["", "=", "name=", "=ONE", "name= , "])
def test_what_a_client_sees_needs_its_name_and_a_pattern(text: str) -> None:
    with pytest.raises(ValueError, match="NAME=PATTERN"):
        rights_named([text], [])


def test_rights_are_named_in_settings() -> None:
    named = rights_named(["CN=x, O=plant=SIERRA_*, DELTA_1", "guest=A"], ["guest"])
    assert named == {
        "CN=x, O=plant": Rights(("SIERRA_*", "DELTA_1")),
        "guest": Rights(("A",), may_respond=False),
    }
