"""From the reply of ADS to the bus and to a register that a controller can read, for 1, 100 and 1,000 resources.

    python bench/ads_latency.py [TRIALS]

The whole way on the real processes: simulated CAISO, ads_ingest with its outbox on the disk, Mosquitto, gateway. In each trial
CAISO revises one resource's DOT in the batch in force, which makes it say the whole batch anew. Measured is from the moment at
which the simulator had the document of its reply to the last message of it at a subscriber, be it event or state, and to the
first answer of the gateway that shows the new megawatts, asked for every 2 ms. The subscriber notes when messages came, and
reads them once the trial is over, because on two cores its work would be measured, too.
"""

import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec
import requests
from pymodbus.client import ModbusTcpClient

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the stack is the tests'

from plant_stack import PlantStack
from real_mosquitto import AT_ONCE_AS_DEPLOYED, remove_mosquitto, start_mosquitto
from waiting import eventually

from dotbus.contracts.codec import decode
from dotbus.contracts.instruction_states import Status
from dotbus.contracts.messages import Dispatch, Dot, Message
from dotbus.contracts.schedules import BatchType
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.runtime.settings.settings import BusSettings
from launcher.look.sent import SentBatch
from modbus_gateway.map.draft import read_map

RESOURCES = (1, 100, 1000)
RESOURCES_A_PLANT = 10
TRIALS = 60
INTERVAL_S = 60
ASKED_EVERY_S = 0.002
MOST_ON_THEIR_WAY = 5000
WITHIN_S = 30.0
CLOSE_MW = 1e-4
SETTINGS = {
    "simulator": {"INTERVAL_S": str(INTERVAL_S), "HISTORY_INTERVALS": "1"},
    "ads_ingest": {"POLL_S": "1", "RECHECK_S": "3"},
}

Revision = tuple[str, int | None]
"""UID and number."""


class Told(msgspec.Struct, frozen=True):
    """A revision that the simulator gave away, and when."""

    told_at: datetime
    batch: SentBatch


