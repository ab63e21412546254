"""The simulated ADS over mutual TLS, spoken to by a third party's SOAP client (zeep) through its WSDL."""

import gzip
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
import zeep
import zeep.exceptions
from lxml import etree
from simulator_client import EXAMPLE, Clock, Keys, simulating, soap_client, tls_session

from simulators.server import Addresses

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ads"
V6 = b"http://ads.caiso.com/api/schema/v6"
V7 = b"http://ads.caiso.com/api/schema/v7"
SCHEMA = etree.XMLSchema(etree.fromstring((FIXTURES / "ads.caiso.com.xsd").read_bytes().replace(V6, V7)))
RESOURCES = ["SIERRA_2_SOLAR1", "SIERRA_2_BESS1", "DELTA_6_HYDRO1"]
NS = {"a": V7.decode()}


@dataclass
class Ads:
    """A running simulator with thirty-five intervals behind it, and clients of it."""

    at: Addresses
    clock: Clock
    keys: Keys
    session: requests.Session
    api: Any
    response: Any

    def admin(self, path: str, **order: object) -> Any:
        url = self.at.admin + path
        reply = self.session.post(url, json=order, timeout=10) if order else self.session.get(url, timeout=10)
        assert reply.ok, reply.text
        return reply.json()

    def sent(self, batch_type: int) -> dict[str, Any]:
        batches: list[dict[str, Any]] = self.admin("/sent")["batches"]
        return [batch for batch in batches if batch["batch_type"] == batch_type][-1]


@pytest.fixture
def ads(keys: Keys) -> Iterator[Ads]:
    clock = Clock(datetime(2026, 7, 1, 12, 41, tzinfo=UTC))
    with (
        simulating(
            keys,
            EXAMPLE,
            clock,
            history_intervals=35,
            read_only=("guest",),
            sees=("sierra=SIERRA_*",),
            hold_s=30,
            oversized_mb=8,
        ) as at,
        tls_session(keys, keys.client) as session,
    ):
        yield Ads(at, clock, keys, session, soap_client(at.ads, session), soap_client(at.ads_response, session))


def valid(document: str | bytes) -> etree._Element:
    root = etree.fromstring(document.encode() if isinstance(document, str) else document)
    SCHEMA.assertValid(root)
    return root


def uids(root: etree._Element, name: str) -> list[str]:
    return [(element.get("batchUID") or "").strip() for element in root.iterfind(f".//a:{name}", NS)]


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


def post(ads: Ads, operation: str, batch_uid: str, timeout_s: float = 10) -> requests.Response:
    body = f"<{operation}><batchUID>{batch_uid}</batchUID></{operation}>"
    envelope = f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{body}</e:Body></e:Envelope>'
    return ads.session.post(ads.at.ads, data=envelope, timeout=timeout_s)


def test_an_unqualified_rpc_style_call_is_understood(ads: Ads) -> None:
    assert "true" in post(ads, "isNewTrajData", "-1").text


def test_ordered_faults_happen_once_and_then_all_is_well(ads: Ads) -> None:
    uid = ads.sent(0)["batch_uid"]
    checks: dict[str, Callable[[requests.Response], bool]] = {
        "soap_fault": lambda reply: reply.status_code == 500 and "Fault" in reply.text,
        "busy": lambda reply: reply.status_code == 500 and "ADS is busy" in reply.text,
        "http_503": lambda reply: reply.status_code == 503,
        "http_500": lambda reply: reply.status_code == 500 and "Fault" not in reply.text,
        "malformed": lambda reply: reply.status_code == 200 and _is_broken(reply.content),
        "oversized": lambda reply: len(reply.content) > 8_000_000,
        "wrong_gzip": lambda reply: reply.status_code == 200 and _result(reply)[:4] == "H4sI",
        "bomb": lambda reply: reply.status_code == 200 and len(reply.content) < 5_000_000,
    }
    for fault, check in checks.items():
        ads.admin("/faults", service="ads", fault=fault)
        assert check(post(ads, "getDispatchBatch", uid)), fault
        assert ads.admin("/faults")["pending"] == []
        assert post(ads, "getDispatchBatch", uid).status_code == 200


def test_a_reply_can_be_cut_or_never_come(ads: Ads) -> None:
    uid = ads.sent(0)["batch_uid"]
    ads.admin("/faults", service="ads", fault="cut")
    with pytest.raises(requests.exceptions.RequestException):
        post(ads, "getDispatchBatch", uid)
    ads.admin("/faults", service="ads", fault="timeout")
    with pytest.raises(requests.exceptions.ReadTimeout):
        post(ads, "getDispatchBatch", uid, timeout_s=0.3)
    assert post(ads, "getDispatchBatch", uid).ok


