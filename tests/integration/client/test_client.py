"""The client for notebooks, against a real API on a real PostgreSQL."""

import inspect
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from historian_api import NP15, SP15, asked_here, kept, prices_of
from historian_api import Client as Http
from pandas.testing import assert_frame_equal
from plant_day import FIVE, MINUTE, ONE, curve, heard, told
from polars.testing import assert_frame_equal as assert_polars_equal
from real_postgres import Postgres, new_database

from dotbus.client import AnswerCut, BadQuestion, Client, KeyRefused, NotFound, NotReached

pytestmark = pytest.mark.integration

PACIFIC = ZoneInfo("America/Los_Angeles")
NOON = datetime(2026, 10, 13, 19, 0, tzinfo=UTC)
FALL_BACK = datetime(2026, 11, 1, 7, 0, tzinfo=UTC)
"""Midnight in California, of the day on which clocks go back."""
SAID_WHOLE = {"limit", "page"}
"""What the client says by itself."""


@pytest.fixture(scope="module")
def api(postgres: Postgres) -> Iterator[Http]:
    events = [
        *prices_of(NOON, [30.0, None, -4.25]),
        *prices_of(NOON, [12.5], node=SP15, first_seq=10),
        *prices_of(FALL_BACK, [float(hour) for hour in range(25)], market="DAM", minutes=60, first_seq=20),
        *heard(NOON - 90 * MINUTE, NOON - 89 * MINUTE),
        told(1, NOON, 10.0),
        told(2, NOON + FIVE, 20.0),
        curve(3, (NOON, 1.0), (NOON + FIVE, 6.0), at=NOON - MINUTE),
    ]
    with kept(new_database(postgres), *events) as url, asked_here(url, now=NOON + 7 * MINUTE) as client:
        yield client


def asking(api: Http, **changes: Any) -> Client:
    return Client(api.address, **{"into": "pandas", **changes})


QUESTIONS: dict[str, Callable[[Client], Any]] = {
    "prices": lambda client: client.prices([NP15, SP15], start="2026-10-13", tz="Pacific"),
    "some components": lambda client: client.prices(NP15, component=["lmp", "ghg"], start="2026-10-13"),
    "by hour": lambda client: client.prices(NP15, start="2026-10-13", resolution="hour"),
    "nodes": lambda client: client.nodes("np15"),
    "gaps": lambda client: client.gaps(),
    "health": lambda client: client.health(tz="Pacific"),
    "plants": lambda client: client.plants(),
    "resources": lambda client: client.resources(plant="sierra"),
    "batches": lambda client: client.dispatch_batches(start="2026-10-13"),
    "instructions": lambda client: client.instructions(ONE, start="2026-10-13"),
    "latest": lambda client: client.dot_latest(tz="Pacific"),
    "dot": lambda client: client.dot(ONE, start=date(2026, 10, 13)),
    "points": lambda client: client.trajectory(ONE, start=NOON, end=NOON + FIVE * 2),
    "trajectory": lambda client: client.trajectory(ONE, start=NOON, end=NOON + FIVE, step_s=60),
    "set-point": lambda client: client.set_point(ONE, start=NOON, end=NOON + 2 * FIVE),
    "compliance": lambda client: client.compliance(start="2026-10-13"),
}


NONE_YET = {"compliance", "gaps"}


@pytest.mark.parametrize("use_arrow", [True, False])
def test_a_range_longer_than_one_calculation_comes_in_pages_whatever_is_installed(api: Http, use_arrow: bool):  # noqa: FBT001  # both
    frame = asking(api, use_arrow=use_arrow).set_point(ONE, start="2026-10-05", end="2026-10-15", step_s=3600)
    assert len(frame) == 10 * 24


@pytest.mark.parametrize("name", QUESTIONS)
def test_an_answer_is_the_same_frame_as_arrow_and_as_json(api: Http, name: str):
    by_arrow, by_json = (QUESTIONS[name](asking(api, use_arrow=flag)) for flag in (True, False))
    columns_by_arrow, columns_by_json = (QUESTIONS[name](asking(api, use_arrow=flag, into="polars")) for flag in (True, False))
    rows_by_arrow, rows_by_json = (QUESTIONS[name](asking(api, use_arrow=flag, into="rows")) for flag in (True, False))

    assert_frame_equal(by_arrow, by_json)
    assert_polars_equal(columns_by_arrow, columns_by_json)
    assert rows_by_arrow == rows_by_json
    assert len(by_arrow) == len(columns_by_arrow) == len(rows_by_arrow) > (-1 if name in NONE_YET else 0)


