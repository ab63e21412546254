"""Rows of the fault table: what nobody should say on the bus. A third party says it in the ingests' place."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from faults.display import Display, look
from faults.forcing import Row, after, has, is_good
from faults.publisher import ADS, Place, Publisher, changed, dot, lmp, topics_of, trajectory
from real_mosquitto import free_port, remove_mosquitto, start_mosquitto
from waiting import eventually

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Environment
from dotbus.contracts.quality import Reason
from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.schedule import utc_now
from launcher.demo.children import Children
from launcher.look.registers import Registers, Shown
from modbus_gateway.map.draft import read_map

GROUP = "Bus"
LIMITS_S = {"stale_after_s": 20.0, "price_stale_after_s": 20.0, "trajectory_stale_after_s": 60.0}
HOUR = timedelta(hours=1)
NEVER_GOOD = frozenset({"dot_hour_back", "dot_of_stranger", "dot_of_stage"})
"""Rows whose places hear nothing of a DOT before the fault."""
Act = Callable[["BusStack", Place], None]
HEAD = """
environment = "simulator"
[prices]
markets = ["RTM"]
[modbus]
accept_environments = ["simulator"]
""" + "".join(f"{name} = {limit_s}\n" for name, limit_s in LIMITS_S.items())
PLANT = """
[[plant]]
name = "{place.plant}"
[[plant.resource]]
id = "{place.resource}"
node = "{place.node}"
[[modbus.block]]
profile = "classic"
unit_id = {place.units[0]}
plants = ["{place.plant}"]
[[modbus.block]]
profile = "plant"
unit_id = {place.units[1]}
plants = ["{place.plant}"]
"""


class BusStack:
    """A broker, a gateway, and the third party that speaks to it.

    Args:
        folder: of its own.
        rows: each has a place of its own.
    """

    def __init__(self, folder: Path, rows: tuple[Row, ...]) -> None:
        (folder / "broker").mkdir(parents=True)
        self.broker = start_mosquitto(folder / "broker")
        self.places: Mapping[str, Place] = {row.name: Place(number) for number, row in enumerate(rows)}
        config = folder / "dotbus.toml"
        config.write_text(HEAD + "".join(PLANT.format(place=place) for place in self.places.values()))
        port = free_port()
        own = {"CONFIG": str(config), "INSTANCE": "a", "MQTT_PORT": str(self.broker.port), "PORT": str(port)}
        self.children = Children(folder)
        gateway = self.children.start(
            "modbus_gateway", "modbus_gateway", environment={f"MODBUS_GATEWAY_{key}": text for key, text in own.items()}
        )
        self.children.wait_for_port(port, gateway, 30)
        self._registers = Registers("127.0.0.1", port, read_map(load_installation(config)))
        self.publisher = Publisher(self.broker.port, {place.number: place for place in self.places.values()})
        self.publisher.leave_out(*(topics_of(self.places[name])["dot"] for name in NEVER_GOOD & self.places.keys()))

    def display(self, name: str) -> Display:
        """What the registers of one row's place show now."""
        place = self.places[name]

        def about(entries: list[Shown]) -> dict[str, Shown]:
            return {entry.quantity: entry for entry in entries}

        return look(self._registers, place.units, about)

    def wait_until_ready(self, name: str) -> None:
        """Wait until the row's place is good, or has heard nothing when it is not to be good."""
        names = ("lmp_active", "trajectory") if name in NEVER_GOOD else ("dot", "lmp_active", "trajectory")
        eventually(lambda: all(self.display(name).columns[one].level == "good" for one in names), 60, 0.1)

    def stop(self) -> None:
        """End everything."""
        self.publisher.stop()
        self._registers.close()
        self.children.stop()
        remove_mosquitto(self.broker)


def said(kind: str, payload: Callable[[Place], bytes]) -> Act:
    """A payload on a place's topic, and nothing after it."""
    return lambda stack, place: stack.publisher.say(topics_of(place)[kind], payload(place))


def retracted(kind: str) -> Act:
    """An empty payload, and nothing after it."""
    return said(kind, lambda _place: b"")


def with_null(place: Place) -> bytes:
    """A DOT whose megawatts are null."""
    message = json.loads(encode(dot(place, utc_now())))
    for interval in message["intervals"]:
        interval["dot_mw"] = None
    return json.dumps(message).encode()


def of_another_version(place: Place) -> bytes:
    """A message of a major version that does not exist yet."""
    return json.dumps(json.loads(encode(dot(place, utc_now()))) | {"version": 2}).encode()


def said_before(stack: "BusStack", place: Place) -> None:
    """A state of ten seconds ago with other megawatts comes after the newer ones."""
    state = dot(place, utc_now() - timedelta(seconds=10))
    intervals = tuple(
        type(one)(**{**{f: getattr(one, f) for f in one.__struct_fields__}, "dot_mw": 99.0}) for one in state.intervals
    )
    stack.publisher.add(topics_of(place)["dot"], changed(state, intervals=intervals))


