"""One small installation and what its ingests say of it, by the minute of one afternoon."""

from datetime import UTC, datetime, timedelta

from dotbus.contracts.alarms import AlarmPriority
from dotbus.contracts.messages import (
    AlarmCount,
    AlarmSummary,
    Dot,
    DotInterval,
    Environment,
    Instructions,
    KnownInstruction,
    Lmp,
    NodePrice,
    ServiceStatus,
    State,
    Trajectory,
    TrajectoryPoint,
    Upstream,
)
from dotbus.contracts.topics import Topics
from dotbus.judging.arrivals import Arrival, Problem
from dotbus.judging.received import Received
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.modbus import Table
from modbus_gateway.map.draft import read_map
from modbus_gateway.map.register_map import RegisterMap
from modbus_gateway.wire.images.current_image import CurrentImage
from modbus_gateway.wire.images.image import Refusal

Said = Dot | Trajectory | Instructions | Lmp | AlarmSummary
NOON = datetime(2026, 10, 13, 12, 0, tzinfo=UTC)
INTRODUCED_BEFORE_S = 60.0
SOURCE = {"environment": Environment.PRODUCTION, "source": "ads_ingest/a"}
INSTALLATION = {
    "environment": "production",
    "plant": [
        {
            "name": "sierra",
            "resource": [
                {"id": "SOLAR", "node": "NODE1", "variable": True, "pmin_mw": 0, "pmax_mw": 100, "ramp_mw_per_min": 20},
                {"id": "BESS", "node": "NODE1", "pmin_mw": -50, "pmax_mw": 50},
            ],
        },
        {"name": "delta", "resource": [{"id": "HYDRO", "node": "NODE2"}, {"id": "PUMP"}]},
    ],
}


def at(seconds: float) -> datetime:
    """A moment after noon."""
    return NOON + timedelta(seconds=seconds)


def interval(start_s: float, dot_mw: float, *, length_s: float = 300, **changed: object) -> DotInterval:
    """A DOT whose interval begins so long after noon; its target is in the middle."""
    fields = {
        "interval_start": at(start_s),
        "interval_end": at(start_s + length_s),
        "target_at": at(start_s + length_s / 2),
        "dot_mw": dot_mw,
        "batch_uid": f"batch {start_s}",
        "instruction_uid": f"instruction {start_s}",
        "batch_received_at": at(start_s / 100 - 200),  # in their order, all before noon,
    }
    return DotInterval(**{**fields, **changed})  # type: ignore[arg-type]


def point(target_s: float, dop_mw: float, *, batch_s: float = 0, number: int | None = None) -> TrajectoryPoint:
    """A DOP whose target is so long after noon."""
    return TrajectoryPoint(
        target_at=at(target_s), dop_mw=dop_mw, batch_received_at=at(batch_s), sequence_number=number, batch_uid="batch"
    )


def dot(*intervals: DotInterval, resource: str = "SOLAR", said_s: float = 0, **changed: object) -> Dot:
    """The DOT state of a resource, said so long after noon."""
    fields = {**SOURCE, "time": at(said_s), "plant": plant_of(resource), "resource_id": resource, "heard_at": at(said_s)}
    return Dot(**{**fields, "received_at": at(said_s), "intervals": intervals, **changed})  # type: ignore[arg-type]


def trajectory(*points: TrajectoryPoint, resource: str = "SOLAR", said_s: float = 0, **changed: object) -> Trajectory:
    """The trajectory state of a resource, said so long after noon."""
    fields = {**SOURCE, "time": at(said_s), "plant": plant_of(resource), "resource_id": resource, "heard_at": at(said_s)}
    latest = points[-1] if points else None
    fields |= {"received_at": at(said_s), "points": points, "latest": latest}
    return Trajectory(**{**fields, **changed})  # type: ignore[arg-type]


def instruction(what: str, start_s: float, *, length_s: float | None = 300, **changed: object) -> KnownInstruction:
    """An instruction in force from so long after noon; without a length CAISO names no end, and it is shown for an hour."""
    fields = {
        "what": what,
        "standing": "in force",
        "start_at": at(start_s),
        "end_at": None if length_s is None else at(start_s + length_s),
        "instruction_uid": f"{what} {start_s}",
        "batch_uid": f"batch of {what} {start_s}",
        "batch_received_at": at(start_s / 100 - 200),
        "batch_until": at(start_s + (3600 if length_s is None else length_s)),
        "told_at": at(-100),
    }
    return KnownInstruction(**{**fields, **changed})  # type: ignore[arg-type]