def test_prices_are_numbers_and_times_with_a_zone_and_absent_is_absent(api: Http):
    frame = asking(api).prices(NP15, market="RTM", start="today", tz="Pacific")

    assert frame["lmp_usd_per_mwh"].dtype == "float64"
    assert frame["lmp_usd_per_mwh"].isna().tolist() == [False, True, False]
    assert frame["lmp_usd_per_mwh"].dropna().tolist() == [30.0, -4.25]
    assert frame["ghg_usd_per_mwh"].isna().all()
    assert frame["interval_start"].dtype == pd.DatetimeTZDtype("us", PACIFIC)
    assert frame["interval_start"][0] == NOON


@pytest.mark.parametrize("use_arrow", [True, False])
def test_the_hour_that_is_there_twice_is_two_rows_with_an_offset_each(api: Http, use_arrow: bool):  # noqa: FBT001
    frame = asking(api, use_arrow=use_arrow).prices(NP15, market="DAM", start=date(2026, 11, 1), tz="Pacific")

    assert len(frame) == 25
    assert [str(time) for time in frame["interval_start"][1:3]] == ["2026-11-01 01:00:00-07:00", "2026-11-01 01:00:00-08:00"]


@pytest.mark.parametrize("use_arrow", [True, False])
def test_an_answer_without_rows_has_its_columns_all_the_same(api: Http, use_arrow: bool):  # noqa: FBT001
    client = asking(api, use_arrow=use_arrow)

    of_prices = client.prices(NP15, start="2026-01-05", tz="Pacific")
    of_hours = client.prices(NP15, start="2026-01-05", resolution="hour")

    assert len(of_prices) == len(of_hours) == 0
    assert of_prices["lmp_usd_per_mwh"].dtype == "float64"
    assert of_prices["interval_start"].dtype == pd.DatetimeTZDtype("us", PACIFIC)
    assert "covered_s" in of_hours
    assert "covered_s" not in of_prices


