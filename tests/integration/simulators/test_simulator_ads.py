"""The simulated ADS over mutual TLS, spoken to by a third party's SOAP client (zeep) through its WSDL."""

import gzip
from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
import zeep
import zeep.exceptions
from lxml import etree
from simulated_ads import FIXTURES, NS, RESOURCES, Ads, post, simulated_ads, uids, valid
from simulator_client import Keys, soap_client, tls_session


@pytest.fixture
def ads(keys: Keys) -> Iterator[Ads]:
    with simulated_ads(keys) as running:
        yield running


def test_the_polling_loop_of_the_specification_sees_everything_that_was_sent(ads: Ads) -> None:
    headers = valid(ads.api.getDispatchBatchesSinceUID("-1"))
    listed = uids(headers, "DispatchBatch")
    seen = {}
    for uid in listed:
        batch = valid(gzip.decompress(ads.api.getDispatchBatch(uid)))
        assert ads.api.validateDispatchBatch(uid) is None
        seen[uid] = {
            (each.get("instructionUID") or "").strip(): each.findtext("a:dot", namespaces=NS)
            for each in batch.iterfind(".//a:instruction", NS)
        }
    sent = ads.admin("/sent")
    assert listed == [batch["batch_uid"] for batch in sent["batches"]]
    for batch in sent["batches"]:
        dots = {each["instruction_uid"]: each["dot_mw"] for each in batch["instructions"]}
        assert {uid: None if dot is None else float(dot) for uid, dot in seen[batch["batch_uid"]].items()} == dots
        resources = [each["resource_id"] for each in batch["instructions"]]
        assert resources == [each for each in RESOURCES if each in resources]
        assert {each["api_validated_by"] for each in batch["instructions"]} == {"TEST_John Smith"}
    assert uids(valid(ads.api.getDispatchBatchesSinceUID(listed[-1])), "DispatchBatch") == []


def test_a_new_interval_is_found_by_the_cursor(ads: Ads) -> None:
    last = uids(valid(ads.api.getDispatchBatchesSinceUID("-1")), "DispatchBatch")[-1]
    ads.clock.now += timedelta(minutes=5)
    assert len(uids(valid(ads.api.getDispatchBatchesSinceUID(last)), "DispatchBatch")) >= 1


def test_header_and_status_of_a_batch(ads: Ads) -> None:
    uid = ads.sent(0)["batch_uid"]
    header = valid(ads.api.getBatchHeader(uid))
    assert header.find("a:instructions", NS) is None
    assert header.findtext("a:batchStatus", namespaces=NS) == "3"
    assert ads.api.getBatchStatus(uid) == 3


def test_trajectories_come_from_their_own_cursor(ads: Ads) -> None:
    assert ads.api.isNewTrajData("-1") is True
    root = valid(gzip.decompress(ads.api.getTrajectoryData("-1")))
    listed = uids(root, "trajectoryBatch")
    sent = ads.admin("/sent")["trajectories"]
    assert listed == [batch["batch_uid"] for batch in sent]
    dops = [float(text.text or "") for text in root.iterfind(".//a:dop", NS)]
    assert dops == [dop["dop_mw"] for batch in sent for dop in batch["dops"]]
    assert ads.api.isNewTrajData(listed[-1]) is False


def test_caisos_sample_of_a_load_following_request_gets_an_answer(ads: Ads) -> None:
    request = (FIXTURES / "sample-msslf-request.xml").read_text(encoding="utf-8").replace(">test<", ">DELTA_6_HYDRO1<")
    root = valid(ads.api.submitMSSLFRequest(request))
    assert root.findtext(".//a:validated", namespaces=NS) == "true"


def test_an_unknown_uid_is_a_soap_fault(ads: Ads) -> None:
    operations = ("getDispatchBatchesSinceUID", "getDispatchBatch", "getBatchHeader", "getBatchStatus", "isNewTrajData")
    for operation in (*operations, "getTrajectoryData", "validateDispatchBatch"):
        with pytest.raises(zeep.exceptions.Fault, match="does not exist"):
            ads.api[operation]("DISP-GONE")


def test_instructions_are_answered_with_caisos_result_codes(ads: Ads) -> None:
    hourly, five = ads.sent(1), ads.sent(0)
    uid, first, second, third = hourly["batch_uid"], *(each["instruction_uid"] for each in hourly["instructions"])
    hydro_mw = hourly["instructions"][2]["dot_mw"]
    assert ads.response.acceptInstruction(uid, first) == 0
    assert ads.response.declineInstruction(uid, second, 10) == 0
    assert ads.response.partialAcceptInstruction(uid, third, hydro_mw / 2, 13) == 0
    assert ads.response.partialAcceptInstruction(uid, third, hydro_mw + 1, 13) == 1
    assert ads.response.acceptInstruction(five["batch_uid"], five["instructions"][0]["instruction_uid"]) == 2
    assert ads.response.acceptInstruction("DISP-GONE", first) == 3
    assert ads.response.acceptInstruction(uid, "GONE") == 4
    answered = valid(gzip.decompress(ads.api.getDispatchBatch(uid)))
    assert [each.text for each in answered.iterfind(".//a:acceptStatus", NS)] == ["ACCEPT", "DECLINE", "PARTIAL"]
    assert {each.text for each in answered.iterfind(".//a:responder", NS)} == {"TEST_John Smith"}


