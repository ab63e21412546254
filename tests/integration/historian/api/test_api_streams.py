"""Answers in a stream, from a real PostgreSQL through the real server to readers that others wrote."""

import csv
import io
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import anyio
import psycopg2
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import requests
import zstandard
from api_server import served
from real_postgres import Postgres, address, query
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import capture_logs
from waiting import eventually

from historian.api.connections import bounded
from historian.api.exchange.streamed import StreamedAnswer
from historian.api.formats.negotiation import MEDIA_TYPES, Coding, Format
from historian.api.formats.sink import Sink
from historian.api.formats.writing import write_answer
from historian.api.problems import Problem, Sort
from historian.api.questions.question import Column, Kind, Question
from historian.api.request.times import Zone
from historian.api.streaming import APPLICATION, Interruption, StreamFailed, Streaming, session_dsn

pytestmark = pytest.mark.integration

COLUMNS = (
    Column("at", Kind.TIME, "UTC", "When."),
    Column("name", Kind.TEXT, "", "Whose."),
    Column("price_usd_per_mwh", Kind.NUMBER, "USD/MWh", "What it is worth."),
    Column("count", Kind.INTEGER),
    Column("counts", Kind.FLAG),
    Column("day", Kind.DATE),
    Column("reasons", Kind.TEXTS),
    Column("extra", Kind.DOCUMENT),
)
SQL = """
    SELECT timestamptz '2026-11-01 06:00Z' + i * interval '30 minutes' AS at, %(name)s AS name,
      CASE WHEN i % 2 = 0 THEN i / 8.0 END AS price_usd_per_mwh, i AS count, i % 3 = 0 AS counts, date '2026-11-01' AS day,
      ARRAY['a', 'b'] AS reasons, jsonb_build_object('i', i) AS extra
    FROM (SELECT generate_series(0, %(last)s) AS i) AS counted""".replace("i % ", "i %% ")
NAME = 'it\'s; DROP TABLE \\ "x", %s ☃'
ENDLESS = 100_000_000
OTHERS = {
    "broken": Question("SELECT 1/0 AS count", {}, (COLUMNS[3],)),
    "asleep": Question("SELECT length(pg_sleep(600)::text) AS count", {}, (COLUMNS[3],)),
}
FORMS = [Format.CSV, Format.ARROW, Format.PARQUET]


def question(last: int) -> Question:
    return Question(SQL, {"name": NAME, "last": last}, COLUMNS)


@pytest.fixture(scope="module")
def streaming(postgres: Postgres) -> Streaming:
    return Streaming(session_dsn(address(postgres), "public", timeout_s=60))


@pytest.fixture(scope="module")
def served_at(streaming: Streaming) -> Iterator[str]:
    writers = anyio.CapacityLimiter(4)

    def answer(request: Request) -> StreamedAnswer:
        form, coding = Format(request.path_params["form"]), Coding(request.query_params.get("coding", "identity"))
        asked = next((other for name, other in OTHERS.items() if name in request.query_params), None)
        asked = asked or question(int(request.query_params["last"]))
        return StreamedAnswer(
            lambda sink, interruption: write_answer(streaming, asked, sink, form, coding=coding, interruption=interruption),
            writers,
            media_type=MEDIA_TYPES[form],
            headers={} if coding is Coding.NONE else {"Content-Encoding": coding},
            takes_nothing_s=float(request.query_params.get("takes_nothing_s", 30)),
        )

    failed = {StreamFailed: lambda _request, error: PlainTextResponse(error.state, 503)}
    with served(Starlette(routes=[Route("/{form}", answer)], exception_handlers=failed)) as at:
        yield at


def rows_of(form: Format, body: bytes) -> list[dict]:
    if form is Format.CSV:
        return list(csv.DictReader(io.StringIO(body.decode())))
    if form is Format.ARROW:
        return pa.ipc.open_stream(body).read_all().to_pylist()
    return pq.read_table(io.BytesIO(body)).to_pylist()


def statements(postgres: Postgres) -> list[tuple]:
    return query(address(postgres), f"SELECT wait_event FROM pg_stat_activity WHERE application_name = '{APPLICATION}'")


@pytest.mark.parametrize("form", [Format.ARROW, Format.PARQUET])
def test_arrow_and_parquet_hold_what_the_database_says(served_at: str, form: Format):
    rows = rows_of(form, requests.get(f"{served_at}/{form}?last=2").content)
    begin = datetime(2026, 11, 1, 6, tzinfo=UTC)
    assert [row["at"] for row in rows] == [begin, begin + timedelta(minutes=30), begin + timedelta(hours=1)]
    assert rows[0]["at"].utcoffset() == timedelta(0)
    assert [row["price_usd_per_mwh"] for row in rows] == [0.0, None, 0.25]
    assert rows[1] | {"at": None} == {
        "at": None, "name": NAME, "price_usd_per_mwh": None, "count": 1, "counts": False, "day": datetime(2026, 11, 1).date(),  # noqa: DTZ001
        "reasons": ["a", "b"], "extra": '{"i": 1}',
    }  # fmt: skip


