"""Two gateways side by side: processes of their own, a real broker, a client that reads both in turns while one is killed."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from gateway_process import CONFIG, GOOD, Ingest, Process, dot, status
from real_mosquitto import Mosquitto
from waiting import eventually

pytestmark = pytest.mark.integration

PATIENT = CONFIG.replace("stale_after_s = 3", "stale_after_s = 60")
ACTIVE, STANDBY = 1, 2
STATE_AT = 12
PATIENCE_S = 60.0
IN_FLIGHT_S = 2.0
"""Far less than what is promised: nothing keeps a message back here but two busy cores."""


class Stream:
    """An ingest that says a higher DOT many times a second."""

    def __init__(self, ingest: Ingest) -> None:
        self.said: list[float] = []
        self._ingest = ingest
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            if not self._ingest.bus.connected:
                continue
            try:
                self._ingest.say(dot(dot_mw=len(self.said) + 1.0), *([status()] if len(self.said) % 50 == 0 else []))
            except Exception:  # noqa: BLE001  # the broker went; it is said again
                continue
            self.said.append(time.monotonic())

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


@pytest.fixture
def pair(tmp_path: Path, broker: Mosquitto) -> Iterator[list[Process]]:
    running = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        running.append(Process(tmp_path / name, broker, PATIENT, name))
        eventually(running[-1].is_ready)
    yield running
    for process in running:
        if process.process.poll() is None:
            process.stop()


def state(process: Process) -> int:
    return process.words(STATE_AT, 1)[0]


def read_in_turns(processes: list[Process], stream: Stream, for_s: float, good_least: int = 0) -> None:
    """Read each in its turn: every good value is as new as what the broker had a while ago, and some are good."""
    good, began_s = 0, time.monotonic()
    while (passed_s := time.monotonic() - began_s) < for_s or (good < good_least and passed_s < PATIENCE_S):
        for process in processes:
            begun = time.monotonic()
            quality, _, megawatts = process.dot()
            least = sum(at < begun - IN_FLIGHT_S for at in list(stream.said))
            if quality == GOOD:
                good += 1
                assert megawatts >= least, (megawatts, least)
    assert good >= good_least


def test_exactly_one_is_active_and_the_other_takes_over_when_it_is_killed_and_keeps_it(
    pair: list[Process], broker: Mosquitto, tmp_path: Path
):
    first, second = pair
    ingest = Ingest(broker.port)
    ingest.say(status(), dot())
    stream = Stream(ingest)
    third = None
    try:
        eventually(lambda: (state(first), state(second)) == (ACTIVE, STANDBY), within_s=30)
        read_in_turns(pair, stream, 3, 20)
        first.stop(signal.SIGKILL)
        eventually(lambda: state(second) == ACTIVE, within_s=15)
        read_in_turns([second], stream, 2, 20)
        third = Process(tmp_path / "a", broker, PATIENT, "a")
        eventually(lambda: state(third) == STANDBY, within_s=30)
        assert state(second) == ACTIVE
        read_in_turns([second, third], stream, 2, 20)
    finally:
        stream.stop()
        ingest.bus.stop()
        if third:
            third.stop()


def test_one_that_was_frozen_answers_nothing_old_as_good_and_not_as_active_and_all_else_as_soon_as_it_is_there_again(
    pair: list[Process], broker: Mosquitto
):
    first, second = pair
    ingest = Ingest(broker.port)
    ingest.say(status(), dot())
    stream = Stream(ingest)
    try:
        eventually(lambda: (state(first), state(second)) == (ACTIVE, STANDBY), within_s=30)
        first.process.send_signal(signal.SIGSTOP)
        eventually(lambda: state(second) == ACTIVE, within_s=20)
        first.process.send_signal(signal.SIGCONT)
        assert state(first) == 0
        read_in_turns([first], stream, 1)
        eventually(lambda: first.dot()[0] == GOOD, within_s=20)
        eventually(lambda: state(first) == STANDBY, within_s=20)
        assert state(second) == ACTIVE
    finally:
        stream.stop()
        ingest.bus.stop()


def test_a_broker_that_is_restarted_and_one_that_is_stopped_show_nothing_old_as_good(pair: list[Process], broker: Mosquitto):
    ingest = Ingest(broker.port)
    ingest.say(status(), dot())
    stream = Stream(ingest)
    try:
        eventually(lambda: (state(pair[0]), state(pair[1])) == (ACTIVE, STANDBY), within_s=30)
        broker.kill()
        eventually(lambda: all(process.dot()[0] != GOOD for process in pair))
        broker.start()
        eventually(lambda: all(process.dot()[0] == GOOD for process in pair), within_s=60)
        read_in_turns(pair, stream, 2)
        eventually(lambda: sorted(map(state, pair)) == [ACTIVE, STANDBY], within_s=30)
        broker.pause()
        eventually(lambda: all(process.dot()[0] != GOOD for process in pair), within_s=20)
        assert [state(process) for process in pair] == [0, 0]
        broker.resume()
        eventually(lambda: all(process.dot()[0] == GOOD for process in pair), within_s=60)
        eventually(lambda: sorted(map(state, pair)) == [ACTIVE, STANDBY], within_s=30)
    finally:
        stream.stop()
        ingest.bus.stop()
