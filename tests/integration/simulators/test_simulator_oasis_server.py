"""The simulated OASIS over HTTP: recorded and made replies, its rate limit, its errors, and faults on demand."""

import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import requests
from lxml import etree
from oasis_recordings import SMALL
from simulator_client import EXAMPLE, Clock, Keys, simulating

RECORDED = "20240311_20240312_PRC_LMP_DAM_20240312_22_14_34_v1_csv.zip"
RECORDED_QUERY = {
    "queryname": "PRC_LMP",
    "market_run_id": "DAM",
    "version": "1",
    "node": "BAYSHOR2_1_N001",
    "resultformat": "6",
    "startdatetime": "20240312T05:14-0000",
    "enddatetime": "20240313T06:14-0000",
}
QUERY = {**RECORDED_QUERY, "startdatetime": "20260314T07:00-0000", "enddatetime": "20260315T07:00-0000"}
GROUP = {"groupid": "RTM_LMP_GRP", "startdatetime": "20260314T07:00-0000", "version": "3", "resultformat": "6"}


@dataclass
class Oasis:
    """A running simulator. Each request comes six seconds after the one before, unless it is said to hurry."""

    url: str
    admin_url: str
    clock: Clock
    session: requests.Session

    def get(self, path: str, query: dict[str, str], after_s: float = 6, timeout_s: float = 10) -> requests.Response:
        self.clock.now += timedelta(seconds=after_s)
        return self.session.get(f"{self.url}/{path}", params=query, timeout=timeout_s)

    def order(self, fault: str) -> None:
        order = {"service": "oasis", "fault": fault}
        assert self.session.post(f"{self.admin_url}/faults", json=order, timeout=10).ok


@pytest.fixture
def oasis(keys: Keys) -> Iterator[Oasis]:
    clock = Clock(datetime(2026, 3, 15, 18, tzinfo=UTC))
    with simulating(keys, EXAMPLE, clock, hold_s=30, oversized_mb=8) as at, requests.Session() as session:
        session.trust_env = False
        yield Oasis(at.oasis, at.admin, clock, session)


def names(reply: requests.Response) -> list[str]:
    assert reply.status_code == 200
    assert reply.headers["Content-Type"] == "application/x-zip-compressed"
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        return archive.namelist()


def code(reply: requests.Response) -> str:
    assert reply.status_code == 200
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        (name,) = archive.namelist()
        return etree.fromstring(archive.read(name)).findtext(".//{*}ERR_CODE") or ""


def test_a_recorded_reply_comes_byte_for_byte_under_its_name(oasis: Oasis) -> None:
    reply = oasis.get("SingleZip", RECORDED_QUERY)
    assert reply.content == (SMALL / f"singlezip_{RECORDED}").read_bytes()
    assert reply.headers["Content-Disposition"] == f"inline; filename={RECORDED};"


def test_another_query_gets_a_made_reply(oasis: Oasis) -> None:
    assert names(oasis.get("SingleZip", QUERY)) == ["20260314_20260315_PRC_LMP_DAM_20260315_11_00_06_v1.csv"]


def test_requests_that_begin_within_five_seconds_are_refused_with_the_page(oasis: Oasis) -> None:
    assert oasis.get("SingleZip", QUERY).status_code == 200
    for after_s, status in ((0, 429), (4.9, 429), (0.1, 200), (4.9, 429), (0.1, 200)):
        reply = oasis.get("SingleZip", QUERY, after_s)
        assert reply.status_code == status
        if status == 429:
            assert reply.content == (SMALL / "error_429_throttle_body.html").read_bytes()
            assert reply.headers["Content-Type"].startswith("text/html")


@pytest.mark.parametrize(
    ("change", "expected", "filename"),
    [
        ({"version": ""}, "1020", "INVALID_REQUEST.xml.zip"),
        ({"startdatetime": "soon"}, "1002", "INVALID_REQUEST.xml.zip"),
        ({"queryname": "NONE"}, "1005", "INVALID_REQUEST.xml.zip"),
        ({"enddatetime": "20260715T07:00-0000"}, "1004", "INVALID_REQUEST.xml.zip"),
        ({"node": "UNKNOWN"}, "1000", "20260314_20260315_PRC_LMP_DAM_20260315_11_00_06_v1_xml.zip"),
    ],
)
def test_errors_come_as_a_zip_with_status_200(oasis: Oasis, change: dict[str, str], expected: str, filename: str) -> None:
    reply = oasis.get("SingleZip", {**QUERY, **change})
    assert code(reply) == expected
    assert f"filename={filename};" in reply.headers["Content-Disposition"]