def test_csv_holds_what_the_database_says_with_times_in_iso_8601(served_at: str):
    rows = rows_of(Format.CSV, requests.get(f"{served_at}/csv?last=1").content)
    assert rows[1] == {
        "at": "2026-11-01T06:30:00Z", "name": NAME, "price_usd_per_mwh": "", "count": "1", "counts": "f", "day": "2026-11-01",
        "reasons": "a;b", "extra": '{"i": 1}',
    }  # fmt: skip


@pytest.mark.parametrize("form", [Format.ARROW, Format.PARQUET])
def test_each_field_says_its_unit_and_meaning(served_at: str, form: Format):
    body = requests.get(f"{served_at}/{form}?last=1").content
    schema = pa.ipc.open_stream(body).schema if form is Format.ARROW else pq.read_schema(io.BytesIO(body))
    told = schema.field("price_usd_per_mwh").metadata
    assert (told[b"unit"], told[b"meaning"]) == (b"USD/MWh", b"What it is worth.")


def test_pacific_times_of_csv_tell_the_two_hours_of_the_night_apart(streaming: Streaming):
    out: list[bytes] = []
    write_answer(streaming, question(8), out.append, Format.CSV, zone=Zone.PACIFIC)
    times = [row["at"] for row in rows_of(Format.CSV, b"".join(out))]
    assert times[3:7] == [
        "2026-11-01T00:30:00-07:00", "2026-11-01T01:00:00-07:00", "2026-11-01T01:30:00-07:00", "2026-11-01T01:00:00-08:00",
    ]  # fmt: skip


def test_pacific_times_of_arrow_are_the_same_instants(streaming: Streaming):
    out: list[bytes] = []
    write_answer(streaming, question(0), out.append, Format.ARROW, zone=Zone.PACIFIC)
    table = pa.ipc.open_stream(b"".join(out)).read_all()
    assert table.schema.field("at").type == pa.timestamp("us", "America/Los_Angeles")
    assert table["at"][0].as_py() == datetime(2026, 11, 1, 6, tzinfo=UTC)


@pytest.mark.parametrize("form", FORMS)
def test_no_rows_are_an_answer_with_columns(served_at: str, form: Format):
    body = requests.get(f"{served_at}/{form}?last=-1").content
    assert rows_of(form, body) == []
    assert b"price_usd_per_mwh" in body


@pytest.mark.parametrize("form", FORMS)
def test_every_row_comes_once_and_in_order(served_at: str, form: Format):
    rows = rows_of(form, requests.get(f"{served_at}/{form}?last=99999").content)
    assert [int(row["count"]) for row in rows] == list(range(100_000))


@pytest.mark.parametrize("form", [Format.CSV, Format.ARROW])
def test_a_packed_answer_holds_the_same(served_at: str, form: Format):
    plain = requests.get(f"{served_at}/{form}?last=9999").content
    rows = rows_of(form, plain)  # bytes of Arrow differ in bits that mean nothing
    zipped = requests.get(f"{served_at}/{form}?last=9999&coding=gzip")
    raw = requests.get(f"{served_at}/{form}?last=9999&coding=zstd", stream=True).raw.read(decode_content=False)
    assert zipped.headers["Content-Encoding"] == "gzip"
    assert rows_of(form, zipped.content) == rows
    assert rows_of(form, zstandard.ZstdDecompressor().decompressobj().decompress(raw)) == rows
    assert len(raw) < len(plain) / 2


@pytest.mark.parametrize("form", FORMS)
def test_a_reader_that_goes_away_frees_the_database(served_at: str, postgres: Postgres, form: Format):
    with requests.get(f"{served_at}/{form}?last={ENDLESS}", stream=True) as response:
        response.raw.read(1000)
        assert statements(postgres)
    eventually(lambda: not statements(postgres))


@pytest.mark.parametrize("form", FORMS)
def test_a_reader_that_goes_away_before_the_first_row_frees_the_database(served_at: str, postgres: Postgres, form: Format):
    with socket.create_connection(urlsplit(served_at).netloc.split(":")) as gone:
        gone.sendall(f"GET /{form}?asleep= HTTP/1.1\r\nHost: here\r\n\r\n".encode())
        eventually(lambda: ("PgSleep",) in statements(postgres))
    eventually(lambda: not statements(postgres))


def test_a_word_to_end_that_comes_between_two_statements_is_said_again():
    """What it cancels has not begun, or is over: a busy machine gives it such moments."""
    words, is_over = [], threading.Event()

    def heard() -> None:
        words.append("end")
        if len(words) > 1:
            is_over.set()

    def write(_sink: Sink, interruption: Interruption) -> None:
        with interruption.ends(heard):
            is_over.wait(60)

    answer = StreamedAnswer(write, anyio.CapacityLimiter(1), media_type="text/csv", headers={})
    with served(Starlette(routes=[Route("/", lambda _request: answer)])) as at, pytest.raises(requests.exceptions.Timeout):
        requests.get(at, timeout=(5, 0.3))
    assert is_over.is_set()