def test_a_trajectory_can_be_empty(ads: Ads) -> None:
    ads.admin("/faults", service="ads", fault="empty_trajectory")
    assert ads.api.isNewTrajData("-1") is True
    assert uids(valid(gzip.decompress(ads.api.getTrajectoryData("-1"))), "trajectoryBatch") == []
    assert uids(valid(gzip.decompress(ads.api.getTrajectoryData("-1"))), "trajectoryBatch") != []


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


def _is_broken(content: bytes) -> bool:
    try:
        etree.fromstring(content)
    except etree.XMLSyntaxError:
        return True
    return False


def _result(reply: requests.Response) -> str:
    return etree.fromstring(reply.content).findtext(".//{*}result") or ""


# The program


def started(keys: Keys, *more: str) -> subprocess.Popen[str]:
    options = {
        "config": EXAMPLE,
        "certificate": keys.server,
        "key": keys.server,
        "client-ca": keys.authority,
        "ads-port": 0,
        "oasis-port": 0,
        "admin-port": 0,
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "simulators", *arguments, *more]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_even_while_a_reply_hangs(keys: Keys, number: signal.Signals) -> None:
    with started(keys) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        at = dict(line.strip().split(": ", 1) for line in lines)
        port = int(at["admin"].rsplit(":", 1)[1])
        with requests.Session() as session:
            session.trust_env = False
            assert session.get(at["admin"] + "/health", timeout=10).json()["ok"] is True
            session.post(at["admin"] + "/faults", json={"service": "oasis", "fault": "timeout"}, timeout=10)
            with pytest.raises(requests.exceptions.ReadTimeout):
                session.get(at["OASIS"] + "/SingleZip", timeout=0.3)
            process.send_signal(number)
            assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_terminal_that_is_closed_does_not_end_it(keys: Keys) -> None:
    with started(keys) as process:
        assert process.stdout is not None
        for _ in range(4):
            process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        assert "signal passed over" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_taken_port_is_told(keys: Keys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, started(keys, f"--ads-port={taken.getsockname()[1]}") as process:
        _, error = process.communicate(timeout=20)
        assert process.returncode == 1
        assert error.startswith("failed: cannot listen for ads on 127.0.0.1:")
        assert error.endswith("set --ads-port to a free one\n")


def test_every_mistake_in_the_settings_is_told_at_once(keys: Keys) -> None:
    with started(keys, "--interval-s=1", "--oasis-spacing-s=-1", "--config=nowhere.toml") as process:
        _, error = process.communicate(timeout=20)
    assert process.returncode == 2
    assert all(name in error for name in ("interval_s", "oasis_spacing_s", "nowhere.toml"))
    assert "Traceback" not in error


def test_settings_come_from_the_environment_too(keys: Keys) -> None:
    environment = {**os.environ, "SIMULATOR_INTERVAL_S": "1", "SIMULATOR_CONFIG": str(EXAMPLE), "COLUMNS": "200"}
    environment |= {"SIMULATOR_CERTIFICATE": str(keys.server), "SIMULATOR_KEY": str(keys.server)}
    environment |= {"SIMULATOR_CLIENT_CA": str(keys.authority)}
    ended = subprocess.run(
        [sys.executable, "-m", "simulators"], check=False, capture_output=True, text=True, env=environment, timeout=20
    )
    assert ended.returncode == 2
    assert ended.stderr.count("refused:") == 1
    assert "interval_s" in ended.stderr


def test_a_date_can_be_wrong_by_a_minute(ads: Ads):
    ads.admin("/faults", service="ads", fault="wrong_date")
    dates = []
    ads.session.hooks["response"].append(lambda reply, **_: dates.append(parsedate_to_datetime(reply.headers["Date"])))
    for _ in range(2):
        ads.api.getDispatchBatchesSinceUID("-1")
    assert [at - ads.clock.now for at in dates] == [timedelta(seconds=60), timedelta()]


def test_a_list_can_be_empty_although_there_are_batches(ads: Ads):
    ads.admin("/faults", service="ads", fault="empty_list")
    first, second = (uids(valid(ads.api.getDispatchBatchesSinceUID("-1")), "DispatchBatch") for _ in range(2))
    assert (first, bool(second)) == ([], True)


def test_a_dripping_reply_begins_and_never_comes_to_its_end(ads: Ads):
    ads.admin("/faults", service="ads", fault="drip")
    body = '<a:isNewTrajData xmlns:a="urn-com-caiso-ads-webservices-api"><batchUID>-1</batchUID></a:isNewTrajData>'
    question = f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>{body}</e:Body></e:Envelope>'
    with ads.session.post(ads.at.ads, data=question, stream=True, timeout=5) as reply:
        assert reply.raw.read(2) == b"<?"
        assert int(reply.headers["Content-Length"]) > 100


def test_the_headers_of_a_reply_can_come_a_byte_a_second(ads: Ads):
    ads.admin("/faults", service="ads", fault="drip_headers")
    context = ssl.create_default_context(cafile=str(ads.keys.authority))
    context.load_cert_chain(ads.keys.client)
    host, port = ads.at.ads.split("/")[2].split(":")
    body = b'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body><isNewTrajData>'
    body += b"<batchUID>-1</batchUID></isNewTrajData></e:Body></e:Envelope>"
    head = f"POST /ADS/APIWebService/v7 HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    plain = socket.create_connection((host, int(port)), timeout=10)
    with context.wrap_socket(plain, server_hostname=host) as tls:
        tls.sendall(head + body)
        assert [tls.recv(100), tls.recv(100)] == [b"H", b"T"]
    assert ads.api.isNewTrajData("-1") is True


def test_a_question_about_one_batch_fails_and_the_same_about_another_does_not(ads: Ads):
    one, two = [batch["batch_uid"] for batch in ads.admin("/sent")["batches"]][:2]
    ads.admin("/faults", service="ads", fault="http_503", operation="getBatchHeader", batch_uid=one, share=1)
    assert [post(ads, "getBatchHeader", uid).status_code for uid in (one, two, one)] == [503, 200, 503]
    assert post(ads, "getDispatchBatch", one).status_code == 200
    ads.admin("/faults", service="ads", fault="http_503", times=0)
    assert post(ads, "getBatchHeader", one).status_code == 200


def test_a_share_of_one_operation_fails(ads: Ads):
    uid = ads.sent(0)["batch_uid"]
    ads.admin("/faults", service="ads", fault="http_503", operation="getBatchStatus", share=0.3)
    failed = [post(ads, "getBatchStatus", uid).status_code == 503 for _ in range(60)]
    assert 5 < sum(failed) < 35
    assert post(ads, "getBatchHeader", uid).status_code == 200


def test_lists_can_come_doubled_or_reversed_and_a_cursor_can_be_unknown(ads: Ads):
    plain = uids(valid(ads.api.getDispatchBatchesSinceUID("-1")), "DispatchBatch")
    told = {}
    for fault in ("doubled_list", "reversed_list"):
        ads.admin("/faults", service="ads", fault=fault)
        told[fault] = uids(valid(ads.api.getDispatchBatchesSinceUID("-1")), "DispatchBatch")
    assert told == {"doubled_list": [uid for uid in plain for _ in range(2)], "reversed_list": plain[::-1]}
    ads.admin("/faults", service="ads", fault="unknown_cursor")
    with pytest.raises(zeep.exceptions.Fault, match="does not exist"):
        ads.api.getDispatchBatchesSinceUID(plain[-1])


def test_a_forgotten_uid_is_a_fault_or_an_empty_list_as_it_is_wanted(ads: Ads):
    uid, trajectory = ads.sent(0)["batch_uid"], ads.admin("/sent")["trajectories"][-1]["batch_uid"]
    ads.admin("/forget", batch_uid=uid)
    ads.admin("/forget", batch_uid=trajectory)
    with pytest.raises(zeep.exceptions.Fault, match="does not exist"):
        ads.api.getDispatchBatchesSinceUID(uid)
    ads.admin("/conduct", unknown_cursor="empty")
    assert uids(valid(ads.api.getDispatchBatchesSinceUID(uid)), "DispatchBatch") == []
    assert ads.api.isNewTrajData(trajectory) is False
    with pytest.raises(zeep.exceptions.Fault, match="does not exist"):
        ads.api.getDispatchBatch(uid)


def test_the_clock_can_be_off_until_it_is_set_right(ads: Ads):
    dates = []
    for skew_s in (-5.0, 0.0):
        assert ads.admin("/conduct", date_skew_s=skew_s)["date_skew_s"] == skew_s
        dates.append(parsedate_to_datetime(ads.session.get(ads.at.ads + "?wsdl", timeout=10).headers["Date"]))
    assert [at - ads.clock.now for at in dates] == [timedelta(seconds=-5), timedelta()]


def test_a_batch_of_any_size_comes_with_one_order(ads: Ads):
    uid = ads.admin("/large_dispatch", resources=300, details=8)["batch_uid"]
    batch = valid(gzip.decompress(ads.api.getDispatchBatch(uid)))
    assert len(batch.findall(".//a:instruction", NS)) == 300
    assert len(batch.findall(".//a:instructionDetail", NS)) == 2400


def test_a_trajectory_cache_grows_with_one_order(ads: Ads):
    before = len(ads.api.getTrajectoryData("-1"))
    made = ads.admin("/large_trajectories", batches=3, resources=10, points=200)["batch_uids"]
    answer = ads.api.getTrajectoryData("-1")
    assert uids(valid(gzip.decompress(answer)), "trajectoryBatch")[-3:] == made
    assert len(answer) > before + 150_000
    assert len(ads.api.getTrajectoryData(made[1])) < len(answer) / 2
