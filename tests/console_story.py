"""The console's picture of the small installation, with a clock that the story sets."""

from datetime import datetime, timedelta

from gateway_story import Said, at, installation, status, upstreams

from console.following import Following
from console.picture.parts import Part, ShownResource, ShownService
from console.picture.picture import Picture, key_of
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Dot, Instructions, Lmp, ServiceStatus, State, Telemetry, Trajectory, UpstreamGap
from dotbus.judging.clock_steps import Moment
from dotbus.runtime.mqtt.messages import Delivery


class Console:
    """What the process drives, without the process."""

    def __init__(self, *, introduced: bool = True) -> None:
        self.place = place = installation()
        self.topics = place.topics
        self.following = Following(place.topics, place.modbus.accept_environments, Moment(at(-3600), -3600))
        self.picture = Picture(place, self.following)
        self.changed: dict[str, Part | None] = {}
        self.following.turn(connected=True, at=at(-3600))
        if introduced:
            for service in ("ads_ingest", "lmp_ingest"):
                self.hear(status(-60, service=service, upstreams=upstreams(-60, service=service)))

    def hear(self, *messages: Said | ServiceStatus | Telemetry | UpstreamGap, retained: bool = False) -> None:
        """Messages arrive when they were said."""
        for message in messages:
            self.following.take(Delivery(self._topic(message), encode(message), retained, message.time))

    def look(self, now_s: float, wall: datetime | None = None) -> "Console":
        """The picture at a time."""
        now = wall or at(now_s)
        self.following.look_at_clock(Moment(now, now_s))
        self.changed = self.picture.look(now)
        return self

    def resource(self, name: str = "SOLAR", plant: str = "sierra") -> ShownResource:
        part = self.picture.parts[key_of((plant, name))]
        assert isinstance(part, ShownResource)
        return part

    def service(self, source: str = "ads_ingest/a") -> ShownService:
        part = self.picture.parts[f"service/{source}"]
        assert isinstance(part, ShownService)
        return part

    def _topic(self, message: State | UpstreamGap) -> str:
        match message:
            case Lmp():
                return self.topics.lmp(message.market, message.node)
            case Telemetry():
                return self.topics.telemetry(message.plant, message.resource_id, message.point)
            case ServiceStatus():
                return self.topics.service(message.service, message.instance)
            case UpstreamGap():
                return self.topics.gap(*message.source.split("/"))
            case Dot() | Trajectory() | Instructions():
                say = {Dot: self.topics.dot, Trajectory: self.topics.trajectory, Instructions: self.topics.instructions}
                return say[type(message)](message.plant, message.resource_id)
        raise AssertionError(message)


def measured(value: float, said_s: float, point: str = "actual_mw") -> Telemetry:
    """What the plant's SCADA says of a point of SOLAR."""
    return Telemetry(
        environment="production",
        source="modbus_gateway/sierra",
        time=at(said_s),
        plant="sierra",
        resource_id="SOLAR",
        point=point,
        value=value,
        unit="MW",
        quality=192,
        measured_at=at(said_s),
        valid_until=at(said_s) + timedelta(seconds=90),
    )
