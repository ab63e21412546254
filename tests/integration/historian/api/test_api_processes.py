"""`historian api` by several processes: one that dies is missed by nobody, limits and metrics are of all, one word ends all."""

import signal
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
import pytest
import requests
from api_process import answer, serving
from historian_api import NP15
from historian_database import fill, prepared
from real_mosquitto import free_port
from real_postgres import query
from waiting import eventually

from dotbus.testing import samples

pytestmark = pytest.mark.integration

PROCESSES = 3


@dataclass(frozen=True)
class Several:
    """The API, and where it is asked."""

    process: subprocess.Popen[str]
    address: str
    health: str

    def parts(self) -> list[psutil.Process]:
        """The processes that serve."""
        parts = []
        for one in psutil.Process(self.process.pid).children():
            with suppress(psutil.Error):  # one that has just ended
                parts += [one] if "spawn_main" in " ".join(one.cmdline()) else []
        return parts

    def are_serving(self, count: int = PROCESSES) -> bool:
        """Whether so many do."""
        told = answer(f"{self.health}/ready")
        return told is not None and told.json()["processes"] == count

    def ask(self, path: str = f"/v1/prices?node={NP15}&start=2026-10-13") -> int:
        """The status of an answer, by a connection of its own: the system chooses who is asked."""
        return requests.get(self.address + path, timeout=30).status_code

    def count(self, line: str) -> float:
        """What the metrics say."""
        told = requests.get(f"{self.health}/metrics", timeout=10).text
        return sum(float(each.rpartition(" ")[2]) for each in told.splitlines() if each.startswith(line))


@contextmanager
def several(folder: Path, url: str, **settings: str) -> Iterator[Several]:
    port, health = free_port(), free_port()
    given = {"PORT": str(port), "HEALTH_PORT": str(health), "WITHOUT_KEYS": "true", "PROCESSES": str(PROCESSES), **settings}
    with serving(folder, url, **given) as process:
        api = Several(process, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{health}")
        eventually(api.are_serving, within_s=60)
        yield api


@pytest.fixture
def filled(database: str) -> Iterator[str]:
    with prepared(database) as owned:
        fill(owned, samples.prices())
        yield database


def test_when_one_dies_the_others_answer_everybody_and_another_takes_its_place(filled: str, tmp_path: Path):
    with several(tmp_path, filled, REQUESTS_PER_S="1000") as api:
        before = {one.pid for one in api.parts()}
        assert {api.ask() for _ in range(30)} == {200}
        killed = api.parts()[0]
        killed.kill()
        psutil.wait_procs([killed], timeout=10)
        assert {api.ask() for _ in range(30)} == {200}
        eventually(lambda: len(api.parts()) == PROCESSES and api.are_serving(), within_s=60)
        after = {one.pid for one in api.parts()}

        assert len(before & after) == PROCESSES - 1
        assert api.count('historian_api_answers_total{path="/v1/prices",status="200"}') == 60, "of the dead one as well"


def test_one_word_ends_all_in_order(filled: str, tmp_path: Path):
    with several(tmp_path, filled) as api:
        parts = api.parts()
        with socket.create_connection(("127.0.0.1", int(api.address.rpartition(":")[2]))):  # silent, and holds nothing up
            api.process.send_signal(signal.SIGTERM)
            status = api.process.wait(timeout=30)

    assert status == 0
    assert not [one for one in parts if one.is_running()]


def test_when_who_looks_after_them_is_killed_they_end_too(filled: str, tmp_path: Path):
    with several(tmp_path, filled) as api:
        parts = api.parts()
        api.process.kill()
        _gone, alive = psutil.wait_procs(parts, timeout=20)

    assert (len(parts), alive) == (PROCESSES, [])


def test_how_often_one_may_ask_is_counted_over_all_of_them(filled: str, tmp_path: Path):
    """One, and the next in ten seconds; each by itself would give one as well."""
    with several(tmp_path, filled, REQUESTS_PER_S="0.1") as api:
        assert Counter(api.ask() for _ in range(40)) == {200: 1, 429: 39}


def test_how_many_streams_are_read_is_counted_over_all_of_them_and_those_of_a_dead_one_are_over(filled: str, tmp_path: Path):
    """What is streamed waits for a lock, so that each is read until its process is killed."""
    stream = "/v1/prices.csv?start=2026-10-13"
    with several(tmp_path, filled, REQUESTS_PER_S="1000", STREAMS_EACH="2") as api, closing(psycopg2.connect(filled)) as holder:
        holder.cursor().execute("LOCK TABLE dotbus.price IN ACCESS EXCLUSIVE MODE")
        asked = [threading.Thread(target=answer, args=(api.address + stream,)) for _ in range(2)]
        for thread in asked:
            thread.start()
        eventually(lambda: query(filled, "SELECT count(*) FROM pg_locks WHERE NOT granted") == [(2,)])
        assert {api.ask(stream) for _ in range(10)} == {429}
        for part in api.parts():
            part.kill()
        for thread in asked:
            thread.join()
        holder.rollback()
        eventually(lambda: len(api.parts()) == PROCESSES and api.are_serving(), within_s=60)

        assert api.ask(stream) == 200


def test_a_port_that_another_api_of_ours_has_is_taken(filled: str, tmp_path: Path):
    with several(tmp_path, filled) as api:
        port = {"PORT": api.address.rpartition(":")[2], "PROCESSES": "2", "WITHOUT_KEYS": "true"}
        with serving(tmp_path, filled, **port) as second:
            said, _ = second.communicate(timeout=60)

    assert second.returncode == 1
    assert "set HISTORIAN_API_PORT to a free one" in said