def test_a_client_that_may_only_look_gets_code_5(ads: Ads) -> None:
    hourly = ads.sent(1)
    with tls_session(ads.keys, ads.keys.guest) as session:
        response = soap_client(ads.at.ads_response, session)
        assert response.acceptInstruction(hourly["batch_uid"], hourly["instructions"][0]["instruction_uid"]) == 5


@pytest.mark.parametrize("certificate", [None, "stranger"])
def test_a_client_without_a_certificate_of_our_ca_is_refused(ads: Ads, certificate: str | None) -> None:
    chosen = ads.keys.stranger if certificate else None
    with tls_session(ads.keys, chosen) as session, pytest.raises(requests.exceptions.ConnectionError):
        session.get(ads.at.ads + "?wsdl", timeout=10)


def test_plain_http_is_not_served_by_ads(ads: Ads) -> None:
    with pytest.raises(requests.exceptions.ConnectionError):
        ads.session.get(ads.at.ads.replace("https", "http"), timeout=10)


def test_every_reply_carries_the_date_of_the_simulators_clock(ads: Ads) -> None:
    reply = ads.session.get(ads.at.ads + "?wsdl", timeout=10)
    assert reply.headers["Date"] == "Wed, 01 Jul 2026 12:41:00 GMT"


def test_every_version_answers_alike_in_a_namespace_of_its_own_and_other_paths_are_not_there(ads: Ads) -> None:
    answers = {}
    for version in ("v6", "v7", "v8"):
        api = soap_client(ads.at.ads.replace("v7", version), ads.session)
        answers[version] = api.getDispatchBatchesSinceUID("-1").replace(f"/schema/{version}", "/schema/any")
        hourly = ads.sent(1)
        response = soap_client(ads.at.ads_response.replace("v7", version), ads.session)
        assert response.acceptInstruction(hourly["batch_uid"], "GONE") == 4
    assert answers["v6"] == answers["v7"] == answers["v8"]
    assert "/schema/any" in answers["v8"]
    assert ads.session.get(ads.at.ads.replace("v7", "v5"), timeout=10).status_code == 404
    assert ads.session.get(ads.at.ads, timeout=10).status_code == 405


def test_each_certificate_has_its_own_resources_cache_and_answers(ads: Ads) -> None:
    two = ["SIERRA_2_SOLAR1", "SIERRA_2_BESS1"]
    of_delta = ads.admin("/issue", kind="max_constraint", resources=["DELTA_6_HYDRO1"])["batch_uid"]
    hourly = ads.sent(1)
    with tls_session(ads.keys, ads.keys.sierra) as session:
        api, response = soap_client(ads.at.ads, session), soap_client(ads.at.ads_response, session)
        listed = uids(valid(api.getDispatchBatchesSinceUID("-1")), "DispatchBatch")
        assert of_delta not in listed
        with pytest.raises(zeep.exceptions.Fault, match="does not exist"):
            api.getDispatchBatch(of_delta)
        given = {uid: valid(gzip.decompress(api.getDispatchBatch(uid))) for uid in listed}
        points = valid(gzip.decompress(api.getTrajectoryData("-1")))
        assert [response.acceptInstruction(hourly["batch_uid"], f"{hourly['batch_uid']}-I{index}") for index in (0, 2)] == [
            0,
            5,
        ]
    seen = {(each.text or "").strip() for root in (*given.values(), points) for each in root.iterfind(".//a:resourceId", NS)}
    assert seen == set(two)
    whole = uids(valid(ads.api.getDispatchBatchesSinceUID("-1")), "DispatchBatch")
    assert of_delta in whole
    assert [uid for uid in whole if uid in listed] == [uid for uid in listed if uid != hourly["batch_uid"]] + [
        hourly["batch_uid"]
    ]
    told = {each["batch"]["batch_uid"]: each["batch"] for each in ads.admin("/told?client=sierra")}
    assert {uid: _instructions(root) for uid, root in given.items()} == {
        uid: [each["instruction_uid"] for each in batch["instructions"]] for uid, batch in told.items()
    }
    assert len(ads.admin("/told/trajectories?client=sierra")) == len(uids(points, "trajectoryBatch"))
    assert [(each["client"], each["result_code"]) for each in ads.admin("/answers")] == [("sierra", 0), ("sierra", 5)]


def _instructions(root: etree._Element) -> list[str]:
    return [(each.get("instructionUID") or "").strip() for each in root.iterfind(".//a:instruction", NS)]