def price_over(place: Place) -> bytes:
    """A price whose interval is over, with nothing after it."""
    now = utc_now()
    state = lmp(place, now - timedelta(minutes=10))
    return changed(state, time=now, heard_at=now, published=state.active, ahead=())


def _row(name: str, fault: str, act: Act, settled: Callable[[Display], bool], seconds: float = 0.0) -> Row:
    @contextmanager
    def force(stack: BusStack) -> Iterator[None]:
        act(stack, stack.places[name])
        yield

    return Row(name, fault, force, settled, after(seconds), resource_id=name, from_good=name not in NEVER_GOOD)


def _no_price(place: Place) -> bytes:
    state = lmp(place, utc_now())
    prices = [changed_price(price, lmp_usd_per_mwh=None) for price in (state.active, state.published)]
    return changed(state, active=prices[0], published=prices[1], ahead=(prices[1],))


def changed_price(price: object, **fields: object) -> object:
    """A price with other fields."""
    return type(price)(**{**{name: getattr(price, name) for name in price.__struct_fields__}, **fields})


def _far_ahead(place: Place) -> bytes:
    state = lmp(place, utc_now())
    shift = timedelta(days=4)
    far = changed_price(
        state.published,
        interval_start=state.published.interval_start + shift,
        interval_end=state.published.interval_end + shift,
    )
    return changed(state, published=far, ahead=(far,))


ROWS = (
    _row("dot_retracted", "The DOT state is retracted", retracted("dot"), has("dot", Reason.NEVER_RECEIVED)),
    _row("dot_malformed", "A DOT state is no JSON", said("dot", lambda _place: b"{"), has("dot", Reason.INVALID)),
    _row("dot_version", "A DOT state is of an unknown version", said("dot", of_another_version), has("dot", Reason.INVALID)),
    _row("dot_null", "A DOT is null", said("dot", with_null), has("dot", Reason.INVALID)),
    _row(
        "dot_of_another",
        "The state of another resource is on the topic",
        said("dot", lambda place: encode(dot(Place(place.number + 1), utc_now()))),
        has("dot", Reason.INVALID),
    ),
    _row("dot_older", "An older state comes after a newer one", said_before, is_good, 1.5),
    _row(
        "dot_hour_back",
        "The only DOT state is dated an hour back",
        said("dot", lambda place: changed(dot(place, utc_now()), time=utc_now() - HOUR, heard_at=utc_now() - HOUR)),
        has("dot", Reason.STALE),
    ),
    _row(
        "dot_hour_ahead",
        "A DOT state is dated an hour ahead",
        said("dot", lambda place: changed(dot(place, utc_now()), time=utc_now() + HOUR, heard_at=utc_now() + HOUR)),
        has("dot", Reason.CLOCK_IN_DOUBT),
    ),
    _row(
        "dot_not_vouched",
        "A DOT state is past its `valid_until`",
        said("dot", lambda place: changed(dot(place, utc_now()), valid_until=utc_now() - timedelta(seconds=1))),
        has("dot", Reason.STALE),
    ),
    _row(
        "dot_incomplete",
        "The source itself says that its DOT is incomplete",
        said("dot", lambda place: changed(dot(place, utc_now()), reasons=("incomplete",))),
        has("dot", Reason.INCOMPLETE),
    ),
    _row(
        "dot_of_stranger",
        "A source that never said a status has the only DOT state",
        said("dot", lambda place: changed(dot(place, utc_now()), source=f"{ADS}x")),
        has("dot", Reason.CLOCK_IN_DOUBT),
    ),
    _row(
        "dot_of_stage",
        "The only DOT state is of another environment",
        said("dot", lambda place: changed(dot(place, utc_now()), environment=Environment.STAGE)),
        has("dot", Reason.WRONG_ENVIRONMENT),
    ),
    _row(
        "trajectory_retracted",
        "The trajectory is retracted",
        retracted("trajectory"),
        has("trajectory", Reason.NEVER_RECEIVED),
    ),
    _row(
        "trajectory_malformed",
        "A trajectory is no JSON",
        said("trajectory", lambda place: encode(trajectory(place, utc_now()))[:-20]),
        has("trajectory", Reason.INVALID),
    ),
    _row("price_retracted", "The price is retracted", retracted("lmp"), has("lmp_active", Reason.NEVER_RECEIVED)),
    _row("price_malformed", "A price is no JSON", said("lmp", lambda _place: b"\xff"), has("lmp_active", Reason.INVALID)),
    _row("price_null", "A price is null", said("lmp", _no_price), has("lmp_active", Reason.INVALID)),
    _row("price_over", "A price is over and none came after it", said("lmp", price_over), has("lmp_active", Reason.EXPIRED)),
    _row(
        "price_far_ahead",
        "The published price is dated four days ahead",
        said("lmp", _far_ahead),
        has("lmp_published", Reason.INVALID),
    ),
)
