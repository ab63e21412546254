"""Events to the disk and to the bus: the outbox and the courier, each beside what it cannot be faster than, in one run.

    python bench/outbox.py [ROUNDS]

- Commits of one event and the cursor, beside a bare INSERT of the same bytes (WAL, synchronous FULL) in the same folder, and
  both on a file system in memory where there is one: there the disk costs nothing, and what remains is our own work.
- A backlog to a bus that takes everything at once (the courier's own cost), and to a real Mosquitto, beside the bus alone.
- A replay of 100,000 events, of which no two stand beside each other.
"""

import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the broker is the tests'

from real_mosquitto import remove_mosquitto, start_mosquitto

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import MAX_RANGES, Dispatch, Environment, ReplayRequest
from dotbus.contracts.topics import Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.runtime.outbox import own_stream
from dotbus.runtime.outbox.courier import Courier
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.outbox.packing import Packer
from dotbus.runtime.presence import Identity
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings
from dotbus.testing import samples
from dotbus.testing.bus import FakeBus

ROUNDS = 5
COMMITS = 1000
BACKLOG = 20_000
SCATTERED = 100_000
TOGETHER = 800
MEMORY = Path("/dev/shm")
TOPICS = Topics()
NOW = datetime(2026, 1, 1, tzinfo=UTC)
IDENTITY = Identity("ads_ingest", "bench", Environment.SIMULATOR, NOW)


class TakingBus(FakeBus):
    """Takes everything at once and keeps nothing."""

    taken = 0

    def publish(self, messages: Sequence[Outgoing], timeout_s: float = 10.0) -> None:  # noqa: ARG002  # as the real bus
        """Count the messages."""
        self.taken += len(messages)


def events(count: int) -> list[tuple[str, Dispatch]]:
    """Dispatches as CAISO's sample has them, with ids as long as its own."""
    sample, topic = samples.dispatch(), TOPICS.dispatch("sierra", "TEST_RESOURCE_1")
    return [(topic, msgspec.structs.replace(sample, id=f"{sample.id[:-24]}{number:024}")) for number in range(count)]


@contextmanager
def outbox(folder: Path | None = None) -> Iterator[Outbox]:
    """An empty one."""
    with tempfile.TemporaryDirectory(dir=folder) as place:
        box = Outbox(Path(place) / "outbox.sqlite", max_age_s=1e9, max_bytes=10**12)
        yield box
        box.close()