def instructions(*known: KnownInstruction, resource: str = "SOLAR", said_s: float = 0, **changed: object) -> Instructions:
    """The instructions state of a resource, said so long after noon."""
    fields = {**SOURCE, "time": at(said_s), "plant": plant_of(resource), "resource_id": resource, "heard_at": at(said_s)}
    return Instructions(**{**fields, "received_at": at(said_s), "instructions": known, **changed})  # type: ignore[arg-type]


def price(start_s: float, usd: float | None, *, fetched_s: float = 0) -> NodePrice:
    """A five-minute price."""
    return NodePrice(interval_start=at(start_s), interval_end=at(start_s + 300), fetched_at=at(fetched_s), lmp_usd_per_mwh=usd)


def lmp(published: NodePrice | None, *ahead: NodePrice, node: str = "NODE1", said_s: float = 0, **changed: object) -> Lmp:
    """The price state of a node."""
    fields = {"environment": Environment.PRODUCTION, "source": "lmp_ingest/a", "time": at(said_s), "heard_at": at(said_s)}
    fields |= {"market": "RTM", "node": node, "published": published, "active": None, "ahead": ahead}
    return Lmp(**{**fields, **changed})  # type: ignore[arg-type]


def alarm_summary(
    *counts: tuple[AlarmPriority, int, int], said_s: float = 0, valid_s: float = 60, **changed: object
) -> AlarmSummary:
    """What the service of alarms says in all of a plant's: of each priority how many are unacknowledged and active."""
    found = {priority: (unacknowledged, active) for priority, unacknowledged, active in counts}
    fields = {
        "environment": Environment.PRODUCTION,
        "source": "alarms/main",
        "time": at(said_s),
        "plant": "sierra",
        "counts": tuple(
            AlarmCount(priority=one, unacknowledged=found.get(one, (0, 0))[0], active=found.get(one, (0, 0))[1])
            for one in AlarmPriority
        ),
        "shelved": 0,
        "suppressed": 0,
        "raised_in_10_min": 0,
        "is_flood": False,
        "valid_until": at(said_s + valid_s),
    }
    return AlarmSummary(**{**fields, **changed})  # type: ignore[arg-type]


def status(said_s: float, *, service: str = "ads_ingest", instance: str = "a", **changed: object) -> ServiceStatus:
    """A heartbeat of an ingest that CAISO has just answered."""
    fields = {
        "environment": Environment.PRODUCTION,
        "source": f"{service}/{instance}",
        "time": at(said_s),
        "service": service,
        "instance": instance,
        "online": True,
        "started_at": at(-3600),
        "software_version": "1",
        "upstreams": upstreams(said_s, service=service),
    }
    return ServiceStatus(**{**fields, **changed})  # type: ignore[arg-type]


def upstreams(ok_s: float, *, service: str = "ads_ingest", **changed: object) -> tuple[Upstream, ...]:
    """All that an ingest asks, heard so long after noon."""
    if service == "alarms":
        return ()
    names = ("oasis_rtm",) if service == "lmp_ingest" else ("ads_dispatch", "ads_trajectory")
    return tuple(upstream(ok_s, name=name, **changed) for name in names)


def upstream(ok_s: float, **changed: object) -> Upstream:
    """CAISO, heard so long after noon."""
    return Upstream(**{"name": "ads_dispatch", "ok": True, "last_ok_at": at(ok_s), "clock_offset_s": 0.0, **changed})  # type: ignore[arg-type]


def plant_of(resource: str) -> str:
    return "sierra" if resource in ("SOLAR", "BESS") else "delta"


def installation(**modbus: object) -> Installation:
    """The small installation with a [modbus] section."""
    return Installation.model_validate({**INSTALLATION, "modbus": modbus})


