"""Publisher: a third party that says on the bus what both ingests would say, and whatever nobody should say.

Each fault has a plant, a resource and a node of its own, so that it shows on registers of its own.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import paho.mqtt.client as mqtt

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import (
    Dot,
    DotInterval,
    Environment,
    Lmp,
    NodePrice,
    ServiceStatus,
    Trajectory,
    TrajectoryPoint,
    Upstream,
)
from dotbus.contracts.topics import Topics
from dotbus.runtime.schedule import utc_now

EVERY_S = 0.5
MINUTE = timedelta(minutes=1)
ADS, LMP = "ads_ingest/a", "lmp_ingest/a"
UPSTREAMS = {ADS: ("ads_dispatch", "ads_trajectory"), LMP: ("oasis_rtm",)}
ENVIRONMENT = Environment.SIMULATOR
DOT_MW, PRICE_USD_PER_MWH = 40.0, 25.0


@dataclass(frozen=True)
class Place:
    """Whose states are said: the names that follow from a row's number."""

    number: int

    @property
    def plant(self) -> str:
        return f"plant{self.number}"

    @property
    def resource(self) -> str:
        return f"RESOURCE_{self.number}"

    @property
    def node(self) -> str:
        return f"NODE_{self.number}"

    @property
    def units(self) -> tuple[int, int]:
        """Of its classic block and of its plant block."""
        return 1 + self.number, 101 + self.number


def dot(place: Place, now: datetime) -> Dot:
    """The DOTs around a time, each a minute long."""
    start = now.replace(second=0, microsecond=0)
    intervals = tuple(
        DotInterval(
            interval_start=at,
            interval_end=at + MINUTE,
            target_at=at + MINUTE / 2,
            dot_mw=DOT_MW,
            batch_uid=f"B{at.timestamp():.0f}",
            batch_type=0,
            instruction_uid=f"B{at.timestamp():.0f}-I0",
            revision_no=1,
            batch_received_at=min(at, start) - MINUTE,
        )
        for at in (start - MINUTE, start, start + MINUTE, start + 2 * MINUTE)
    )
    return Dot(
        environment=ENVIRONMENT,
        source=ADS,
        time=now,
        heard_at=now,
        plant=place.plant,
        resource_id=place.resource,
        received_at=now,
        intervals=intervals,
    )


def trajectory(place: Place, now: datetime) -> Trajectory:
    """A curve that lasts for two minutes more."""
    points = tuple(
        TrajectoryPoint(target_at=at, dop_mw=DOT_MW, batch_received_at=now, sequence_number=1, batch_uid="T")
        for at in (now - MINUTE, now + 2 * MINUTE)
    )
    return Trajectory(
        environment=ENVIRONMENT,
        source=ADS,
        time=now,
        heard_at=now,
        plant=place.plant,
        resource_id=place.resource,
        received_at=now,
        points=points,
        latest=points[-1],
    )


def lmp(place: Place, now: datetime) -> Lmp:
    """The price of the running five minutes and of the next."""
    start = now - timedelta(seconds=now.timestamp() % 300)
    active, ahead = (
        NodePrice(interval_start=at, interval_end=at + 5 * MINUTE, fetched_at=now, lmp_usd_per_mwh=PRICE_USD_PER_MWH)
        for at in (start, start + 5 * MINUTE)
    )
    return Lmp(
        environment=ENVIRONMENT,
        source=LMP,
        time=now,
        heard_at=now,
        market="RTM",
        node=place.node,
        published=ahead,
        active=active,
        ahead=(ahead,),
    )


def status(source: str, now: datetime) -> ServiceStatus:
    """An ingest that is there and hears CAISO."""
    service, _, instance = source.partition("/")
    return ServiceStatus(
        environment=ENVIRONMENT,
        source=source,
        time=now,
        service=service,
        instance=instance,
        online=True,
        started_at=now - MINUTE,
        software_version="0",
        upstreams=tuple(Upstream(name=name, ok=True, last_ok_at=now, clock_offset_s=0.0) for name in UPSTREAMS[source]),
    )


def topics_of(place: Place) -> dict[str, str]:
    """Where each of a place's states is said."""
    topics = Topics()
    return {
        "dot": topics.dot(place.plant, place.resource),
        "trajectory": topics.trajectory(place.plant, place.resource),
        "lmp": topics.lmp("RTM", place.node),
    }


class Publisher:
    """Says everything twice a second, except what it was told to leave out.

    Args:
        port: of the broker on loopback.
        places: whose states are said.
    """

    def __init__(self, port: int, places: Mapping[int, Place]) -> None:
        self._client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, "third party", protocol=mqtt.MQTTv5)
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._silent: set[str] = set()
        self._stopped = threading.Event()
        makers = {"dot": dot, "trajectory": trajectory, "lmp": lmp}
        self._said: dict[str, Callable[[datetime], object]] = {
            topic: lambda now, make=makers[kind], place=place: make(place, now)
            for place in places.values()
            for kind, topic in topics_of(place).items()
        }
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def say(self, topic: str, payload: bytes) -> None:
        """Say this, retained, and nothing on that topic afterwards."""
        self._silent.add(topic)
        self._client.publish(topic, payload, qos=1, retain=True).wait_for_publish(5)

    def add(self, topic: str, payload: bytes) -> None:
        """Say this once, and go on with what was said before."""
        self._client.publish(topic, payload, qos=1, retain=True).wait_for_publish(5)

    def leave_out(self, *topics: str) -> None:
        """Say nothing there any more."""
        self._silent |= set(topics)

    def stop(self) -> None:
        """Fall silent."""
        self._stopped.set()
        self._thread.join()
        self._client.disconnect()
        self._client.loop_stop()

    def _run(self) -> None:
        while not self._stopped.wait(EVERY_S):
            now = utc_now()
            for source in (ADS, LMP):
                self._client.publish(Topics().service(*source.split("/")), encode(status(source, now)), qos=1, retain=True)
            for topic, make in self._said.items():
                if topic not in self._silent:
                    self._client.publish(topic, encode(make(now)), qos=1, retain=True)


def changed(state: msgspec.Struct, **fields: object) -> bytes:
    """A state with other fields, as it goes over the bus."""
    return encode(msgspec.structs.replace(state, **fields))