def test_every_page_is_asked_for(api: Http, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("dotbus.client.client.PAGE_ROWS", 2)

    paged = asking(api, use_arrow=False).prices(start="2026-10-13")
    moments = asking(api, use_arrow=False).set_point(ONE, start=NOON, end=NOON + FIVE)

    assert paged["node"].tolist() == [NP15, NP15, NP15, SP15]
    assert moments["time"].tolist() == [NOON + number * MINUTE for number in range(5)]


def test_the_set_point_is_absent_while_it_is_in_doubt_and_its_reasons_stand_beside(api: Http):
    """Nobody says that CAISO was heard then; today it is known what it asked."""
    then, now = (
        asking(api).set_point(ONE, start=NOON, end=NOON + 2 * FIVE, step_s=150, known=known) for known in ("then", "now")
    )

    assert then["set_point_mw"].isna().all()
    assert (then["quality"] == 0).all()
    assert all(reasons for reasons in then["reasons"])
    # The DOTs' targets are the middles of their intervals; between them the ramp is straight.
    assert now["dot_mw"].tolist() == [10.0, 10.0, 20.0, 20.0]
    assert now.loc[now["time"] == NOON + FIVE, "set_point_mw"].tolist() == [15.0]
    assert now.loc[now["time"] == NOON + FIVE, "quality"].tolist() == [192]


def test_a_plant_s_day_is_told_with_times(api: Http):
    day = asking(api).day("sierra", date(2026, 10, 13), tz="Pacific")

    assert day["trade_date"] == date(2026, 10, 13)
    assert day["start"] == datetime(2026, 10, 13, tzinfo=PACIFIC)
    assert day["total"]["instructed_mwh"] == pytest.approx((10.0 * 5 + 20.0 * 2) / 60)  # until now, seven minutes after noon
    assert day["resources"][0]["doubts"][0]["start"].utcoffset() == timedelta(hours=-7)


def test_polars_has_times_in_the_zone_that_was_asked_for(api: Http):
    frame = asking(api, into="polars").prices(NP15, start="today", tz="Pacific")

    assert frame.schema["interval_start"] == pl.Datetime("us", "America/Los_Angeles")
    assert frame["lmp_usd_per_mwh"].to_list() == [30.0, None, -4.25]


def test_what_is_not_there_is_told_with_the_names_that_are_near(api: Http):
    with pytest.raises(NotFound, match="did you mean sierra") as caught:
        asking(api).resources(plant="siera")

    assert caught.value.type == "/problems/unknown-plant"
    assert caught.value.near == ("sierra",)


def test_a_time_without_a_zone_is_refused_in_the_words_of_the_problem(api: Http):
    with pytest.raises(BadQuestion, match="say tz=Pacific or tz=UTC"):
        asking(api).prices(NP15, start=datetime(2026, 10, 13, 12))  # noqa: DTZ001  # that is the mistake

    assert len(asking(api).prices(NP15, start=datetime(2026, 10, 13, 12), tz="Pacific")) == 3  # noqa: DTZ001


def test_without_a_key_where_one_is_needed_the_answer_says_so(database: str):
    with kept(database) as url, asked_here(url, without_keys=False) as http:
        with pytest.raises(KeyRefused, match="key"):
            Client(http.address).plants()
        with pytest.raises(KeyRefused, match="not known"):
            Client(http.address, key="dotbus_nobody-has-it").plants()


def test_an_address_where_nobody_listens_is_an_error_of_its_own(api: Http):
    with pytest.raises(NotReached, match="does not answer"):
        Client("http://127.0.0.1:1").plants()


@pytest.mark.parametrize("use_arrow", [True, False])
def test_an_answer_that_is_cut_gives_nothing(use_arrow: bool):  # noqa: FBT001
    """The first chunk of an answer, and then the connection ends."""
    table = pa.table({"plant": ["mesa"] * 1000})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    body = sink.getvalue().to_pybytes() if use_arrow else b'{"rows": [{"plant": "mesa"}], "next": null}'
    kind = "application/vnd.apache.arrow.stream" if use_arrow else "application/json"
    document = {"paths": {"/v1/plants": {"get": {"responses": {"200": {"content": {"application/json": {"schema": ROWS}}}}}}}}

    with answering(("application/json", msgspec.json.encode(document), True), (kind, body, False)) as address:
        client = Client(address, use_arrow=use_arrow)
        with pytest.raises(AnswerCut, match="before its end"):
            client.plants()


ROWS = {"properties": {"rows": {"items": {"properties": {"plant": {"type": "string"}}}}}}


@contextmanager
def answering(*answers: tuple[str, bytes, bool]) -> Iterator[str]:
    """A server that gives one answer to each connection, whole or without its last chunk."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = threading.Thread(target=_give, args=(listener, answers))
        serving.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        serving.join()


def _give(listener: socket.socket, answers: tuple[tuple[str, bytes, bool], ...]) -> None:
    for kind, body, is_whole in answers:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65536)
            head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n"
            connection.sendall(head.encode() + f"{len(body):x}\r\n".encode() + body + b"\r\n" + b"0\r\n\r\n" * is_whole)


def test_functions_ask_the_api_that_the_environment_names(api: Http, monkeypatch: pytest.MonkeyPatch):
    from dotbus import client  # noqa: PLC0415

    monkeypatch.setenv("DOTBUS_API_URL", api.address)

    assert client.plants()["plant"].tolist() == ["mesa", "sierra"]


def test_every_question_of_the_api_has_a_function_with_all_its_parameters(api: Http):
    paths = api.ask("/v1/openapi.json").json()["paths"]
    functions = {"days" if name == "day" else name: one for name, one in inspect.getmembers(Client, inspect.isfunction)}

    for path, said in paths.items():
        if path.startswith("/v1/"):
            name = path.removeprefix("/v1/").replace("/", "_").replace("-", "_")
            asked = {one["name"] for one in said["get"]["parameters"]} - SAID_WHOLE
            function = functions["days" if "/days/" in path else name]
            known = set(inspect.signature(function).parameters)
            tz = {"tz"} if "date-time" not in str(said["get"]["responses"]["200"]["content"]["application/json"]) else set()
            assert asked - tz <= known, path
