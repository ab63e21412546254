"""The historian's way from the broker's queue to committed rows, beside its limits and its floor, all in one run.

    python bench/historian_rate.py [MESSAGES]

Limits: mosquitto_sub takes the same queued messages to nowhere, and psql copies the same rows into the same tables. Floor:
paho with one INSERT and commit for each message. Real Mosquitto and PostgreSQL, with fsync; TLS off and on; one historian, and
two that divide the messages. MESSAGES (default 200,000) are single events; of the larger kinds proportionally fewer.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import paho.mqtt.client as mqtt
import psutil
import psycopg2
import trustme
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the real broker is the tests'

from real_mosquitto import LocalMosquitto, free_port

from dotbus.contracts.codec import encode
from dotbus.contracts.topics import Topics
from dotbus.testing import samples
from launcher.demo.embedded_database import OWNER_ROLE, READER_ROLE, WRITER_ROLE, EmbeddedDatabase, embedded_database

TOPICS = Topics()
NODES = 1000
BEGIN = datetime(2026, 10, 1, tzinfo=UTC)
FLOOR_MESSAGES = 5000
PLANT = "sierra"
HALVES = 2
UNACKNOWLEDGED = 20_000
CONFIG = """
environment = "simulator"

[[plant]]
name = "sierra"

[[plant.resource]]
id = "R0"

[[plant.resource]]
id = "R1"
"""

Message = tuple[str, bytes]


def at(moment: datetime) -> str:
    """A time as JSON has it."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def head(kind: str, seq: int, source: str) -> dict[str, object]:
    """What every event says."""
    return {
        "kind": kind, "version": 1, "environment": "simulator", "source": source, "time": at(BEGIN), "id": f"{kind}/{seq}",
        "stream": "0123456789abcdef", "seq": seq,
    }  # fmt: skip


