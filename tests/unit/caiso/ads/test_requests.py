"""What is asked: the address of each version, and the bytes of each question. Read with the standard library's parser."""

import math
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from ads_replies import envelope

from caiso.ads import (
    AdsAddress,
    AdsClient,
    LoadFollowingInstruction,
    LoadFollowingRequest,
    Question,
    ReasonCode,
    Reply,
    ResponseResult,
    ResultCode,
    UnknownAddress,
    Unsendable,
)
from caiso.ads.records import RESULT_WORDS
from caiso.ads.soap import wrap

NAMESPACE = "urn-com-caiso-ads-webservices-api"


@dataclass
class Told:
    """Answers every question with one text, and remembers what was asked."""

    result: str = "0"
    asked: list[Question] = field(default_factory=list)

    def fetch(self, question: Question) -> Reply:
        self.asked.append(question)
        return Reply(question, 200, envelope(question.operation, self.result))


def parameters(question: Question) -> dict[str, str | None]:
    """What a request says, in its order."""
    (body,) = ET.fromstring(wrap(question, NAMESPACE))
    (operation,) = body
    assert operation.tag == f"{{{NAMESPACE}}}{question.operation}"
    return {each.tag.removeprefix(f"{{{NAMESPACE}}}"): each.text for each in operation}


@pytest.mark.parametrize("version", [6, 7, 8])
def test_an_address_gives_both_services_and_the_namespace_of_its_version(version: int) -> None:
    address = AdsAddress.of(f"https://adssta.caiso.com:447/ADS/APIWebService/v{version}")
    assert address.response_url == f"https://adssta.caiso.com:447/ADS/APIResponseWebService/v{version}"
    assert (address.namespace, address.document_namespace) == (NAMESPACE, f"http://ads.caiso.com/api/schema/v{version}")


def test_a_version_may_be_named_beside_the_address() -> None:
    address = AdsAddress.of("https://proxy.example/ADS/APIWebService", version=7, namespace="urn:other")
    assert (address.response_url, address.namespace) == ("https://proxy.example/ADS/APIResponseWebService", "urn:other")


@pytest.mark.parametrize(
    "url",
    [
        "https://adsws.prod.caiso.com/ADS/APIWebService",
        "https://adsws.prod.caiso.com/ADS/APIWebService/v5",
        "https://adsws.prod.caiso.com/ADS/APIResponseWebService/v8",
        "https://adsws.prod.caiso.com/",
        "http://adsws.prod.caiso.com/ADS/APIWebService/v8",
        "HTTP://127.0.0.1:8080/ADS/APIWebService/v8",
        "https://me:secret@adsws.prod.caiso.com/ADS/APIWebService/v8",
        "https:///ADS/APIWebService/v8",
        "adsws.prod.caiso.com/ADS/APIWebService/v8",
        "",
    ],
)
def test_an_address_without_a_version_or_of_something_else_is_refused(url: str) -> None:
    with pytest.raises(UnknownAddress):
        AdsAddress.of(url)


@pytest.mark.parametrize("plain", ["url", "response_url"])
def test_neither_service_is_asked_in_clear(plain: str) -> None:
    addresses = dict.fromkeys(("url", "response_url"), "https://127.0.0.1/ADS") | {plain: "http://127.0.0.1/ADS"}
    with pytest.raises(UnknownAddress, match="must begin with https://"):
        AdsAddress(**addresses)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(UnknownAddress) as raised:
        AdsAddress.of("https://me:secret@adsws.prod.caiso.com/ADS/APIWebService/v8")
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("megawatts", [math.nan, math.inf, -math.inf, None, "many"])
def test_what_is_no_number_of_megawatts_is_not_sent(megawatts: float) -> None:
    ads = Told()
    with pytest.raises(Unsendable, match="acceptDOT") as raised:
        AdsClient(ads).partial_accept_instruction("B1", "I1", megawatts, 13)
    assert (raised.value.is_unsent, ads.asked) == (True, [])


