"""The formats of an answer, asked of the whole API."""

import csv
import gzip
import io
import socket
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from historian_api import NP15, SP15, Client, asked_here, kept, prices_of
from real_postgres import Postgres, new_database

pytestmark = pytest.mark.integration

HOUR = datetime(2026, 10, 13, 14, 0, tzinfo=UTC)
ASKED = {"start": "2026-10-13T14:00Z", "end": "2026-10-13T15:00Z"}
MESSAGES = [
    *prices_of(HOUR, [30.0, None, 32.5]),
    *prices_of(HOUR + timedelta(minutes=10), [99.0], first_seq=50, fetched_at=HOUR + timedelta(hours=1)),
    *prices_of(HOUR, [float(number) for number in range(12)], node=SP15, first_seq=100),
]
ARROW, PARQUET = "application/vnd.apache.arrow.stream", "application/vnd.apache.parquet"


@pytest.fixture(scope="module")
def filled(postgres: Postgres):
    with kept(new_database(postgres), *MESSAGES) as url:
        yield url


@pytest.fixture(scope="module")
def client(filled: str):
    with asked_here(filled) as client:
        yield client


def rows_of(answer) -> list[tuple]:
    if answer.headers["Content-Type"] == ARROW:
        rows = pa.ipc.open_stream(answer.content).read_all().to_pylist()
    elif answer.headers["Content-Type"] == PARQUET:
        rows = pq.read_table(io.BytesIO(answer.content)).to_pylist()
    elif answer.headers["Content-Type"].startswith("text/csv"):
        rows = list(csv.DictReader(io.StringIO(answer.text)))
    else:
        rows = answer.json()["rows"]
    return [(str(row["interval_start"])[11:16], row["node"], _number(row["lmp_usd_per_mwh"])) for row in rows]


def _texts(row: dict) -> list[str]:
    """As CSV has it, where 1.0 is 1."""
    numbers = [name for name in row if name.endswith(("_mwh", "_s"))]
    return [str(_number(row[name])) if name in numbers else row[name] or "" for name in row]


def _number(value: object) -> float | None:
    return None if value in (None, "") else float(str(value))


@pytest.mark.parametrize("suffix", [".json", ".csv", ".arrow", ".parquet"])
def test_every_format_says_the_same(client: Client, suffix: str):
    asked = {**ASKED, "node": [NP15, SP15]}
    assert rows_of(client.ask(f"/v1/prices{suffix}", **asked)) == rows_of(client.ask("/v1/prices", **asked))


@pytest.mark.parametrize("asked", [{}, {"as_of": "2026-10-13T14:30Z"}, {"resolution": "hour"}, {"resolution": "day"}])
def test_a_stream_of_all_nodes_has_the_rows_of_all_pages_revised_ones_included(client: Client, asked: dict):
    """It is asked for otherwise: by time and not by node, and sorted only where prices may have been revised."""
    asked = {"start": "2026-10-13", **asked}
    pages = client.ask("/v1/prices", **asked).json()["rows"]
    stream = csv.DictReader(io.StringIO(client.ask("/v1/prices.csv", **asked).text))
    assert sorted(map(_texts, stream)) == sorted(map(_texts, pages))


def test_a_stream_of_all_nodes_tells_a_revised_price_once_and_as_it_is_now(client: Client):
    rows = rows_of(client.ask("/v1/prices.csv", **ASKED))
    assert [row for row in rows if row[:2] == ("14:10", NP15)] == [("14:10", NP15, 99.0)]


@pytest.mark.parametrize(
    ("accept", "given"), [(f"{ARROW}, text/csv;q=0.5", ARROW), (PARQUET, PARQUET), ("*/*", "application/json")]
)
def test_who_asks_says_what_it_takes(client: Client, accept: str, given: str):
    answer = client.ask("/v1/prices", {"Accept": accept}, **ASKED)
    assert answer.headers["Content-Type"] == given
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"


def test_a_suffix_counts_before_what_a_browser_says_that_it_takes(client: Client):
    answer = client.ask("/v1/prices.csv", {"Accept": "text/html,*/*;q=0.8"}, **ASKED)
    assert answer.headers["Content-Disposition"] == 'attachment; filename="prices.csv"'


def test_a_format_that_there_is_not_is_a_problem_that_names_those_that_there_are(client: Client):
    answer = client.ask("/v1/prices", {"Accept": "application/vnd.ms-excel"}, **ASKED)
    assert (answer.status_code, answer.json()["type"]) == (406, "/problems/no-such-format")
    assert ".csv" in answer.json()["detail"]


def test_a_stream_has_all_rows_unless_it_is_told_how_many(client: Client):
    assert len(rows_of(client.ask("/v1/prices.csv", **ASKED))) == 15
    assert rows_of(client.ask("/v1/prices.csv", **ASKED, limit=2)) == [("14:00", NP15, 30.0), ("14:05", NP15, None)]


def test_a_stream_goes_on_from_a_page(client: Client):
    page = client.ask("/v1/prices", **ASKED, limit=14).json()["next"]
    assert rows_of(client.ask("/v1/prices.arrow", **ASKED, page=page)) == [("14:55", SP15, 11.0)]


def test_json_is_packed_for_whom_likes_that(client: Client):
    raw = client.get(f"{client.address}/v1/prices", params=ASKED, headers={"Accept-Encoding": "gzip"}, stream=True).raw
    assert raw.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(raw.read(decode_content=False)).startswith(b'{"rows":[{"interval_start":"2026-10-13T14:00:00Z"')


def test_pacific_times_of_csv_say_their_offset(client: Client):
    assert "\n2026-10-13T07:00:00-07:00,2026-10-13T07:05:00-07:00," in client.ask("/v1/prices.csv", **ASKED, tz="Pacific").text


def test_a_stream_over_http_1_0_is_refused_since_it_could_be_cut_unseen(client: Client):
    host, port = client.address.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as plain:
        plain.sendall(f"GET /v1/prices.csv?start=2026-10-13 HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        said = plain.makefile("rb").read()
    assert b" 426 " in said.splitlines()[0]
    assert b"/problems/old-http" in said


def test_a_fault_of_the_database_is_a_problem_as_long_as_nothing_was_sent(filled: str):
    with asked_here(filled, stream_timeout_s=0.001) as client:
        answer = client.ask("/v1/prices.arrow", **ASKED)
    assert (answer.status_code, answer.json()["type"]) == (504, "/problems/too-slow")
