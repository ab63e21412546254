"""How long an event that is good waits behind what nobody can store, from a real broker to its row.

    python bench/historian_junk.py [MESSAGES]

MESSAGES (default 20,000) of each kind are published at once; then one dispatch. It is measured from the broker's
acknowledgement of the last of them to the commit of the dispatch. The last kind is good: what as many dispatches cost.
"""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import psycopg2

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the broker and the process are the tests'

from historian_process import Process
from real_mosquitto import LocalMosquitto, free_port

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Dispatch
from dotbus.contracts.topics import Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings
from dotbus.testing import samples
from launcher.demo.embedded_database import OWNER_ROLE, READER_ROLE, WRITER_ROLE, embedded_database

TOPICS = Topics()
TOPIC = TOPICS.dispatch("sierra", samples.dispatch().resource_id)
QUIET_S = 1.0
LIMITS = ("max_packet_size 67108864", "max_queued_bytes 4000000000", "max_inflight_messages 20000")
ROLES = {"HISTORIAN_OWNER_ROLE": OWNER_ROLE, "HISTORIAN_WRITER_ROLE": WRITER_ROLE, "HISTORIAN_READER_ROLE": READER_ROLE}
replace = msgspec.structs.replace


def dispatch(number: int, uid: str, **changes: object) -> Dispatch:
    """One of about 1.9 kB."""
    sample = samples.dispatch()
    batch = replace(sample.batch, batch_uid=uid)
    return replace(sample, **{"id": f"{uid}/{number}", "seq": number, "batch": batch, **changes})


def status(number: int, **changes: object) -> Outgoing:
    """Of a service of its own."""
    named = {"service": "x", "instance": f"i{number}", "source": f"x/i{number}"}
    return Outgoing(TOPICS.service("x", f"i{number}"), encode(replace(samples.service_status(), **{**named, **changes})))


def kinds(count: int) -> Iterator[tuple[str, list[Outgoing]]]:
    """What is published, by name."""
    every, plain = range(1, count + 1), json.loads(encode(samples.dispatch()))
    yield "one message of 56 MB", [Outgoing(TOPIC, bytes(56_000_000))]
    yield "seven messages of 8 MB", [Outgoing(TOPIC, b"%d" % number + b"," * 8_000_000) for number in range(7)]
    yield "no JSON", [Outgoing(TOPIC, b"junk %d" % number) for number in every]
    yield "of another version", [Outgoing(TOPIC, json.dumps({**plain, "version": 9, "seq": n}).encode()) for n in every]
    said = samples.dispatch().instructions[0]
    told = [dispatch(n, "ONE", instructions=(replace(said, dot_mw=float(n)),)) for n in every]
    yield "contradictions of one event", [Outgoing(TOPIC, encode(event)) for event in told]
    yield "each of a stream of its own", [Outgoing(TOPIC, encode(dispatch(n, f"S{n}", stream=f"s{n}"))) for n in every]
    yield "the same event", [Outgoing(TOPIC, encode(dispatch(1, "SAME")))] * count
    yield "statuses of services of their own", [status(number, outbox=None) for number in every]
    yield "the same, each with an outbox", [status(-number) for number in every]
    yield "good dispatches", [Outgoing(TOPIC, encode(dispatch(n, f"G{n}", stream="good"))) for n in every]


def wait_for_row(connection: psycopg2.extensions.connection, uid: str) -> None:
    """Look until the dispatch is committed."""
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT 1 FROM dotbus.dispatch_batch WHERE batch_uid = %s", (uid,))
            if cursor.fetchone():
                return
            time.sleep(0.005)


def measure(bus: Bus, connection: psycopg2.extensions.connection, count: int) -> None:
    """Print a line for each kind."""
    for number, (name, junk) in enumerate(kinds(count), 1):
        bus.publish(junk, 120)
        begun = time.perf_counter()
        honest = dispatch(number, f"HONEST-{number}", source="ads_ingest/honest", stream="honest")
        bus.publish([Outgoing(TOPIC, encode(honest))])
        wait_for_row(connection, f"HONEST-{number}")
        print(f"{len(junk):6} {name:34} {time.perf_counter() - begun:6.2f} s", flush=True)
        time.sleep(QUIET_S)


def main() -> None:
    """A broker, a database and a historian for all of it."""
    count = int(sys.argv[1]) if sys.argv[1:] else 20_000
    with tempfile.TemporaryDirectory() as name, embedded_database(Path(name) / "postgres") as database:
        folder = Path(name)
        (folder / "broker").mkdir()
        broker = LocalMosquitto(folder / "broker", LIMITS, free_port())
        broker.start()
        historian = Process(folder / "historian", broker.port, database.historian_url, **ROLES)
        bus = Bus(BusSettings(port=broker.port), "junk", clock=utc_now)
        try:
            historian.start()
            bus.start()
            while not (historian.is_ready and bus.connected):
                time.sleep(0.1)
            with closing(psycopg2.connect(database.reader_url)) as connection:
                connection.autocommit = True
                measure(bus, connection, count)
        finally:
            bus.stop()
            historian.clean_up()
            broker.kill()


if __name__ == "__main__":
    main()
