"""The promises of the store, whoever is killed when: each event once, the first one stays, and each number is accounted for."""

import random
import threading
from collections.abc import Iterator, Sequence

import psycopg2
import pytest
from historian_parts import IN_SCHEMA, NOW, arrival, counts, dispatch, letters, ready, received, replace, stored
from hypothesis import given, settings
from hypothesis import strategies as st
from real_postgres import Postgres, new_database

from dotbus.runtime.outbox.sequence import SequenceRanges
from dotbus.testing import samples
from historian.database import Database, StoreUnavailable
from historian.write.reading.arrivals import Arrival, Written
from historian.write.reading.record import Stream
from historian.write.sequences.accounts import Accounts
from historian.write.storing.store import Store

pytestmark = pytest.mark.integration

EVENTS, ROUNDS, TRIES = 60, 12, 200
STREAMS = ("first", "second")
SOURCE = "somebody/a"
"""One that says all kinds of events, so that they share their numbers."""
KILL = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'dotbus historian' AND pid = %s"
BUSY = "SELECT pid FROM pg_stat_activity WHERE application_name = 'dotbus historian' AND datname = current_database()"


@pytest.fixture
def pair(database: str) -> Iterator[tuple[Database, Database]]:
    with ready(database) as one, ready(database) as other:
        yield one, other


def event(stream: str, seq: int, *, dot_mw: float = 1.0, key: int | None = None) -> Arrival:
    """An event of a stream: a dispatch, a curve or prices. `key` is its number unless it is to contradict another."""
    number = f"{stream}-{seq if key is None else key}"
    place = {"source": SOURCE, "stream": stream, "seq": seq, "id": number}
    match (seq if key is None else key) % 3:
        case 0:
            return arrival(replace(dispatch(seq, batch_uid=number, dot_mw=dot_mw), **place))
        case 1:
            sample = samples.trajectory_batch()
            dops = tuple(replace(dop, dop_mw=dot_mw) for dop in sample.dops)
            return arrival(replace(sample, batch=replace(sample.batch, batch_uid=number), dops=dops, **place))
        case _:
            sample = replace(samples.prices(), nodes=(number, f"{number}-B"))
            return arrival(replace(sample, lmp_usd_per_mwh=(dot_mw, None), **place))


def insist(store: Store, batch: Sequence[Arrival]) -> Written:
    """As the loop does: until the database takes it."""
    for tries in range(TRIES):
        try:
            return store.write(batch, NOW, tries if tries < 5 else 0)
        except StoreUnavailable:
            continue
    raise AssertionError("the database never took it")


def write_all(
    database: Database, batches: Sequence[Sequence[Arrival]], told: list[Written], failed: list[BaseException]
) -> None:
    store = Store(database)
    try:
        told.extend(insist(store, batch) for batch in batches)
    except Exception as error:  # noqa: BLE001  # a thread's fault is the test's
        failed.append(error)


def run_together(work: Sequence[threading.Thread]) -> None:
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()


def kill_at_random(url: str, seed: int, done: threading.Event) -> None:
    """End connections of historians, now this one, now that, until told to stop."""
    chance = random.Random(seed)
    connection = psycopg2.connect(url + IN_SCHEMA)
    connection.autocommit = True
    with connection.cursor() as cursor:
        while not done.wait(chance.uniform(0.0, 0.03)):
            cursor.execute(BUSY)
            if pids := [pid for (pid,) in cursor.fetchall()]:
                cursor.execute(KILL, [chance.choice(pids)])
    connection.close()


def numbers(text: str) -> SequenceRanges:
    """What PostgreSQL writes as {[1,3),[5,6)}."""
    parts = text.strip("{}").replace("),", ") ").split()
    bounds = [part.strip("[)").split(",") for part in parts]
    return SequenceRanges.of((int(first), int(end) - 1) for first, end in bounds)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_historians_that_are_killed_again_and_again_store_each_event_once(database, pair, seed):
    chance = random.Random(seed)
    events = [event(stream, seq) for stream in STREAMS for seq in range(1, EVENTS + 1)]
    told: list[Written] = []
    failed: list[Exception] = []
    # Each gets nearly all of it in an order of its own, much of it twice, as after a lost session.
    shares = [chance.sample(events * 2, 2 * len(events) - 5) for _ in pair]
    shares[0] += events
    work = [
        threading.Thread(target=write_all, args=(one, [share[at : at + 17] for at in range(0, len(share), 17)], told, failed))
        for one, share in zip(pair, shares, strict=True)
    ]
    done = threading.Event()
    killer = threading.Thread(target=kill_at_random, args=(database, seed, done))
    killer.start()
    run_together(work)
    done.set()
    killer.join()
    assert failed == []
    assert_each_once(database, len(events))
    assert all(numbers(received(database, of(stream))[0]).ranges == ((1, EVENTS),) for stream in STREAMS)
    assert letters(database) == []


