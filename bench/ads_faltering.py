"""How soon a new batch is on the bus while CAISO leaves some questions unanswered and many batches are open.

    python bench/ads_faltering.py [TRIALS [PERCENT...]]

Simulated CAISO, ads_ingest and Mosquitto as real processes. Twenty batches are open, and every new one comes to them; each is
asked for its revision again and again. CAISO issues a batch at a random moment, TRIALS times for each share of failing
answers (0, 5, 15 and 30 % unless told: half of them status 503, others SOAP faults, replies that are cut and questions that
time out). Measured is from the order to issue it until its event is at a subscriber, in poll intervals of 10 s, as usual: what
a time-out costs is seconds. p99 at 15 % is to be below 3. It takes two answers: the list, and itself.
"""

import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the stack is the tests'

from dispatch_listener import DispatchListener
from plant_stack import RESOURCES, PlantStack
from real_mosquitto import remove_mosquitto, start_mosquitto
from waiting import eventually

from dotbus.contracts.messages import Dispatch

SHARES = (0.0, 0.05, 0.15, 0.3)
FAULTS = {"http_503": 1 / 2, "soap_fault": 1 / 6, "cut": 1 / 6, "timeout": 1 / 6}
OPEN_BATCHES = 20
TRIALS = 100
POLL_S = 10.0
WITHIN_S = 600.0
"""Several questions in a row may time out, each after 30 s."""
SEED = 20261126
SETTINGS = {
    "simulator": {"INTERVAL_S": "3600", "HISTORY_INTERVALS": "1"},
    "ads_ingest": {"POLL_S": str(POLL_S), "RECHECK_S": "10"},
}


class Seen:
    """The megawatts of every instruction that came to a subscriber, and when."""

    def __init__(self, port: int) -> None:
        self.at_s: dict[float, float] = {}
        self.listener = DispatchListener(port, self._note)

    def _note(self, dispatch: Dispatch) -> None:
        now_s = time.monotonic()
        for instruction in dispatch.instructions:
            if instruction.dot_mw is not None:
                self.at_s.setdefault(instruction.dot_mw, now_s)


@contextmanager
def running(folder: Path) -> Iterator[PlantStack]:
    """CAISO, the ingest and the broker."""
    (folder / "broker").mkdir(parents=True)
    broker = start_mosquitto(folder / "broker")
    plant = PlantStack(folder, broker, None, settings=SETTINGS)
    plant.start("simulator", "ads_ingest")
    try:
        yield plant
    finally:
        plant.stop()
        remove_mosquitto(broker)


def issue(plant: PlantStack, number: int) -> float:
    """A new batch. Returns its megawatts, by which it is known again."""
    mw = 10 + number / 64
    plant.ask_simulator("/issue", kind="min_constraint", resources=[RESOURCES[number % len(RESOURCES)]], dot_mw=mw)
    return mw


def trial_s(plant: PlantStack, seen: Seen, number: int) -> float:
    """From the order to the subscriber."""
    began_s = time.monotonic()
    mw = issue(plant, number)
    return eventually(lambda: seen.at_s.get(mw), WITHIN_S, 0.01) - began_s


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which so much of them lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(folder: Path, share: float, trials: int, chance: random.Random) -> None:
    """Print one line."""
    with running(folder) as plant:
        seen = Seen(plant.broker.port)
        opened = [issue(plant, number) for number in range(OPEN_BATCHES)]
        eventually(lambda: seen.at_s.keys() >= set(opened), WITHIN_S, 0.1)
        for fault, part in FAULTS.items() if share else ():
            plant.ask_simulator("/faults", service="ads", fault=fault, share=share * part)
        took_s = []
        for number in range(OPEN_BATCHES, OPEN_BATCHES + trials):
            time.sleep(chance.random() * POLL_S)
            took_s.append(trial_s(plant, seen, number))
        seen.listener.close()
    found = (median(took_s), percentile(took_s, 0.99), max(took_s))
    p50, p99, most = (f"{seconds / POLL_S:5.2f}" for seconds in found)
    print(f"{share:4.0%} of the answers fail: {p50} poll intervals in the median, p99 {p99}, at most {most}", flush=True)


def main() -> None:
    """Few faults first."""
    trials, chance = int(sys.argv[1]) if sys.argv[1:] else TRIALS, random.Random(SEED)
    shares = [int(percent) / 100 for percent in sys.argv[2:]] or SHARES
    with tempfile.TemporaryDirectory() as folder:
        for share in shares:
            measure(Path(folder) / f"{share:.2f}", share, trials, chance)


if __name__ == "__main__":
    main()