def config(resources: int) -> str:
    """An installation of so many, ten a plant, each plant with a unit of its own."""
    lines = ['environment = "{accept}"']
    plants = [f"plant{number}" for number in range(-(-resources // RESOURCES_A_PLANT))]
    for number, plant in enumerate(plants):
        lines += ["[[plant]]", f'name = "{plant}"']
        for of_plant in range(min(RESOURCES_A_PLANT, resources - number * RESOURCES_A_PLANT)):
            lines += ["[[plant.resource]]", f'id = "R{number * RESOURCES_A_PLANT + of_plant}"']
    lines += ["[prices]", "markets = []", "[modbus]", 'accept_environments = ["{accept}"]']
    for unit_id, plant in enumerate(plants, 1):
        lines += ["[[modbus.block]]", 'profile = "plant"', f"unit_id = {unit_id}", f'plants = ["{plant}"]']
    return "\n".join(lines) + "\n"


class Seen:
    """What came to a subscriber, each message with the time at which it was read from the connection."""

    def __init__(self, port: int) -> None:
        self._came: list[tuple[datetime, bytes]] = []
        self._bus = Bus(BusSettings(port=port), "seen", clock=lambda: datetime.now(UTC), receive_maximum=MOST_ON_THEIR_WAY)
        self._bus.subscribe(["dotbus/v1/plant/+/+/dispatch", "dotbus/v1/plant/+/+/dot"], self._note)
        self._bus.start()

    def _note(self, delivery: Delivery) -> None:
        self._came.append((delivery.received_at, delivery.payload))
        delivery.ack()

    def has_come(self) -> bool:
        """Whether anything was said."""
        return bool(self._came)

    def last_at(self, revision: Revision, resources: int) -> datetime | None:
        """When the last message of a revision came, None while not all are here: of each resource an event and a state."""
        came = list(self._came)
        if len(came) < 2 * resources:
            return None  # and take no processor from those who are measured
        told = [(at, message) for at, payload in came if (message := decode(payload)) and _says(message, revision)]
        if any(len({m.resource_id for _, m in told if isinstance(m, kind)}) < resources for kind in (Dispatch, Dot)):
            return None
        firsts: dict[tuple[type, str], datetime] = {}
        for at, message in told:
            firsts.setdefault((type(message), message.resource_id), at)
        return max(firsts.values())

    def forget(self) -> None:
        """What came so far is of no use any more."""
        self._came.clear()

    def close(self) -> None:
        """Listen no more."""
        self._bus.stop()


def _says(message: Message, revision: Revision) -> bool:
    match message:
        case Dispatch():
            return (message.batch.batch_uid, message.batch.revision_no) == revision
        case Dot():
            return any((each.batch_uid, each.revision_no) == revision for each in message.intervals)
    return False


class Controller:
    """A SCADA that asks for one DOT again and again."""

    def __init__(self, plant: PlantStack, resource_id: str) -> None:
        span, cell = next(
            (span, cell)
            for span in read_map(plant.installation).spans
            for cell in span.cells
            if cell.quantity.name == "dot_mw" and cell.about.members and cell.about.members[0].resource.id == resource_id
        )
        self._unit_id, self._address, self._registers = span.unit_id, cell.address, cell.form.registers
        self._client = ModbusTcpClient("127.0.0.1", port=plant.port("modbus"), timeout=3)
        self._client.connect()

    def wait_for(self, mw: float) -> datetime:
        """When the register shows it."""
        deadline = time.monotonic() + WITHIN_S
        while time.monotonic() < deadline:
            reply = self._client.read_holding_registers(self._address, count=self._registers, device_id=self._unit_id)
            words = reply.registers
            for order in ("big", "little"):
                shown = self._client.convert_from_registers(words, ModbusTcpClient.DATATYPE.FLOAT32, word_order=order)
                if abs(shown - mw) < CLOSE_MW:
                    return datetime.now(UTC)
            time.sleep(ASKED_EVERY_S)
        raise SystemExit(f"{mw} MW came to no register within {WITHIN_S} s")

    def close(self) -> None:
        """Ask no more."""
        self._client.close()


@contextmanager
def running(folder: Path, resources: int) -> Iterator[PlantStack]:
    """The processes, from CAISO to registers."""
    (folder / "broker").mkdir(parents=True)
    broker = start_mosquitto(folder / "broker", AT_ONCE_AS_DEPLOYED)
    plant = PlantStack(folder, broker, None, config=config(resources), settings=SETTINGS)
    plant.start("simulator", "ads_ingest", "modbus_gateway")
    try:
        yield plant
    finally:
        plant.stop()
        remove_mosquitto(broker)


def told(plant: PlantStack) -> dict[Revision, datetime]:
    """When the simulator gave each revision away."""
    reply = requests.get(f"http://127.0.0.1:{plant.port('admin')}/told", timeout=30)
    entries = msgspec.json.decode(reply.content, type=list[Told])
    return {(entry.batch.batch_uid, entry.batch.revision_no): entry.told_at for entry in entries}


def in_force(plant: PlantStack) -> str | None:
    """The five-minute batch that holds now and for a while, None while an exceptional dispatch may hold in its place."""
    now = datetime.now(UTC)
    covering = [batch for batch in plant.sent().batches if _holds(batch, now)]
    five_minute = [batch.batch_uid for batch in covering if batch.batch_type == BatchType.FIVE_MINUTE]
    return five_minute[0] if len(five_minute) == len(covering) == 1 else None


def _holds(batch: SentBatch, now: datetime) -> bool:
    passed_s = (now - batch.start_at).total_seconds()
    is_dot = batch.batch_type in (BatchType.FIVE_MINUTE, BatchType.OUT_OF_SEQUENCE)
    return is_dot and batch.batch_status != Status.CANCELLED and 1 < passed_s < batch.interval_s - WITHIN_S / 3


def trial(plant: PlantStack, seen: Seen, controller: Controller, resource_id: str, mw: float) -> tuple[float, float]:
    """Milliseconds to the last event and to the register, of one revision."""
    uid = eventually(lambda: in_force(plant), 3 * INTERVAL_S, 0.1)
    seen.forget()
    plant.ask_simulator("/revise", batch_uid=uid, resource_id=resource_id, dot_mw=mw)
    shown_at = controller.wait_for(mw)
    (revision,) = [batch.revision_no for batch in plant.sent().batches if batch.batch_uid == uid]
    count = sum(len(each.resources) for each in plant.installation.plants)
    last_at = eventually(lambda: seen.last_at((uid, revision), count), WITHIN_S, 1.0)
    at = told(plant)[uid, revision]
    return (last_at - at).total_seconds() * 1000, (shown_at - at).total_seconds() * 1000


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which so much of them lies."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def measure(folder: Path, resources: int, trials: int) -> None:
    """Print one line."""
    with running(folder, resources) as plant:
        seen, controller = Seen(plant.broker.port), Controller(plant, f"R{resources - 1}")
        eventually(seen.has_come, WITHIN_S, 0.1)
        trial(plant, seen, controller, f"R{resources - 1}", 5)  # until then clocks are compared
        took_ms = [trial(plant, seen, controller, f"R{resources - 1}", 10 + number / 8) for number in range(trials)]
        controller.close()
        seen.close()
    for what, of_trials_ms in zip(("last message at a subscriber", "register"), zip(*took_ms, strict=True), strict=True):
        p50_ms, p99_ms = median(of_trials_ms), percentile(of_trials_ms, 0.99)
        print(f"{resources:5} resources: {what:28} p50 {p50_ms:6.0f} ms, p99 {p99_ms:6.0f} ms", flush=True)


def main() -> None:
    """Few resources first."""
    trials = int(sys.argv[1]) if sys.argv[1:] else TRIALS
    with tempfile.TemporaryDirectory() as folder:
        for resources in RESOURCES:
            measure(Path(folder) / str(resources), resources, trials)


if __name__ == "__main__":
    main()