def test_a_group_is_made_while_the_client_waits(oasis: Oasis) -> None:
    assert code(oasis.get("GroupZip", GROUP)) == "1015"
    assert code(oasis.get("GroupZip", GROUP, after_s=29)) == "1015"
    reply = oasis.get("GroupZip", GROUP)
    types = ("MCC", "MCE", "MCL", "MGHG", "LMP")
    assert names(reply) == [f"20260314_20260314_PRC_INTVL_LMP_RTM_{kind}_01_v3.csv" for kind in types]
    assert "filename=20260314_20260314_RTM_LMP_GRP_01_N_v3_csv.zip;" in reply.headers["Content-Disposition"]
    assert code(oasis.get("GroupZip", {**GROUP, "groupid": "NONE"})) == "1016"


def test_ordered_faults_happen_once_and_then_all_is_well(oasis: Oasis) -> None:
    checks: dict[str, Any] = {
        "error_1000": lambda reply: code(reply) == "1000",
        "error_1015": lambda reply: code(reply) == "1015",
        "throttle": lambda reply: reply.status_code == 429 and b"Acceptable Use" in reply.content,
        "throttle_200": lambda reply: reply.status_code == 200 and b"Acceptable Use" in reply.content,
        "not_zip": lambda reply: reply.status_code == 200 and reply.content[:2] != b"PK",
        "empty_body": lambda reply: reply.status_code == 200 and reply.content == b"",
        "http_302": lambda reply: [each.status_code for each in reply.history] == [302] and b"maintenance" in reply.content,
        "http_404": lambda reply: reply.status_code == 404 and reply.headers["Content-Type"].startswith("text/html"),
        "http_503": lambda reply: reply.status_code == 503,
        "stray_member": lambda reply: names(reply)[1:] == ["readme.txt"],
        "oversized": lambda reply: reply.content[:2] == b"PK" and len(reply.content) >= 8_000_000,
        "bomb": lambda reply: len(reply.content) < 1_000_000 and _unpacked_size(reply.content) == 200_000_000,
    }
    for query in (QUERY, RECORDED_QUERY):
        for fault, check in checks.items():
            oasis.order(fault)
            assert check(oasis.get("SingleZip", query)), fault
            assert names(oasis.get("SingleZip", query))


def test_a_reply_can_be_cut_or_never_come(oasis: Oasis) -> None:
    oasis.order("cut")
    with pytest.raises(requests.exceptions.RequestException):
        oasis.get("SingleZip", QUERY)
    oasis.order("timeout")
    with pytest.raises(requests.exceptions.ReadTimeout):
        oasis.get("SingleZip", QUERY, timeout_s=0.3)
    assert names(oasis.get("SingleZip", QUERY))


def test_the_admin_tells_the_published_prices(oasis: Oasis) -> None:
    query = {"market": "RTM", "node": "BAYSHOR2_1_N001", "start": "2026-03-15T17:55:00Z", "end": "2026-03-15T19:00:00+00:00"}
    prices = oasis.session.get(f"{oasis.admin_url}/prices", params=query, timeout=10).json()
    assert [price["interval_start"] for price in prices] == ["2026-03-15T17:55:00Z", "2026-03-15T18:00:00Z"]
    for price in prices:
        parts = [price[name] for name in ("energy", "congestion", "loss", "ghg")]
        assert price["lmp"] == pytest.approx(sum(parts), abs=3e-5)
    reply = oasis.session.get(f"{oasis.admin_url}/prices", params={**query, "market": "MOON"}, timeout=10)
    assert reply.status_code == 400


def _unpacked_size(content: bytes) -> int:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return sum(member.file_size for member in archive.infolist())


