"""Stack: an installation whose every part and connection can be made to fail, and a reader that never believes its registers.

Intervals last seconds and limits are short, in the order of those of a real plant: an answer is missed (`stale_after_s`) before
the DOTs run out that were sent ahead, and these before a trajectory counts as old.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cutting_proxy import CuttingProxy
from faults.display import Display, look
from faults.truth import Truth, Verdict
from plant_stack import NODE_OF, RESOURCES, PlantStack, about
from real_mosquitto import remove_mosquitto, start_mosquitto
from waiting import eventually

from dotbus.runtime.schedule import utc_now
from launcher.look.registers import Registers
from launcher.look.sent import SentBatch
from modbus_gateway.map.draft import read_map

INTERVAL_S = 8
LIMITS_S = {"stale_after_s": 6.0, "price_stale_after_s": 7.0, "trajectory_stale_after_s": 17.0}
CONFIG = """
environment = "{accept}"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "SIERRA_2_SOLAR1"
node = "BAYSHOR2_1_N001"
variable = true
pmin_mw = 0.0
pmax_mw = 100.0
ramp_mw_per_min = 200.0
[[plant]]
name = "delta"
[[plant.resource]]
id = "DELTA_6_HYDRO1"
node = "CATALYST_7_N002"
pmin_mw = 5.0
pmax_mw = 80.0
schedule = "hourly"
[prices]
markets = ["RTM"]
[modbus]
accept_environments = ["{accept}"]
""" + "".join(f"{name} = {limit_s}\n" for name, limit_s in LIMITS_S.items())
BLOCKS = """
[[modbus.block]]
profile = "classic"
unit_id = {classic}
plants = ["{plant}"]
[[modbus.block]]
profile = "plant"
unit_id = {plant_unit}
plants = ["{plant}"]
"""
UNITS = {"SIERRA_2_SOLAR1": (1, 11), "DELTA_6_HYDRO1": (2, 12)}
CONFIG += "".join(
    BLOCKS.format(classic=UNITS[resource][0], plant_unit=UNITS[resource][1], plant=plant)
    for resource, plant in zip(RESOURCES, ("sierra", "delta"), strict=True)
)
SETTINGS = {
    # A batch is asked for its revision for five minutes, which here is forty of them: not each in every round.
    "ads_ingest": {"RECHECK_S": "3", "TIMEOUT_S": "1.2", "MAX_REPLY_MB": "2", "MQTT_KEEPALIVE_S": "5"},
    "lmp_ingest": {
        "SPACING_S": "0.2",
        "RTM_EVERY_S": "0.8",
        "REFRESH_S": "1",
        "TIMEOUT_S": "2",
        "MAX_REPLY_MB": "2",
        "MQTT_KEEPALIVE_S": "5",
    },
    "modbus_gateway": {"MQTT_KEEPALIVE_S": "60"},
    "simulator": {"INTERVAL_S": str(INTERVAL_S), "OASIS_SPACING_S": "0", "OVERSIZED_MB": "8", "HISTORY_INTERVALS": "20"},
}
FOR_EVER = 1_000_000
INTERVALS_AN_HOUR, EXCEPTIONAL = 12, 10
"""The simulator's hour, and the interval of it that has an exceptional dispatch besides its DOT."""