def seconds(work: Callable[[], object]) -> float:
    """How long it takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def commits(folder: Path | None) -> float:
    """Commits a second, each of one event and the cursor."""
    given = events(COMMITS)
    with outbox(folder) as box:

        def commit_all() -> None:
            for event in given:
                box.commit(NOW, events=[event], cursors={"dispatch": event[1].id})

        return COMMITS / seconds(commit_all)


def bare_inserts(folder: Path | None) -> float:
    """INSERTs a second of the same payloads, compressed before: what the disk and SQLite take at the least."""
    packer = Packer()
    payloads = [packer.pack(encode(event)) for _topic, event in events(COMMITS)]
    with tempfile.TemporaryDirectory(dir=folder) as place:
        database = sqlite3.connect(Path(place) / "bare.sqlite", isolation_level=None)
        for setting in ("locking_mode = EXCLUSIVE", "journal_mode = WAL", "synchronous = FULL"):
            database.execute(f"PRAGMA {setting}")
        database.execute("CREATE TABLE event (seq INTEGER PRIMARY KEY, payload BLOB NOT NULL)")

        def insert_all() -> None:
            for payload in payloads:
                database.execute("INSERT INTO event (payload) VALUES (?)", (payload,))

        rate = COMMITS / seconds(insert_all)
        database.close()
        return rate


def delivered(bus: Bus | FakeBus) -> float:
    """Events a second from a backlog on the disk to acknowledged and marked."""
    with outbox() as box:
        box.commit(NOW, events=events(BACKLOG))
        courier = Courier(bus, box, TOPICS, IDENTITY, clock=utc_now)  # type: ignore[arg-type]  # the double has its methods
        bus.start()
        wait_for(lambda: bus.connected)
        rate = BACKLOG / seconds(lambda: (courier.start(), wait_for(lambda: box.span().unpublished == 0)))
        courier.stop()
        bus.stop()
        return rate


def published(bus: Bus) -> float:
    """Messages a second of the bus alone, from memory."""
    given = [Outgoing(topic, encode(event)) for topic, event in events(BACKLOG)]
    bus.start()
    wait_for(lambda: bus.connected)

    def publish_all() -> None:
        for start in range(0, len(given), TOGETHER):
            bus.publish(given[start : start + TOGETHER])

    rate = BACKLOG / seconds(publish_all)
    bus.stop()
    return rate


def wait_for(condition: Callable[[], bool]) -> None:
    """Look until it is so."""
    while not condition():
        time.sleep(0.005)


def replayed() -> float:
    """Seconds from the request for every other event of many to the last of the replies."""
    with outbox() as box:
        for start in range(0, 2 * SCATTERED, 20_000):
            box.commit(NOW, events=[(topic, event) for topic, event in events(2 * SCATTERED)[start : start + 20_000]])
        box.mark_published(range(1, 2 * SCATTERED + 1))
        bus = TakingBus()
        courier = Courier(bus, box, TOPICS, IDENTITY, clock=utc_now)  # type: ignore[arg-type]  # the double has its methods
        bus.start()
        for start in range(1, 2 * SCATTERED, 2 * MAX_RANGES):
            bus.deliver(TOPICS.replay(IDENTITY.service, IDENTITY.instance), encode(every_other(box.stream, start)))
        replies = SCATTERED // MAX_RANGES
        took_s = seconds(lambda: (courier.start(), wait_for(lambda: bus.taken >= SCATTERED + replies)))
        courier.stop()
        return took_s


def every_other(stream: str, start: int) -> ReplayRequest:
    """As many ranges of one event as a request may have."""
    ranges = tuple((seq, seq) for seq in range(start, start + 2 * MAX_RANGES, 2))
    first, last = ranges[0][0], ranges[-1][1]
    return ReplayRequest(
        environment=Environment.SIMULATOR, source="historian/bench", time=NOW,
        stream=stream, first_seq=first, last_seq=last, ranges=ranges,
    )  # fmt: skip


def beside(what: str, ours: Callable[[], float], peer: str, theirs: Callable[[], float], rounds: int) -> None:
    """Print both rates, taken in turns, and the median of their ratios."""
    pairs = [(ours(), theirs()) for _ in range(rounds)]
    our_rate, their_rate = (median(rates) for rates in zip(*pairs, strict=True))
    ratio = median(our / their for our, their in pairs)
    print(f"{what:34} {our_rate:8,.0f}/s   {peer:24} {their_rate:8,.0f}/s   ratio {ratio:.2f}", flush=True)


def main() -> None:
    """Measure all of it."""
    rounds = int(sys.argv[1]) if sys.argv[1:] else ROUNDS
    own_stream.SETTLE_S = 0.0  # the double retains nothing, and what is measured is not the wait for it
    beside("commits of one event", lambda: commits(None), "bare INSERT", lambda: bare_inserts(None), rounds)
    if MEMORY.is_dir():
        beside("the same, in memory", lambda: commits(MEMORY), "bare INSERT", lambda: bare_inserts(MEMORY), rounds)
    print(f"{'courier, a bus that takes all':34} {median(delivered(TakingBus()) for _ in range(rounds)):8,.0f}/s", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        broker = start_mosquitto(Path(folder))
        settings = BusSettings(port=broker.port)
        try:
            beside(
                "courier to Mosquitto",
                lambda: delivered(Bus(settings, "courier", clock=utc_now)),
                "the bus alone",
                lambda: published(Bus(settings, "alone", clock=utc_now)),
                rounds,
            )
        finally:
            remove_mosquitto(broker)
    print(f"{'replay of 100,000 scattered events':34} {replayed():8.1f} s", flush=True)


if __name__ == "__main__":
    main()
