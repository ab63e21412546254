"""Prices of the past, as a person asks the running service for them: real broker, process and simulator, and the command."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
from listening import Listener
from real_mosquitto import Mosquitto
from simulator_client import Keys, simulating
from waiting import eventually

from caiso.oasis import midnight, trade_day
from dotbus.contracts.messages import Prices, ServiceStatus
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.schedule import utc_now

pytestmark = pytest.mark.integration

INSTALLATION = """
environment = "simulator"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "R1"
node = "BAYSHOR2_1_N001"
[prices]
markets = ["RTM"]
"""
NP15 = "TH_NP15_GEN-APND"
DAY = timedelta(days=1)


class Service:
    """lmp_ingest as it is started, and its command line with the same settings."""

    def __init__(self, folder: Path, oasis: str, broker: Mosquitto) -> None:
        (folder / "dotbus.toml").write_text(INSTALLATION)
        self.environment = {
            **os.environ,
            "LMP_INGEST_CONFIG": str(folder / "dotbus.toml"),
            "LMP_INGEST_INSTANCE": "test",
            "LMP_INGEST_URL": oasis,
            "LMP_INGEST_SPACING_S": "0.1",
            "LMP_INGEST_STATE_DIR": str(folder / "state"),
            "LMP_INGEST_MQTT_PORT": str(broker.port),
        }
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", "lmp_ingest"], env=self.environment)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "lmp_ingest", *words]
        return subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=120, check=False)


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    listening = Listener(broker.port, (Subject.PRICES, Subject.SERVICE))
    yield listening
    listening.bus.stop()


@pytest.fixture
def begin(tmp_path: Path, broker: Mosquitto, keys: Keys, listener: Listener) -> Iterator[Callable[[], Service]]:
    (tmp_path / "dotbus.toml").write_text(INSTALLATION)
    begun: list[Service] = []
    with simulating(keys, tmp_path / "dotbus.toml", utc_now, oasis_spacing_s=0.0) as addresses:

        def service() -> Service:
            begun.append(Service(tmp_path, addresses.oasis, broker))
            eventually(lambda: status(listener), within_s=40)
            return begun[-1]

        yield service
        for one in begun:
            one.kill()


def status(listener: Listener) -> ServiceStatus | None:
    said = listener.latest().get(Topics().service("lmp_ingest", "test"))
    return said if isinstance(said, ServiceStatus) and said.online else None


def told(listener: Listener, market: str, node: str) -> list:
    events = [event for event in listener.of(Prices) if event.market == market and node in event.nodes]
    return sorted(event.interval_start for event in events)


def hours(first: date, last: date) -> list:
    start, end = midnight(first), midnight(last)
    return [start + number * timedelta(hours=1) for number in range((end - start) // timedelta(hours=1))]


def test_a_month_of_a_node_takes_one_command_and_comes_over_the_bus(begin: Callable[[], Service], listener: Listener) -> None:
    service, last = begin(), trade_day(utc_now()) - 10 * DAY
    first = last - 31 * DAY
    ran = service.command("backfill", "--market", "DAM", "--from", str(first), "--to", str(last), "--node", "NP15")

    expected = hours(first, last)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip().endswith(f"of {NP15}: {len(expected)} prices in 2 requests")
    eventually(lambda: len(told(listener, "DAM", NP15)) >= len(expected))
    assert told(listener, "DAM", NP15) == expected


def test_it_goes_on_after_a_kill_and_the_same_command_waits_for_it(begin: Callable[[], Service], listener: Listener) -> None:
    service, last = begin(), trade_day(utc_now()) - 10 * DAY
    first = last - 15 * DAY
    words = ("backfill", "--market", "DAM", "--from", str(first), "--to", str(last), "--node", "ALL_APNODES")
    assert service.command(*words, "--detach").returncode == 0
    eventually(lambda: any(one.requests_done >= 3 for one in status(listener).backfills), within_s=40)
    service.kill()
    begun_again_after = utc_now()
    service.start()
    eventually(lambda: (told := status(listener)) and told.started_at > begun_again_after, within_s=40)
    ran = service.command(*words)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    (known,) = eventually(lambda: status(listener).backfills)
    assert (known.requests, known.requests_done, known.missing) == (15, 15, ())
    eventually(lambda: set(told(listener, "DAM", NP15)) == set(hours(first, last)))
    ids = [event.id for event in listener.of(Prices) if event.market == "DAM"]
    assert len(told(listener, "DAM", NP15)) - len(hours(first, last)) <= len(ids) - len(set(ids)), (
        "said again is only the same event"
    )


def test_a_name_that_caiso_does_not_know_is_told_with_status_one(begin: Callable[[], Service]) -> None:
    ran = begin().command("backfill", "--from", str(trade_day(utc_now()) - 3 * DAY), "--node", "NP15", "--node", "NO_SUCH_NODE")

    assert ran.returncode == 1
    assert "no price at all: NO_SUCH_NODE; is the name right?" in ran.stdout


def test_up_to_the_end_of_today_all_that_is_published_comes_and_that_is_enough(begin: Callable[[], Service]) -> None:
    service, today = begin(), trade_day(utc_now())
    words = ("backfill", "--market", "RTM", "--from", str(today - DAY), "--to", str(today + DAY), "--node", "NP15")
    ran = service.command(*words)

    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "not published yet: " in ran.stdout
    assert "missing" not in ran.stdout


def test_nothing_is_missing_of_a_service_that_has_all_and_a_command_without_a_service_says_so(
    begin: Callable[[], Service], listener: Listener
) -> None:
    service = begin()
    eventually(lambda: "RTM" in status(listener).cursors, within_s=40)
    whole = service.command("gaps")
    service.kill()
    eventually(lambda: not status(listener))
    nobody = service.command("gaps")

    assert (whole.returncode, whole.stdout[:27]) == (0, "RTM: complete until 20" + whole.stdout[22:27])
    assert nobody.returncode == 3
    assert "lmp_ingest/test is not there: does it run, and is this its name?" in nobody.stderr


def test_what_cannot_be_is_refused_by_the_service_or_the_command_line(begin: Callable[[], Service]) -> None:
    service = begin()
    old = service.command("backfill", "--from", "2015-01-01", "--to", "2015-02-01", "--node", "NP15")
    wrong = service.command("backfill", "--from", "yesterday", "--node", "NP15")

    assert (old.returncode, "OASIS keeps prices for 39 months" in old.stderr) == (1, True)
    assert (wrong.returncode, "neither a day (2026-11-01) nor a time" in wrong.stderr) == (2, True)