def single(seq: int) -> Message:
    """An event of about 350 bytes: two rows."""
    resource, start = f"R{seq % HALVES}", BEGIN + timedelta(minutes=5 * (seq // HALVES % 8000))
    batch = {"batch_uid": f"B{seq}", "batch_type": 0, "revision_no": 1, "start_at": at(start)}
    instruction = {"instruction_uid": f"I{seq}", "resource_id": resource, "instruction_type": 0, "dot_mw": 12.5}
    event = {**head("dispatch", seq, "ads_ingest/a"), "plant": PLANT, "resource_id": resource, "batch": batch}
    text = json.dumps({**event, "instructions": [instruction]}, separators=(",", ":"))
    return TOPICS.dispatch(PLANT, resource), text.encode()


def dispatch(seq: int) -> Message:
    """An event as ads_ingest says it, about 1.9 kB: four rows."""
    sample, resource = samples.dispatch(), f"R{seq % HALVES}"
    batch = msgspec.structs.replace(sample.batch, batch_uid=f"D{seq}")
    instructions = tuple(msgspec.structs.replace(entry, resource_id=resource) for entry in sample.instructions)
    event = msgspec.structs.replace(
        sample, seq=seq, id=f"dispatch/{seq}", plant=PLANT, resource_id=resource, batch=batch, instructions=instructions
    )
    return TOPICS.dispatch(PLANT, resource), encode(event)


def prices(seq: int) -> Message:
    """A thousand nodes."""
    market, start = ("RTM", "RTPD")[seq % HALVES], BEGIN + timedelta(minutes=5 * (seq % 8000))
    column = [round(20 + (node * 7919 + seq * 31) % 5000 / 100 + 0.00123, 5) for node in range(NODES)]
    event = {
        **head("prices", seq, "lmp_ingest/a"), "market": market, "interval_start": at(start),
        "interval_end": at(start + timedelta(minutes=5)), "fetched_at": at(start + timedelta(seconds=seq % 300)),
        "nodes": [f"NODE_{number}_N{number % 7:03}" for number in range(NODES)], "lmp_usd_per_mwh": column,
        "energy_usd_per_mwh": column, "congestion_usd_per_mwh": column, "loss_usd_per_mwh": column,
        "ghg_usd_per_mwh": [None] * NODES,
    }  # fmt: skip
    return TOPICS.prices(market), json.dumps(event, separators=(",", ":")).encode()


@dataclass(frozen=True)
class Work:
    """One kind of message."""

    name: str
    make: Callable[[int], Message]
    count: int

    def messages(self) -> list[Message]:
        """All of them."""
        return [self.make(seq) for seq in range(1, self.count + 1)]


@dataclass(frozen=True)
class Broker:
    """A broker of our own."""

    port: int
    ca_file: Path | None


@contextmanager
def broker(folder: Path, *, tls: bool) -> Iterator[Broker]:
    """A Mosquitto, as it is deployed but for users."""
    folder.mkdir()
    port, plain = free_port(), free_port()
    extra = ["max_queued_bytes 4000000000", "max_packet_size 67108864", "set_tcp_nodelay true", "max_inflight_messages 20000"]
    if tls:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        authority.issue_cert("127.0.0.1", "localhost").private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        extra += [f"listener {port} 127.0.0.1", f"certfile {folder}/server.pem", f"keyfile {folder}/server.pem"]
    server = LocalMosquitto(folder, tuple(extra), plain)
    server.start()
    try:
        yield Broker(port if tls else plain, folder / "ca.pem" if tls else None)
    finally:
        server.kill()


def client(of: Broker, name: str, *, clean: bool = False, on_message: Callable[..., None] | None = None) -> mqtt.Client:
    """A connected client whose session the broker keeps unless it is `clean`."""
    connected = threading.Event()
    made = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
    if of.ca_file:
        made.tls_set(str(of.ca_file))
    made.max_queued_messages_set(0)
    made.max_inflight_messages_set(1000)
    made.on_connect = lambda *_: connected.set()
    made.on_message = on_message
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = 0 if clean else 3600
    made.connect("127.0.0.1", of.port, clean_start=clean, properties=properties)
    made.loop_start()
    connected.wait(10)
    return made


def queue_up(of: Broker, topics: dict[str, list[str]], messages: list[Message]) -> None:
    """Make the broker keep messages for sessions, each with the topics that it subscribes to."""
    for name, wanted in topics.items():
        subscriber = client(of, name)
        subscriber.subscribe([(topic, 1) for topic in wanted])
        time.sleep(0.3)
        subscriber.disconnect()
        subscriber.loop_stop()
    publisher = client(of, "publisher", clean=True)
    for topic, payload in messages:
        last = publisher.publish(topic, payload, qos=1)
        while len(publisher._out_messages) > UNACKNOWLEDGED:  # noqa: SLF001  # paho has no other word for it
            time.sleep(0.01)
    last.wait_for_publish(300)
    publisher.disconnect()
    publisher.loop_stop()


def mosquitto_sub(of: Broker, name: str, topics: list[str], count: int) -> float:
    """Messages a second of the C client."""
    wanted = [argument for topic in topics for argument in ("-t", topic)]
    tls = ["--cafile", str(of.ca_file)] if of.ca_file else []
    command = [
        "mosquitto_sub",
        "-h",
        "127.0.0.1",
        "-p",
        str(of.port),
        *tls,
        "-V",
        "5",
        "-i",
        name,
        "-c",
        "-x",
        "3600",
        "-q",
        "1",
    ]
    command += [*wanted, "-C", str(count), "-D", "connect", "receive-maximum", "20000"]
    begun = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return count / (time.perf_counter() - begun)


@dataclass
class Historians:
    """Historians on one database.

    Attributes:
        most_bytes: the most memory that any of them took.
        cpu_s: what all of them used.
    """

    broker: Broker
    database: EmbeddedDatabase
    folder: Path
    most_bytes: int = 0
    cpu_s: float = 0.0

    def rate(self, work: Work, instances: list[str]) -> float:
        """Messages a second from the first commit that is seen to the last."""
        with ExitStack() as running, closing(psycopg2.connect(self.database.reader_url)) as connection:
            connection.autocommit = True
            processes = [running.enter_context(self._historian(instance)) for instance in instances]
            begun, first, count = 0.0, 0, 0
            while count < work.count:
                count, now = committed(connection), time.perf_counter()
                if not first and count:
                    begun, first = now, count
                if not all(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes):
                    raise SystemExit(f"a historian ended: see {self.folder}")
                self.most_bytes = max(self.most_bytes, *(process.memory_info().rss for process in processes))
                time.sleep(0.02)
            self.cpu_s = sum(sum(process.cpu_times()[:2]) for process in processes)
        return (count - first) / max(now - begun, 1e-9)

    @contextmanager
    def _historian(self, instance: str) -> Iterator[psutil.Process]:
        settings = {
            "HISTORIAN_CONFIG": str(self.folder / "dotbus.toml"), "HISTORIAN_INSTANCE": instance,
            "HISTORIAN_MQTT_HOST": "localhost", "HISTORIAN_MQTT_PORT": str(self.broker.port),
            "HISTORIAN_DATABASE_URL": self.database.historian_url, "HISTORIAN_OWNER_ROLE": OWNER_ROLE,
            "HISTORIAN_WRITER_ROLE": WRITER_ROLE, "HISTORIAN_READER_ROLE": READER_ROLE,
        }  # fmt: skip
        if self.broker.ca_file:
            settings["HISTORIAN_MQTT_CA_FILE"] = str(self.broker.ca_file)
        with (self.folder / f"{instance}.log").open("ab") as log:
            process = subprocess.Popen([sys.executable, "-m", "historian"], env={**os.environ, **settings}, stderr=log)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def committed(connection: psycopg2.extensions.connection) -> int:
    """Events that are there, as the historian counts them; 0 while there are no tables."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regclass('dotbus.source_sequence')")
        if cursor.fetchone()[0] is None:
            return 0
        cursor.execute("SELECT coalesce(sum(upper(r) - lower(r)), 0) FROM dotbus.source_sequence, unnest(received) AS r")
        return int(cursor.fetchone()[0])


def psql_copy(database: EmbeddedDatabase, folder: Path) -> tuple[float, int]:
    """Seconds that psql takes for the rows that are in the tables, into the same tables, and how many rows they are."""
    address = database.historian_url.replace("+psycopg2", "")
    as_owner = {**os.environ, "PGOPTIONS": f"-c role={OWNER_ROLE} -c search_path=dotbus"}

    def psql(*commands: str) -> str:
        asked = [argument for command in commands for argument in ("-c", command)]
        ask = [database.psql, "-q", "-At", "-v", "ON_ERROR_STOP=1", address, *asked]
        return subprocess.run(ask, check=True, capture_output=True, text=True, env=as_owner).stdout.strip()

    parts = psql(
        "SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relnamespace = 'dotbus'::regnamespace AND relname ~ "
        "'^(dispatch_batch|price_report|instruction|price|dop|compliance|trajectory_batch)'"
    ).splitlines()
    counts = {part: int(psql(f"SELECT count(*) FROM {part}")) for part in parts}
    files = {part: f"{folder}/{part}.copy" for part, count in counts.items() if count}
    psql(*(rf"\copy {part} TO '{file}'" for part, file in files.items()))
    psql("TRUNCATE " + ", ".join(files))
    begun = time.perf_counter()
    psql("BEGIN", *(rf"\copy {part} FROM '{file}'" for part, file in files.items()), "COMMIT")
    return time.perf_counter() - begun, sum(counts.values())


def floor(of: Broker, database: EmbeddedDatabase, messages: list[Message], topics: list[str]) -> float:
    """Messages a second of paho with one INSERT and commit for each."""
    queue_up(of, {"floor": topics}, messages)
    done, seen = threading.Event(), 0
    address = database.historian_url.replace("+psycopg2", "")
    with closing(psycopg2.connect(address)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE floor (said jsonb)")
        connection.commit()

        def store(_client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
            nonlocal seen
            cursor.execute("INSERT INTO floor VALUES (%s)", (message.payload.decode(),))
            connection.commit()
            seen += 1
            if seen >= len(messages):
                done.set()

        begun = time.perf_counter()
        plain = client(of, "floor", on_message=store)
        done.wait(600)
        seconds = time.perf_counter() - begun
        plain.disconnect()
        plain.loop_stop()
    return seen / seconds


def measure(work: Work, folder: Path, *, tls: bool, instances: int, with_floor: bool) -> None:
    """Print one line."""
    folder.mkdir()
    (folder / "dotbus.toml").write_text(CONFIG)
    messages = work.messages()
    both = sorted({topic for topic, _ in messages[:HALVES]})
    names = [f"h{number}" for number in range(instances)]
    sessions = {f"historian-{name}": both if instances == 1 else [both[number]] for number, name in enumerate(names)}
    with broker(folder / "broker", tls=tls) as of, embedded_database(folder / "postgres") as database:
        queue_up(of, {"limit": both}, messages)
        limit = mosquitto_sub(of, "limit", both, len(messages))
        queue_up(of, sessions, messages)
        historians = Historians(of, database, folder)
        rate = historians.rate(work, names)
        copy_s, rows = psql_copy(database, folder)
        below = floor(of, database, messages[:FLOOR_MESSAGES], both) if with_floor else None
    rows_rate = rate * rows / len(messages)
    parts = [
        f"{work.name:13} {'TLS' if tls else 'plain':5} {instances} historian(s): {rate:7.0f} messages/s",
        f"{rows_rate:8.0f} rows/s",
        f"mosquitto_sub {limit:7.0f} messages/s: {rate / limit:.3f} of it",
        f"psql COPY {rows / copy_s:8.0f} rows/s: {rows_rate * copy_s / rows:.2f} of it",
        f"CPU {historians.cpu_s / len(messages) * 1e6:6.1f} us a message",
        f"most memory {historians.most_bytes / 2**20:.0f} MiB",
        *([f"floor {below:.0f} messages/s"] if below else []),
    ]
    print("; ".join(parts), flush=True)


def main() -> None:
    """Everything, one after the other."""
    count = int(sys.argv[1]) if sys.argv[1:] else 200_000
    works = (
        Work("single events", single, count),
        Work("dispatches", dispatch, count // 4),
        Work("prices", prices, max(count // 200, 100)),
    )
    with tempfile.TemporaryDirectory() as folder:
        number = 0
        for tls in (False, True):
            for work in works:
                for instances in (1, HALVES):
                    number += 1
                    measure(
                        work, Path(folder) / str(number), tls=tls, instances=instances, with_floor=not tls and instances == 1
                    )


if __name__ == "__main__":
    main()
