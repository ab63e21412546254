"""However large, however made to swell once it is read: what comes takes no more memory than was promised."""

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from historian_parts import TOPICS, dispatch, stored
from historian_process import Process
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import MAX_NODES, MAX_RANGES
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings
from dotbus.testing import samples
from historian.write.reading.size import MAX_PAYLOAD_BYTES

pytestmark = pytest.mark.integration

PROMISED_KB = 200 * 1024
LARGEST_BYTES = 16 * 2**20 - 200
"""What the broker of the deployment takes, with room for the topic."""
SIZES = (LARGEST_BYTES, MAX_PAYLOAD_BYTES, 2_700_000, 900_000, 300_000)
"""The others are read, or have too many values for that."""
PRICE_COLUMNS = [name for name in samples.prices().__struct_fields__ if name.endswith("_per_mwh")]
PRICES, DISPATCH = TOPICS.prices("RTM"), TOPICS.dispatch("sierra", "TEST_RESOURCE_1")
REPLY, STATUS = TOPICS.replay_reply("ads_ingest", "a"), TOPICS.service("ads_ingest", "a")


def document(message) -> dict:
    return json.loads(encode(message))


def filled(size: int, around: dict, entry: str, last: str) -> bytes:
    """A document with as many entries in the place of its "@" as make it so large."""
    before, after = json.dumps(around).split('"@"')
    return (before + entry * ((size - len(before) - len(after) - len(last)) // len(entry)) + last + after).encode()


def swelling(size: int) -> Iterator[tuple[str, bytes]]:
    """Messages of a size that take many times as much once they are read."""
    prices, told = document(samples.prices()), document(dispatch(1))
    instruction = told["instructions"][0]
    yield PRICES, filled(size, {**prices, "nodes": ["@"]}, '"a",', '"b"')
    yield PRICES, filled(size, {**prices, "nodes": ["@"]}, '"\\u0000",', '"b"')
    yield DISPATCH, filled(size, {**told, "instructions": [{**instruction, "details": ["@"]}]}, "{},", "{}")
    yield DISPATCH, filled(size, {**told, "instructions": ["@"]}, json.dumps(instruction) + ",", json.dumps(instruction))
    small = '{"instruction_uid":"i","batch_uid":"b","resource_id":"TEST_RESOURCE_1"}'
    yield DISPATCH, filled(size, {**told, "instructions": ["@"]}, small + ",", small)
    keys = ",".join(f'"{number:x}":""' for number in range(size // 9))
    yield DISPATCH, json.dumps({**told, "batch": {**told["batch"], "extra": "@"}}).replace('"@"', f"{{{keys}}}").encode()
    yield REPLY, filled(size, {**document(samples.replay_reply()), "lost": ["@"]}, "[1,2],", "[3,4]")
    yield STATUS, filled(size, {**document(samples.service_status()), "cursors": {"a": "@"}}, '"a","b":', '"c"')
    for junk in ("[", "\0", '{"a":', " "):
        yield PRICES, (junk * size)[:size].encode()


def network(number: int, digits: int) -> bytes:
    """Prices of as many nodes as one message may name, none of them absent."""
    nodes = [f"NODE_{number}_{place:06}" for place in range(MAX_NODES)]
    column = [round(number * 100 + place / 7 % 90, digits) for place in range(MAX_NODES)]
    columns = dict.fromkeys(PRICE_COLUMNS, column)
    event = {**document(samples.prices()), "id": f"n{number}", "seq": number, "nodes": nodes, **columns}
    return json.dumps(event, separators=(",", ":")).encode()


def most_kb(historian: Process) -> int:
    """The most memory that it ever took."""
    status = Path(f"/proc/{historian.pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0])


@pytest.fixture
def historian(broker: Mosquitto, database: str, tmp_path: Path) -> Iterator[Process]:
    process = Process(tmp_path, broker.port, database)
    yield process
    process.clean_up()


@pytest.fixture
def bus(broker: Mosquitto) -> Iterator[Bus]:
    bus = Bus(BusSettings(port=broker.port), "anybody", clock=utc_now)
    bus.start()
    eventually(lambda: bus.connected)
    yield bus
    bus.stop()


def test_memory_stays_within_what_was_promised_whatever_comes(historian: Process, bus: Bus, database: str):
    historian.start()
    eventually(lambda: historian.is_ready)
    for size in SIZES:
        for topic, payload in swelling(size):
            bus.publish([Outgoing(topic, payload)], 60)
    for number in range(1, 7):
        bus.publish([Outgoing(PRICES, network(number, 5 if number < 4 else 15))], 60)
    last = dispatch(1000, batch_uid="LAST")
    bus.publish([Outgoing(DISPATCH, encode(last))], 60)
    eventually(lambda: stored(database, "SELECT 1 FROM dispatch_batch WHERE batch_uid = 'LAST'") != [], 300)
    assert stored(database, "SELECT count(*) FROM price_report WHERE event_id LIKE 'n%'") == [(3,)]
    assert most_kb(historian) < PROMISED_KB


def crowding() -> Iterator[Outgoing]:
    """Small messages that leave, or bring, much beside themselves."""
    for number in range(3000):
        yield Outgoing(TOPICS.dispatch("n" * 60_000, str(number)), b"x")
    for number in range(4000):
        yield Outgoing(DISPATCH, str(number).encode(), response_topic="r" * 60_000, correlation=b"c" * 60_000)
    lost = [[3 * number + 2**40, 3 * number + 2**40 + 1] for number in range(MAX_RANGES)]
    reply = json.dumps({**document(samples.replay_reply()), "last_seq": 2**50, "lost": lost}).encode()
    for _ in range(500):
        yield Outgoing(REPLY, reply)
    for number in range(20):
        cursors = {f"{number}-{place}": "" for place in range(90_000)}
        yield Outgoing(STATUS, json.dumps({**document(samples.service_status()), "cursors": cursors}).encode())


def test_no_more_of_what_small_messages_bring_beside_themselves_is_kept(historian: Process, bus: Bus, database: str):
    historian.start()
    eventually(lambda: historian.is_ready)
    messages = crowding()
    while some := list(islice(messages, 50)):
        bus.publish(some, 60)
    bus.publish([Outgoing(DISPATCH, encode(dispatch(1000, batch_uid="LAST")))], 60)
    eventually(lambda: stored(database, "SELECT 1 FROM dispatch_batch WHERE batch_uid = 'LAST'") != [], 300)
    assert most_kb(historian) < PROMISED_KB