@pytest.mark.parametrize(
    ("fault", "rows"),
    [
        ("wrong_day", lambda rows: {row.split(",")[2] for row in rows[1:]} == {"2026-03-13"}),
        ("header_only", lambda rows: len(rows) == 1),
        (
            "nan",
            lambda rows: {"NaN" in row for row in rows if ",LMP," in row} == {True} and ",MCC,LMP_CONG_PRC" in "".join(rows),
        ),
    ],
)
def test_a_reply_whose_rows_are_wrong_is_still_a_zip_of_csv(oasis: Oasis, fault: str, rows: Any):
    oasis.order(fault)
    reply = oasis.get("SingleZip", QUERY)
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        assert rows(archive.read(archive.namelist()[0]).decode().splitlines())


def test_an_old_price_can_come_after_its_correction_and_is_told_beside_the_published_one(oasis: Oasis):
    of = {"market": "DAM", "node": "BAYSHOR2_1_N001"}
    start = "2026-03-14T20:00:00Z"

    def told() -> dict[str, Any]:
        return oasis.session.get(f"{oasis.admin_url}/prices", params={**of, "start": start, "end": start}, timeout=10).json()[0]

    published = told()["lmp"]
    correction = {**of, "start": start, "lmp": 77.25}
    assert oasis.session.post(f"{oasis.admin_url}/correct", json=correction, timeout=10).ok
    assert (told()["lmp"], told()["said_again"]) == (77.25, None)
    for fault, lmp in (("old_prices", published), (None, 77.25)):
        if fault:
            oasis.order(fault)
        reply = oasis.get("SingleZip", {**QUERY, "node": of["node"]})
        with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
            rows = archive.read(archive.namelist()[0]).decode().splitlines()
        [row] = [row for row in rows if row.startswith("2026-03-14T20:00") and ",LMP," in row]
        assert f",{lmp:.10g}," in row
        assert told()["said_again"]["lmp"] == published


def test_a_node_can_be_missing_from_a_reply(oasis: Oasis):
    oasis.order("no_node")
    reply = oasis.get("SingleZip", {**QUERY, "node": "BAYSHOR2_1_N001,CATALYST_7_N002"})
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    assert "CATALYST_7_N002" in text
    assert "BAYSHOR2_1_N001" not in text


@pytest.mark.parametrize(
    ("queryname", "market", "version"),
    [
        ("PRC_LMP", "DAM", "12"),
        ("PRC_LMP", "RUC", "1"),
        ("PRC_HASP_LMP", "HASP", "3"),
        ("PRC_RTPD_LMP", "RTPD", "3"),
        ("PRC_INTVL_LMP", "RTM", "3"),
    ],
)
def test_a_correction_of_any_market_is_in_the_next_reply_for_the_whole_network(
    oasis: Oasis, queryname: str, market: str, version: str
):
    correction = {"market": market, "node": "CATALYST_7_N002", "start": "2026-03-14T20:00:00Z", "lmp": 77.25}
    assert oasis.session.post(f"{oasis.admin_url}/correct", json=correction, timeout=10).ok
    query = {"queryname": queryname, "market_run_id": market, "version": version, "grp_type": "ALL", "resultformat": "6"}
    times = {"startdatetime": "20260314T20:00-0000", "enddatetime": "20260314T21:00-0000"}
    reply = oasis.get("SingleZip", {**query, **times})
    with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
        rows = "".join(archive.read(name).decode() for name in archive.namelist()).splitlines()
    corrected = [row for row in rows if ",77.25," in row]
    assert len(corrected) == 1
    assert corrected[0].startswith("2026-03-14T20:00:00-00:00,")
    assert f",CATALYST_7_N002,{market},LMP," in corrected[0]


@pytest.mark.parametrize("change", [{"market": "MOON"}, {"start": "2026-03-14T20:01:00Z"}, {"start": "soon"}, {"lmp": "dear"}])
def test_a_correction_that_no_reply_could_show_is_refused(oasis: Oasis, change: dict[str, str]):
    correction = {"market": "RTM", "node": "CATALYST_7_N002", "start": "2026-03-14T20:00:00Z", "lmp": 77.25, **change}
    reply = oasis.session.post(f"{oasis.admin_url}/correct", json=correction, timeout=10)
    assert reply.status_code == 400
    assert reply.json()["error"]