class Gateway:
    """What the service drives, with a clock that the story sets. It is an image of all units at the time that was set last."""

    def __init__(self, **modbus: object) -> None:
        place = installation(**modbus)
        self.topics: Topics = place.topics
        self.map: RegisterMap = read_map(place)
        self.now_s = -3600.0
        self.images = CurrentImage(
            self.map, self.topics, wall=lambda: at(self.now_s), monotonic_s=lambda: self.now_s, render_s=0
        )
        self.images.turn(connected=True)

    def change_map(self, **modbus: object) -> None:
        """Another map takes the place of the one in force."""
        self.map = read_map(installation(**modbus))
        images = CurrentImage(self.map, self.topics, wall=lambda: at(self.now_s), monotonic_s=lambda: self.now_s, render_s=0)
        images.take_over(self.images)
        self.images = images

    @property
    def received(self) -> Received:
        """What came; whoever changes it past `take` sees nothing of it in the registers."""
        return self.images.received

    def topic(self, message: State) -> str:
        match message:
            case Dot():
                return self.topics.dot(message.plant, message.resource_id)
            case Trajectory():
                return self.topics.trajectory(message.plant, message.resource_id)
            case Instructions():
                return self.topics.instructions(message.plant, message.resource_id)
            case Lmp():
                return self.topics.lmp(message.market, message.node)
            case AlarmSummary():
                return self.topics.alarm_summary(message.plant)
            case ServiceStatus():
                return self.topics.service(message.service, message.instance)
        raise AssertionError(message)

    def hear(self, *messages: Said | ServiceStatus, at_s: float | None = None, retained: bool = False) -> None:
        """Messages arrive, when they were said unless told otherwise. Each source has said before that it is there."""
        for message in messages:
            arrived = message.time if at_s is None else at(at_s)
            if not isinstance(message, ServiceStatus) and message.source not in self.received.sources:
                self.introduce(message.source, (arrived - NOON).total_seconds() - INTRODUCED_BEFORE_S)
            source = message.source if isinstance(message, ServiceStatus) else ""
            self.take(Arrival(self.topic(message), arrived, retained, message, source=source))

    def take(self, arrival: Arrival) -> None:
        """Something arrives, at its time."""
        self.now_s = (arrival.at - NOON).total_seconds()
        self.images.take(arrival)

    def introduce(self, source: str, said_s: float) -> None:
        """One heartbeat, by a clock that agreed with ours; it has not heard anything of CAISO yet."""
        service, instance = source.split("/")
        unheard = upstreams(0, service=service, last_ok_at=None)
        self.hear(status(said_s, service=service, instance=instance, upstreams=unheard))

    def hear_problem(self, problem: Problem | None, resource: str = "SOLAR", at_s: float = 0) -> None:
        topic = self.topics.dot(plant_of(resource), resource)
        self.take(Arrival(topic, at(at_s), retained=False, said=problem))

    def render(self, now_s: float) -> "Gateway":
        """The registers at a time."""
        self.now_s = now_s
        return self

    def read_registers(self, unit_id: int, address: int, count: int, table: Table = Table.HOLDING) -> bytes | Refusal:
        """As a unit's image."""
        image = self.images.look(unit_id)
        return image.read_registers(table, address, count) if image else Refusal.ADDRESS

    def read_bits(self, unit_id: int, address: int, count: int, table: Table = Table.DISCRETE) -> bytes | Refusal:
        """As a unit's image."""
        image = self.images.look(unit_id)
        return image.read_bits(table, address, count) if image else Refusal.ADDRESS

    def turns_in_s(self, now_s: float) -> float | None:
        """How soon after a time something turns by itself, once all is written."""
        self.now_s = now_s
        while subject := self.images.next_outdated():
            self.images.renew(subject)
        return self.images.turns_in_s()

    def words(self, now_s: float, unit_id: int, address: int, count: int) -> list[int]:
        """Registers at a time."""
        content = self.render(now_s).read_registers(unit_id, address, count)
        assert isinstance(content, bytes), content
        return [int.from_bytes(content[i : i + 2], "big") for i in range(0, len(content), 2)]

    def bits(self, now_s: float, unit_id: int, address: int, count: int) -> list[int]:
        """Discrete inputs at a time."""
        content = self.render(now_s).read_bits(unit_id, address, count)
        assert isinstance(content, bytes), content
        return [int.from_bytes(content, "little") >> i & 1 for i in range(count)]