def of(stream: str) -> Stream:
    return Stream("simulator", SOURCE, stream)


def assert_each_once(url: str, events: int) -> None:
    """As many events as there were, each with all of its rows and no row without its event."""
    rows = counts(url)
    assert rows["dispatch_batch"] + rows["trajectory_batch"] + rows["price_report"] == events
    assert rows["instruction"] == rows["dispatch_batch"]
    assert rows["instruction_detail"] == 2 * rows["instruction"]
    assert (rows["dop"], rows["compliance"]) == (2 * rows["trajectory_batch"], rows["trajectory_batch"])
    assert rows["price"] == 2 * rows["price_report"]
    for table in ("instruction", "dop", "compliance"):
        parent = "dispatch_batch" if table == "instruction" else "trajectory_batch"
        assert stored(url, f"SELECT count(*) FROM {table} WHERE event_no NOT IN (SELECT event_no FROM {parent})") == [(0,)]


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["write", "write", "write", "lose"]),
        st.integers(0, 1),
        st.lists(st.tuples(st.integers(1, 12), st.sampled_from([1.0, 1.0, 1.0, 2.0])), min_size=1, max_size=6),
    ),
    min_size=1,
    max_size=8,
)


class Promised:
    """What must be in the database, by the plainest of means."""

    def __init__(self) -> None:
        self.first: dict[int, float] = {}
        self.came: set[int] = set()
        self.given_up: set[int] = set()
        self.contradicted: set[tuple[int, float]] = set()

    def write(self, said: Sequence[tuple[int, float]]) -> None:
        for seq, dot_mw in said:
            if self.first.setdefault(seq, dot_mw) != dot_mw:
                self.contradicted.add((seq, dot_mw))
            self.came.add(seq)

    def lose(self, seqs: Sequence[int]) -> None:
        self.given_up |= set(seqs) - self.came


@pytest.fixture(scope="module")
def shared(postgres: Postgres) -> Iterator[tuple[str, Database, Database]]:
    url = new_database(postgres)
    with ready(url) as one, ready(url) as other:
        yield url, one, other


@settings(max_examples=60)
@given(actions=ACTIONS)
def test_the_store_keeps_what_the_plainest_model_keeps(shared, actions):
    url, *databases = shared
    stored(
        url, "TRUNCATE dispatch_batch, instruction, instruction_detail, trajectory_batch, dop, compliance, price_report, price"
    )
    stored(url, "TRUNCATE source_sequence, lost_events, dead_letter")
    stores, accounts, promised = [Store(one) for one in databases], [Accounts(one) for one in databases], Promised()
    for action, who, said in actions:
        if action == "write":
            stores[who].write([event("model", seq, dot_mw=dot_mw) for seq, dot_mw in said], NOW)
            promised.write(said)
        else:
            seqs = [seq for seq, _ in said]
            accounts[who].give_up(of("model"), SequenceRanges.of((seq, seq) for seq in seqs).ranges, "gone", NOW)
            promised.lose(seqs)
    came, lost = (numbers(text).ranges for text in received(url, of("model")))
    assert came == SequenceRanges.of((seq, seq) for seq in promised.came).ranges
    assert lost == SequenceRanges.of((seq, seq) for seq in promised.given_up - promised.came).ranges
    assert_each_once(url, len(promised.first))
    assert shown(url) == promised.first
    assert len(letters(url)) == len(promised.contradicted)


def shown(url: str) -> dict[int, float]:
    """The value that is stored of each number."""
    return dict(
        stored(
            url,
            "SELECT seq, dot_mw FROM instruction_history UNION ALL SELECT DISTINCT seq, dop_mw FROM dop_history "
            "UNION ALL SELECT seq, lmp_usd_per_mwh FROM price_history WHERE node NOT LIKE '%-B'",
        )
    )
