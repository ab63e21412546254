"""A bus that an alarms service hears, without a broker: what sources say, at the times that a test likes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec.structs import replace

from alarms.heard import Heard
from alarms.observing import Observing
from alarms.rules.own import Disk
from alarms.states.observed import Observed
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AnyMessage, Dot, DotInterval, Environment, ServiceStatus, Telemetry, Upstream
from dotbus.contracts.topics import Topics
from dotbus.runtime.installation.file import understand_installation
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.testing import samples

TOPICS = Topics()
START = datetime(2026, 10, 13, 14, 0, tzinfo=UTC)
CONFIG = """
environment = "simulator"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "S1"
pmin_mw = 0.0
pmax_mw = 100.0
[modbus]
accept_environments = ["simulator"]
"""


def installation(more: str = "", config: str = CONFIG) -> Installation:
    """Of one plant with one resource."""
    file = understand_installation(config + more, Path("dotbus.toml"))
    assert file.mistakes == ()
    return file.installation


class World:
    """What is heard, and what rules say of it."""

    def __init__(self, more: str = "", config: str = CONFIG) -> None:
        self.installation = installation(more, config)
        self.heard = Heard(TOPICS, self.installation.modbus.accept_environments)
        self.disk: Disk | None = Disk(50, 100)
        self.now = START
        self.active: set[object] = set()
        self._observing = Observing(self.installation, self.heard, "alarms/main", lambda: self.disk)

    def connect(self) -> None:
        """To the broker."""
        self.heard.turn(connected=True, now=self.now)

    def disconnect(self) -> None:
        """From it."""
        self.heard.turn(connected=False, now=self.now)

    def passes(self, seconds: float) -> None:
        """Time."""
        self.now += timedelta(seconds=seconds)

    def say(self, topic: str, message: AnyMessage | bytes, *, retained: bool = False) -> None:
        """On the bus, now."""
        payload = message if isinstance(message, bytes) else encode(message)
        self.heard.take(Delivery(topic, payload, retained, self.now))

    def ads_ingest(self, **more: object) -> None:
        """It says that it is there and hears CAISO."""
        upstreams = tuple(
            Upstream(name=name, ok=True, last_ok_at=self.now, clock_offset_s=0.1) for name in ("ads_dispatch", "ads_trajectory")
        )
        status = replace(
            samples.service_status(),
            started_at=START - timedelta(hours=1),
            source="ads_ingest/a",
            instance="a",
            **({"time": self.now, "upstreams": upstreams, "certificate_days_left": 200.0} | more),
        )
        assert isinstance(status, ServiceStatus)
        self.say(TOPICS.service("ads_ingest", "a"), status)

    def dot(self, dot_mw: float = 40.0, start: datetime = START, minutes: float = 60.0, **more: object) -> None:
        """It says what DOT is in force."""
        end = start + timedelta(minutes=minutes)
        interval = DotInterval(
            interval_start=start,
            interval_end=end,
            target_at=start + (end - start) / 2,
            dot_mw=dot_mw,
            batch_uid="b",
            batch_type=0,
            instruction_uid="b-i0",
            revision_no=1,
            batch_received_at=self.now - timedelta(seconds=1),
            **more,
        )
        state = Dot(
            environment=Environment.SIMULATOR,
            source="ads_ingest/a",
            time=self.now,
            heard_at=self.now,
            plant="sierra",
            resource_id="S1",
            received_at=self.now - timedelta(seconds=1),
            intervals=(interval,),
        )
        self.say(TOPICS.dot("sierra", "S1"), state)

    def actual(self, value: float | None, quality: int = 192) -> None:
        """The plant says what the resource delivers."""
        said = Telemetry(
            environment=Environment.SIMULATOR,
            source="modbus_gateway/sierra",
            time=self.now,
            plant="sierra",
            resource_id="S1",
            point="actual_mw",
            value=value,
            unit="MW",
            quality=quality,
            measured_at=self.now if value is not None else None,
            valid_until=self.now + timedelta(seconds=30),
        )
        self.say(TOPICS.telemetry("sierra", "S1", "actual_mw"), said)

    def observed(self) -> Sequence[Observed]:
        """What all rules say now."""
        return self._observing.observe(self.now, lambda key: key in self.active)

    def of(self, rule: str, about: str = "S1") -> Observed:
        """What one of them says."""
        (found,) = (one for one in self.observed() if one.key.rule == rule and one.key.about == about)
        return found