def test_a_stream_whose_database_stands_still_is_cut_and_shown_to_be():
    """A driver that waits for a frozen database hears no word to end: its thread is left to itself."""
    goes_on, is_written = threading.Event(), threading.Event()

    def write(sink: Sink, _interruption: Interruption) -> None:
        sink(b"a,b")
        is_written.set()
        goes_on.wait(60)

    def go_on() -> None:
        if is_written.is_set():
            raise Problem(Sort.DATABASE_AWAY, "it does not answer")

    answer = StreamedAnswer(write, anyio.CapacityLimiter(1), media_type="text/csv", headers={}, go_on=go_on)
    with served(Starlette(routes=[Route("/", lambda _request: answer)])) as at:
        with requests.get(at, stream=True, timeout=30) as cut, pytest.raises(requests.exceptions.ChunkedEncodingError):
            read_all(cut)
        goes_on.set()


def cut_answer(goes_on: threading.Event, raised: Exception | None) -> StreamedAnswer:
    """One that is begun, and then ends with a fault, or stands still."""

    def write(sink: Sink, _interruption: Interruption) -> None:
        sink(b"a,b")
        if raised:
            raise raised
        goes_on.wait(60)

    return StreamedAnswer(write, anyio.CapacityLimiter(1), media_type="text/csv", headers={}, comes_within_s=0.1)


@pytest.mark.parametrize("raised", [StreamFailed("the session was ended"), None], ids=["fault", "standstill"])
def test_of_an_answer_that_is_cut_the_log_has_one_line_that_says_why_and_no_traceback(
    raised: Exception | None,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("historian.api.exchange.streamed.ENDS_WITHIN_S", 0.2)
    goes_on = threading.Event()
    app = Starlette(routes=[Route("/", lambda _request: cut_answer(goes_on, raised))])
    with capture_logs() as told, served(app, http=bounded(1)) as at:
        for _ in range(2):  # the next one is answered alike
            with requests.get(at, stream=True, timeout=30) as cut, pytest.raises(requests.exceptions.ChunkedEncodingError):
                read_all(cut)
        goes_on.set()
    assert [line["event"] for line in told] == ["an answer was broken off"] * 2
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


FILLED_WITHIN_S = 120.0
"""The system's buffers between the two hold megabytes, which Parquet on a busy machine takes long to make."""


@pytest.mark.parametrize("form", FORMS)
def test_a_slow_reader_makes_the_database_wait(served_at: str, postgres: Postgres, form: Format):
    """Nothing is gathered in between: PostgreSQL stands still until somebody reads on."""
    with requests.get(f"{served_at}/{form}?last={ENDLESS}", stream=True) as response:
        response.raw.read(1000)
        eventually(lambda: statements(postgres) == [("ClientWrite",)], FILLED_WITHIN_S)
    eventually(lambda: not statements(postgres), FILLED_WITHIN_S)


def test_a_reader_that_takes_nothing_is_let_go(served_at: str, postgres: Postgres):
    with requests.get(f"{served_at}/csv?last={ENDLESS}&takes_nothing_s=0.3", stream=True) as response:
        response.raw.read(1000)
        eventually(lambda: not statements(postgres))
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            read_all(response)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("coding", [Coding.NONE, Coding.GZIP])
def test_an_answer_that_the_database_breaks_off_is_no_short_one(
    served_at: str, postgres: Postgres, form: Format, coding: Coding
):
    with requests.get(f"{served_at}/{form}?last={ENDLESS}&coding={coding}", stream=True) as response:
        first = response.raw.read(1000)
        query(
            address(postgres),
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{APPLICATION}'",
        )
        assert first
        with pytest.raises(requests.exceptions.ChunkedEncodingError):
            read_all(response)


@pytest.mark.parametrize("form", FORMS)
def test_a_fault_before_the_first_row_is_an_answer_of_its_own(served_at: str, form: Format):
    response = requests.get(f"{served_at}/{form}?last=1&broken=")
    assert (response.status_code, response.text) == (503, "22012")


def test_who_only_asks_for_the_head_asks_nothing_of_the_database(served_at: str):
    response = requests.head(f"{served_at}/arrow?last={ENDLESS}")
    assert response.headers["Content-Type"] == MEDIA_TYPES[Format.ARROW]


@pytest.mark.parametrize("form", FORMS)
def test_a_stream_can_only_read(streaming: Streaming, form: Format):
    writing = Question("SELECT setval('pg_catalog.x', 1) AS count", {}, (COLUMNS[3],))
    with pytest.raises(StreamFailed):
        write_answer(streaming, writing, lambda _piece: None, form)
    with psycopg2.connect(streaming.dsn) as connection, connection.cursor() as cursor, pytest.raises(psycopg2.Error) as refused:
        cursor.execute("CREATE TABLE t (i int)")
    assert refused.value.pgcode == "25006"
    connection.close()


def read_all(response: requests.Response) -> None:
    for _ in response.iter_content(1 << 20):
        pass
