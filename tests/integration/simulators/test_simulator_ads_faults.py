"""What can be ordered to go wrong with the simulated ADS, as its clients meet it."""

import gzip
import socket
import ssl
from collections.abc import Callable, Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime

import pytest
import requests
import zeep
import zeep.exceptions
from lxml import etree
from simulated_ads import NS, Ads, post, simulated_ads, uids, valid
from simulator_client import Keys


@pytest.fixture
def ads(keys: Keys) -> Iterator[Ads]:
    with simulated_ads(keys) as running:
        yield running


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


def _is_broken(content: bytes) -> bool:
    try:
        etree.fromstring(content)
    except etree.XMLSyntaxError:
        return True
    return False


def _result(reply: requests.Response) -> str:
    return etree.fromstring(reply.content).findtext(".//{*}result") or ""


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
    with ads.session.post(ads.at.ads, data=question, stream=True, timeout=20) as reply:
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