class FaultStack:
    """An installation without a historian, what is between its parts, and what CAISO said meanwhile.

    Args:
        folder: of its own.

    Attributes:
        plant: the parts; `broker`, `ads` and `oasis` are what they reach each other through.
        wrong: every good register that showed what CAISO did not say.
        under: what happens now, noted with each display.
        judged: told of each display once it was held against the truth, with what happened then.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "broker").mkdir(parents=True)
        self.broker = start_mosquitto(folder / "broker")
        self.ads, self.oasis = CuttingProxy(0), CuttingProxy(0)
        urls = {
            "ads_ingest": {"URL": f"https://127.0.0.1:{self.ads.port}/ADS/APIWebService/v7"},
            "lmp_ingest": {"URL": f"http://127.0.0.1:{self.oasis.port}/oasisapi"},
        }
        settings = {name: {**SETTINGS[name], **urls.get(name, {})} for name in SETTINGS}
        self.plant = PlantStack(folder, self.broker, None, config=CONFIG, settings=settings)
        self.ads.broker_port, self.oasis.broker_port = self.plant.port("ads"), self.plant.port("oasis")
        self.wrong: list[Verdict] = []
        self.under = ""
        self.judged: Callable[[Display, list[Verdict], str], None] = lambda _display, _verdicts, _under: None
        self._to_judge: deque[tuple[Display, str]] = deque()
        self.truth = Truth(self.plant.simulator, tuple(NODE_OF.values()), kept_s=60)
        self._registers = Registers("127.0.0.1", self.plant.port("modbus"), read_map(self.plant.installation))
        self._reading = threading.Lock()
        self._stopped = threading.Event()
        self._learner = threading.Thread(target=self._learn, daemon=True)

    def start(self) -> None:
        """Start every part, and wait until everything is good."""
        self.plant.start()
        self._learner.start()
        eventually(lambda: self.display().is_good, 60, 0.2)

    def stop(self) -> None:
        """End everything."""
        self._stopped.set()
        self._registers.close()
        self.plant.stop()
        self.ads.close()
        self.oasis.close()
        remove_mosquitto(self.broker)

    def display(self, resource_id: str = RESOURCES[0]) -> Display:
        """What the registers show now; what is good and wrong is put down."""
        with self._reading:
            display = look(self._registers, UNITS[resource_id], lambda entries: about(entries, resource_id))
        if resource_id == RESOURCES[0]:
            self._to_judge.append((display, self.under))
        return display

    def wait_until_judged(self) -> None:
        """Wait until every display so far was held against the truth."""
        until = utc_now()
        eventually(lambda: self.truth.learned_at >= until and not self._to_judge, 30)

    def judge(self, display: Display) -> list[Verdict]:
        """Each good value of the first resource, held against what CAISO said."""
        limits_s = {"dot": LIMITS_S["stale_after_s"] + 1, "price": LIMITS_S["price_stale_after_s"] + 1}
        return list(self.truth.verdicts(display, RESOURCES[0], NODE_OF[RESOURCES[0]], limits_s))

    def wait_until_ready(
        self, resource_id: str, *, quiet_intervals: int = 2, early: bool = False, from_good: bool = True
    ) -> None:
        """Wait until all is good and no exceptional dispatch comes soon.

        Args:
            resource_id: whose registers are to be good.
            quiet_intervals: for how many intervals none comes.
            from_good: whether all of them are; else the trajectory and the prices.
            early: an interval has just begun; else the next DOT and its trajectory have just come.
        """
        self.plant.start_missing()

        def is_ready() -> bool:
            display = self.display(resource_id)
            if not (display.is_good if from_good else _is_half_good(display)) or not _is_quiet(utc_now(), quiet_intervals):
                return False
            return _is_early(utc_now()) if early else resource_id != RESOURCES[0] or _next_is_new(display, utc_now())

        try:
            eventually(is_ready, 180, 0.05)
        except AssertionError:
            raise AssertionError(f"not good again: {self.display(resource_id).columns}") from None

    def in_force(self) -> SentBatch:
        """The five-minute batch that covers now."""
        now, length = utc_now(), timedelta(seconds=INTERVAL_S)
        return next(b for b in self.plant.sent().batches if b.batch_type == 0 and b.start_at <= now < b.start_at + length)

    @contextmanager
    def caiso_fault(self, service: str, fault: str, operation: str | None = None) -> Iterator[None]:
        """Every reply of a service, or every batch of the market, has a fault."""
        self.plant.ask_simulator("/faults", service=service, fault=fault, times=FOR_EVER, operation=operation)
        try:
            yield
        finally:
            self.plant.ask_simulator("/faults", service=service, fault=fault, times=0)

    def replace_broker(self) -> None:
        """Another broker in the place of the one that was killed, which retains nothing."""
        folder = self.folder / f"broker{utc_now().timestamp()}"
        folder.mkdir()
        remove_mosquitto(self.broker)
        self.broker = start_mosquitto(folder, port=self.broker.port)

    def _learn(self) -> None:
        while not self._stopped.wait(0.25):
            self.truth.learn()
            while self._to_judge and self._to_judge[0][0].ended < self.truth.learned_at:
                display, under = self._to_judge[0]
                verdicts = [] if display.is_silent else self.judge(display)
                self.wrong += [verdict for verdict in verdicts if verdict.lag_s is None]
                self.judged(display, verdicts, under)
                self._to_judge.popleft()


def _is_half_good(display: Display) -> bool:
    return all(display.columns[name].level == "good" for name in ("trajectory", "lmp_active", "lmp_published"))


def _is_early(now: datetime) -> bool:
    """In the first part of an interval."""
    return 0.05 * INTERVAL_S < now.timestamp() % INTERVAL_S < 0.25 * INTERVAL_S


def _next_is_new(display: Display, now: datetime) -> bool:
    """Soon after the coming of a DOT and of its trajectory, which ends with the DOT's interval."""
    turn = _turn(now)
    has_next = (display.shown["next_dot_start"].at, display.shown["latest_dop_target"].at) == (
        turn,
        turn + timedelta(seconds=INTERVAL_S),
    )
    return has_next and now.timestamp() % INTERVAL_S < 0.82 * INTERVAL_S


def _turn(now: datetime) -> datetime:
    """When the running interval ends."""
    return datetime.fromtimestamp((now.timestamp() // INTERVAL_S + 1) * INTERVAL_S, UTC)


def _is_quiet(now: datetime, intervals: int) -> bool:
    """Whether none of the next intervals has an exceptional dispatch."""
    first = int(now.timestamp() // INTERVAL_S)
    return all((first + ahead) % INTERVALS_AN_HOUR != EXCEPTIONAL for ahead in range(intervals + 1))
