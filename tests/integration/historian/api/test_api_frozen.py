"""A database that is frozen: it answers nothing and closes nothing, and nobody waits for it for long."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Never

import pytest
import requests
from historian_api import NP15, Client, asked_here, kept
from real_postgres import Postgres, new_database, query
from waiting import eventually

from dotbus.testing import samples
from historian.api import pulse
from historian.api.opening import answers
from historian.api.problems import Problem, Sort

pytestmark = pytest.mark.integration

AWAY = (503, "/problems/database-away")
ENOUGH_S = 20.0
"""Of a machine that is busy; without an end nothing was told in 240 s."""
STREAMS = 4


@pytest.fixture
def asked(postgres: Postgres) -> Iterator[Client]:
    """An API whose every connection is open."""
    with (
        kept(new_database(postgres), samples.prices()) as url,
        asked_here(url, streams=STREAMS, streams_each=STREAMS) as client,
    ):
        assert set(at_once(client, "/row-count", 16)) == {(200, None)}
        yield client


@contextmanager
def frozen(postgres: Postgres) -> Iterator[None]:
    postgres.pause()
    try:
        yield
    finally:
        postgres.resume()


def told(client: Client, path: str) -> tuple[int, str | None]:
    answer = requests.get(client.address + path, timeout=ENOUGH_S)
    return answer.status_code, answer.json()["type"] if answer.status_code != 200 else None


def at_once(client: Client, path: str, times: int) -> list[tuple[int, str | None]]:
    with ThreadPoolExecutor(times) as threads:
        return [*threads.map(lambda _: told(client, path), range(times))]


def test_whoever_asks_a_frozen_database_is_told_within_seconds_and_it_is_asked_again_when_it_goes_on(
    asked: Client, postgres: Postgres
):
    with frozen(postgres):
        while_waiting = at_once(asked, "/row-count", 16)
        later = at_once(asked, "/row-count", 16)
        is_ready = answers(asked.context.reader)

    assert set(while_waiting + later) == {AWAY}
    assert not is_ready
    eventually(lambda: answers(asked.context.reader))
    assert set(at_once(asked, "/row-count", 16)) == {(200, None)}


def test_whatever_befalls_the_one_that_asks_for_nothing_it_asks_again():
    """Else a database that was lost then would be lost for ever."""
    asks = []

    def connect() -> Never:
        asks.append(1)
        raise SystemError("as a driver may")

    with pulse.Pulse(connect, lambda: None).felt():
        eventually(lambda: len(asks) > 1)


@pytest.mark.parametrize("form", ["csv", "arrow", "parquet"])
def test_a_stream_of_a_frozen_database_is_told_or_cut_and_takes_no_place_from_those_after_it(
    asked: Client, postgres: Postgres, form: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(pulse, "EVERY_S", 0.1)
    path = f"/v1/prices.{form}?node={NP15}&start=2026-10-13"
    with frozen(postgres):
        while_waiting = at_once(asked, path, STREAMS)
        later = at_once(asked, path, STREAMS + 1)

    assert set(while_waiting + later) == {AWAY}
    with ThreadPoolExecutor(STREAMS) as threads:  # a place is free once its stream was cut, which may take a while
        eventually(lambda: set(threads.map(lambda _: told_of_stream(asked, path), range(STREAMS))) == {200})


def told_of_stream(client: Client, path: str) -> int:
    return requests.get(client.address + path, timeout=ENOUGH_S).status_code


SESSIONS = "SELECT pid FROM pg_stat_activity WHERE application_name = 'dotbus historian-api' AND datname = current_database()"


@contextmanager
def stopped(postgres: Postgres, pids: list[int]) -> Iterator[None]:
    for pid in pids:
        postgres.stop_session(pid)
    try:
        yield
    finally:
        for pid in pids:
            postgres.continue_session(pid)


def test_a_session_that_stands_still_keeps_nobody_waiting_for_long_and_is_replaced(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
):
    """One of the pool's while nobody asks it: the next one who would is answered by another."""
    monkeypatch.setattr("historian.api.reading.WITHIN_S", 0.5)
    monkeypatch.setattr(pulse, "EVERY_S", 0.1)
    with kept(new_database(postgres), samples.prices()) as url, asked_here(url, connections=1) as client:
        assert told(client, "/row-count") == (200, None)
        feeling = query(url, f"{SESSIONS} AND query = 'SELECT 1'")
        idle = [pid for (pid,) in query(url, SESSIONS) if (pid,) not in feeling]
        assert idle
        with stopped(postgres, idle):
            assert told(client, "/row-count") == (200, None)


def test_whoever_waits_for_a_session_that_stands_still_is_told_when_no_statement_may_take_longer(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("historian.api.reading.WITHIN_S", 0.5)
    monkeypatch.setattr(pulse, "EVERY_S", 0.1)
    question = "SELECT pg_sleep(20)"
    with kept(new_database(postgres), samples.prices()) as url, asked_here(url, statement_timeout_s=3) as client:
        with ThreadPoolExecutor(1) as threads:
            waiting = threads.submit(lambda: asked_of(client, question))
            (pid,) = eventually(lambda: [pid for (pid,) in query(url, f"{SESSIONS} AND query = '{question}'")])
            with stopped(postgres, [pid]):
                assert waiting.result(ENOUGH_S) == Sort.DATABASE_AWAY
        assert told(client, "/row-count") == (200, None)


def asked_of(client: Client, statement: str) -> Sort | None:
    """What becomes of a statement."""
    try:
        with client.context.reader.reading() as reading:
            reading.rows(statement, {})
    except Problem as problem:
        return problem.sort
    return None
