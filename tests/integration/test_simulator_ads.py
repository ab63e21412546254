"""The simulated ADS over mutual TLS, spoken to by a third party's SOAP client (zeep) through its WSDL."""

import gzip
import os
import signal
import socket
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
SCHEMA = etree.XMLSchema(etree.parse(FIXTURES / "ads.caiso.com.xsd"))
RESOURCES = ["SIERRA_2_SOLAR1", "SIERRA_2_BESS1", "DELTA_6_HYDRO1"]
NS = {"a": "http://ads.caiso.com/api/schema/v6"}


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
        simulating(keys, EXAMPLE, clock, history_intervals=35, read_only=("guest",), hold_s=30, oversized_mb=8) as at,
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
        assert [each["resource_id"] for each in batch["instructions"]] == RESOURCES
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


def test_v6_and_v7_answer_alike_and_other_paths_are_not_there(ads: Ads) -> None:
    with_v6 = soap_client(ads.at.ads.replace("v7", "v6"), ads.session)
    assert with_v6.getDispatchBatchesSinceUID("-1") == ads.api.getDispatchBatchesSinceUID("-1")
    assert ads.session.get(ads.at.ads.replace("v7", "v5"), timeout=10).status_code == 404
    assert ads.session.get(ads.at.ads, timeout=10).status_code == 405


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
