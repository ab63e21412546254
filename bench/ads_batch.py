"""What a dispatch batch of 1,000 resources costs ads_ingest, from the reply's bytes to the last acknowledgement of the broker.

    python bench/ads_batch.py [TRIALS] [RESOURCES]

The loop, the outbox on the disk, the courier and the bus are the real ones and run in this process. Beside it runs a real
Mosquitto with the limits that it is deployed with; CAISO is in memory, because its work would be measured, too. In each trial
CAISO revises one of four batches. Measured is the time from its reply until an event and a state of each resource are
acknowledged, and the processor time of that.
"""

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the broker and the loop are the tests'

from ads_bench import T0, Bench
from ads_fake import Batch, FakeAds
from real_mosquitto import AT_ONCE_AS_DEPLOYED, remove_mosquitto, start_mosquitto

from caiso.ads.records import Question, Reply
from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import Topics
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.outbox.courier import Courier
from dotbus.runtime.presence import Identity
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings

TRIALS, RESOURCES = 20, 1000
RESOURCES_A_PLANT = 10
AHEAD = 3
"""Batches that hold beside the one in force."""
INTERVAL, POLL = timedelta(minutes=5), timedelta(seconds=1)
WITHIN_S = 30.0
SEGMENTS = "".join(
    f"<instructionDetail segNo='{number}'><serviceType>{name}</serviceType><mw>{mw}</mw></instructionDetail>"
    for number, (name, mw) in enumerate((("SCHD", 8.0), ("SUPP", 2.0)), 1)
)


def installation(resources: int) -> Installation:
    """So many, ten a plant."""
    names = [f"R{number}" for number in range(resources)]
    pieces = [names[first : first + RESOURCES_A_PLANT] for first in range(0, resources, RESOURCES_A_PLANT)]
    plants = [{"name": f"plant{number}", "resource": [{"id": name} for name in own]} for number, own in enumerate(pieces)]
    return Installation.model_validate({"environment": "simulator", "plant": plants})


class AnsweringAds(FakeAds):
    """Notes when a batch was answered: wall and processor, seconds."""

    answered = (0.0, 0.0)

    def fetch(self, question: Question) -> Reply:
        """As the source does."""
        reply = super().fetch(question)
        if question.operation == "getDispatchBatch":
            self.answered = time.perf_counter(), time.process_time()
        return reply


class Delivering(Bench):
    """The loop, with a courier that takes what it keeps to a broker."""

    def __init__(self, folder: Path, port: int, resources: int) -> None:
        self.port, self.resources = port, resources
        self.left = 0
        self.delivered = threading.Event()
        super().__init__(folder)

    def start(self) -> None:
        """A process begins."""
        self.installation = installation(self.resources)
        self.max_reply_bytes = 64 * 1024 * 1024
        self.source = self.ads = AnsweringAds()
        super().start()
        identity = Identity("ads_ingest", "bench", Environment.SIMULATOR, utc_now())
        self.bus = Bus(BusSettings(port=self.port), "bench", clock=utc_now)
        self.courier = Courier(self.bus, self.outbox, Topics(), identity, clock=utc_now, published=self.note_published)
        self.bus.start()
        self.courier.start()

    def stop(self) -> None:
        """It ends."""
        self.courier.stop()
        self.bus.stop()
        self.outbox.close()

    def count_commit(self) -> None:
        """There is something to deliver."""
        self.courier.wake()

    def note_published(self, count: int) -> None:
        """The broker acknowledged events."""
        self.left -= count
        if self.left <= 0:
            self.delivered.set()

    def deliver(self, batches: int = 1) -> tuple[float, float]:
        """A round that hears of some batches. Returns the milliseconds from the last reply until all is acknowledged.

        And those of the processor meanwhile.
        """
        self.left = batches * self.resources
        self.delivered.clear()
        self.round(POLL)
        if not self.delivered.wait(WITHIN_S):
            raise SystemExit(f"not delivered within {WITHIN_S} s")
        while not self.courier.caught_up:
            time.sleep(0.001)
        wall_s, processor_s = self.ads.answered
        return (time.perf_counter() - wall_s) * 1000, (time.process_time() - processor_s) * 1000


def batch(number: int, resources: int) -> Batch:
    """The batch of one interval."""
    dots_mw = {f"R{each}": 10.0 + each for each in range(resources)}
    return Batch(f"B{number}", T0 + number * INTERVAL, dots_mw, detail=SEGMENTS)


@contextmanager
def delivering(folder: Path, resources: int) -> Iterator[Delivering]:
    """A loop that has heard of the batch in force and of those ahead."""
    (folder / "broker").mkdir()
    broker = start_mosquitto(folder / "broker", AT_ONCE_AS_DEPLOYED)
    bench = Delivering(folder, broker.port, resources)
    bench.ads.batches += [batch(number, resources) for number in range(1 + AHEAD)]
    bench.deliver(1 + AHEAD)
    try:
        yield bench
    finally:
        bench.stop()
        remove_mosquitto(broker)


def trial(bench: Delivering, number: int) -> tuple[float, float]:
    """CAISO revises the batch that it has not told of for the longest time: what `deliver` returns."""
    revised = bench.ads.batches.pop(0)
    revised.revision_no = number
    revised.dots_mw["R0"] = 10.0 + number
    bench.ads.batches.append(revised)
    return bench.deliver()


def main(trials: int = TRIALS, resources: int = RESOURCES) -> None:
    """Measure and tell."""
    with tempfile.TemporaryDirectory() as folder, delivering(Path(folder), resources) as bench:
        took_ms = [trial(bench, 2 + number) for number in range(trials)]
    names = ("until all is acknowledged", "of this process's processor")
    for what, each_ms in zip(names, zip(*took_ms, strict=True), strict=True):
        told = f"median {median(each_ms):4.0f} ms, least {min(each_ms):4.0f}, most {max(each_ms):4.0f}"
        print(f"{resources} resources, {what:27}: {told}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