def test_the_rights_of_a_certificate_can_be_changed(ads: Ads) -> None:
    ads.admin("/clients", client="TEST_John Smith", resources=["DELTA_*"], may_respond=False)
    hourly = ads.sent(1)
    batch = valid(gzip.decompress(ads.api.getDispatchBatch(hourly["batch_uid"])))
    assert [(each.text or "").strip() for each in batch.iterfind(".//a:resourceId", NS)] == ["DELTA_6_HYDRO1"]
    assert ads.response.acceptInstruction(hourly["batch_uid"], hourly["instructions"][2]["instruction_uid"]) == 5
    assert {"client": "sierra", "resources": ["SIERRA_*"], "may_respond": True} in ads.admin("/clients")


@pytest.mark.parametrize(
    ("kind", "batch_type", "instruction_type"),
    [
        *[("msg_transition", 2, 7), ("start_up", 2, 4), ("shut_down", 2, 5), ("as_award", 3, 6), ("hourly_as_award", 5, 6)],
        *[("min_constraint", 4, 1), ("max_constraint", 4, 2), ("fixed_constraint", 4, 3), ("exceptional_dispatch", 4, 0)],
        *[("as_test", 12, 0), ("flex_ramp", 10, 6), ("hourly", 1, 0), ("five_minute", 0, 0)],
    ],
)
def test_every_kind_of_batch_can_be_ordered(ads: Ads, kind: str, batch_type: int, instruction_type: int) -> None:
    uid = ads.admin("/issue", kind=kind, resources=["DELTA_6_HYDRO1"])["batch_uid"]
    assert uids(valid(ads.api.getDispatchBatchesSinceUID("-1")), "DispatchBatch")[-1] == uid
    batch = valid(gzip.decompress(ads.api.getDispatchBatch(uid)))
    assert batch.findtext("a:batchType", namespaces=NS) == str(batch_type)
    assert [each.text for each in batch.iterfind(".//a:instructionType", NS)] == [str(instruction_type)]
    configurations = [batch.findtext(f".//a:transition{end}ConfigId", namespaces=NS) for end in ("From", "To")]
    assert sorted(map(bool, configurations)) == [kind == "msg_transition"] * 2
    assert len(set(configurations)) == (2 if kind == "msg_transition" else 1)


def test_an_answer_after_the_end_of_the_period_comes_too_late_and_the_minimum_was_accepted(ads: Ads) -> None:
    batch = ads.admin("/issue", kind="hourly", dot_mw=40.0, min_accept_mw=15.0)
    uid, first = batch["batch_uid"], batch["instructions"][0]["instruction_uid"]
    assert ads.response.partialAcceptInstruction(uid, first, 40.5, 13) == 1
    assert ads.response.declineInstruction(uid, first, 17) == 1
    ads.clock.now += timedelta(minutes=3)
    assert ads.response.acceptInstruction(uid, first) == 2
    over = valid(gzip.decompress(ads.api.getDispatchBatch(uid)))
    assert over.findtext("a:batchStatus", namespaces=NS) == "2"
    assert {each.text for each in over.iterfind(".//a:acceptDot", NS)} == {"15.0"}
    assert {each.text for each in over.iterfind(".//a:reasonCode", NS)} == {"15"}


def test_a_cancelled_and_a_revised_batch_come_again(ads: Ads) -> None:
    last = uids(valid(ads.api.getDispatchBatchesSinceUID("-1")), "DispatchBatch")[-1]
    five = [batch["batch_uid"] for batch in ads.admin("/sent")["batches"] if batch["batch_type"] == 0]
    ads.admin("/cancel", batch_uid=five[0])
    ads.admin("/revise", batch_uid=five[1], resource_id="DELTA_6_HYDRO1", dot_mw=33.25)
    again = valid(ads.api.getDispatchBatchesSinceUID(last))
    assert uids(again, "DispatchBatch") == five[:2]
    assert [each.text for each in again.iterfind(".//a:revisionNo", NS)] == ["2", "2"]
    assert ads.api.getBatchStatus(five[0]) == 4
    revised = valid(gzip.decompress(ads.api.getDispatchBatch(five[1])))
    assert revised.findall(".//a:dot", NS)[2].text == "33.25"
    assert [each.text for each in revised.iterfind(".//a:revisionNumber", NS)] == ["1", "1", "2"]


def test_an_unqualified_rpc_style_call_is_understood(ads: Ads) -> None:
    assert "true" in post(ads, "isNewTrajData", "-1").text


@pytest.mark.parametrize(
    ("path", "order"),
    [
        ("/faults", {"service": "ads", "fault": "flood"}),
        ("/faults", {"service": "ads", "fault": "cut", "times": "often"}),
        ("/cancel", {"batch_uid": "DISP-GONE"}),
        ("/revise", {"batch_uid": "DISP-GONE", "resource_id": "X", "dot_mw": 1}),
        ("/revise", {"batch_uid": "DISP-GONE", "resource_id": "X", "dot_mw": "much"}),
    ],
)
def test_an_order_that_cannot_be_carried_out_is_refused_with_its_reason(ads: Ads, path: str, order: dict[str, object]) -> None:
    reply = ads.session.post(ads.at.admin + path, json=order, timeout=10)
    assert reply.status_code == 400
    assert reply.json()["error"]