@pytest.mark.parametrize("reason", [None, "economic", math.nan])
def test_what_is_no_reason_code_is_not_sent(reason: int) -> None:
    ads = Told()
    for respond in (
        lambda client: client.decline_instruction("B1", "I1", reason),
        lambda client: client.partial_accept_instruction("B1", "I1", 1.0, reason),
    ):
        with pytest.raises(Unsendable, match="reasonCode"):
            respond(AdsClient(ads))
    assert ads.asked == []


@pytest.mark.parametrize("uid", ["B\0", "\x1f", "\ufffe", "\ud800", None])
def test_what_xml_cannot_carry_is_not_sent(uid: str) -> None:
    for question in (Question("getDispatchBatch", uid), Question("acceptInstruction", "B1", (("instructionUID", uid),))):
        with pytest.raises(Unsendable, match="XML") as raised:
            wrap(question, NAMESPACE)
        assert raised.value.is_unsent


@pytest.mark.parametrize(
    "instruction",
    [
        LoadFollowingInstruction("B1", "I", "R", None, None, math.nan),
        LoadFollowingInstruction("B1", "I", "R", None, None, math.inf),
        LoadFollowingInstruction("B1", "I", "R", datetime(2026, 3, 1, 12), None, 1.0),  # noqa: DTZ001  # that is the point
    ],
)
def test_load_following_of_no_number_or_at_no_certain_time_is_not_sent(instruction: LoadFollowingInstruction) -> None:
    ads = Told()
    with pytest.raises(Unsendable):
        AdsClient(ads).submit_mss_lf_request(LoadFollowingRequest("B1", (instruction,)))
    assert ads.asked == []


def test_a_response_names_batch_instruction_megawatts_and_reason() -> None:
    ads = Told()
    client = AdsClient(ads)
    client.accept_instruction("B<1>", "I&1")
    client.decline_instruction("B1", "I1", ReasonCode.LINE_DOWN)
    client.partial_accept_instruction("B1", "I1", 12.5, 13)
    assert [parameters(question) for question in ads.asked] == [
        {"batchUID": "B<1>", "instructionUID": "I&1"},
        {"batchUID": "B1", "instructionUID": "I1", "reasonCode": "10"},
        {"batchUID": "B1", "instructionUID": "I1", "acceptDOT": "12.5", "reasonCode": "13"},
    ]


def test_every_result_code_has_words_and_one_that_is_not_known_passes_with_its_number() -> None:
    assert set(RESULT_WORDS) == set(ResultCode)
    assert AdsClient(Told("9")).accept_instruction("B1", "I1") == ResponseResult(9)
    assert ResponseResult(9).words == "result code 9, which the specification does not have"
    assert [code for code in ResultCode if ResponseResult(code).is_success] == [ResultCode.SUCCESS]


def test_load_following_is_submitted_in_the_namespace_of_the_version_without_what_is_absent() -> None:
    ads = Told("&lt;MSSLFResponse/&gt;")
    client = AdsClient(ads, document_namespace="http://ads.caiso.com/api/schema/v7")
    start_at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    client.submit_mss_lf_request(LoadFollowingRequest("B1", (LoadFollowingInstruction("B1", "I1", "R", start_at, None, -1.5),)))
    (document,) = parameters(ads.asked[0]).values()
    root = ET.fromstring(document or "")
    names = [element.tag for element in root.iter()]
    assert {name.partition("}")[0] for name in names} == {"{http://ads.caiso.com/api/schema/v7"}
    texts = {element.tag.partition("}")[2]: element.text for element in root.iter() if element.text}
    assert texts == {
        "scMSSBatchId": "B1",
        "scMSSLFInstructionId": "I1",
        "resourceId": "R",
        "startTime": "2026-03-01T12:00:00+00:00",
        "loadFollowingMW": "-1.5",
    }
