"""`dotbus status`: the health of each service as a table or as JSON, from the bus."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dotbus.contracts.codec import UndecodableMessage, decode_as
from dotbus.contracts.messages import ServiceStatus, Upstream
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.installation.file import read_installation
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from dotbus.runtime.settings.settings import BusSettings
from launcher.look.health import CERTIFICATE_SOON_DAYS, BrokerReport, ServiceHealth, ServiceReport, StatusReport, judge

CONNECT_WITHIN_S: Final = 10.0
SETTLE_S: Final = 2.0
LOOK_EVERY_S: Final = 0.1
WHO_WE_ARE: Final = "DOTBUS_MQTT_HOST, _PORT, _PROTOCOL, _USERNAME and _PASSWORD say which broker, and who we are there"
COLUMNS = ("service", "state", "hears", "answered", "events", "cert", "up for")
_STYLE_OF: Final = {ServiceHealth.ONLINE: "green", ServiceHealth.DEGRADED: "yellow"}


@dataclass(frozen=True)
class Watched:
    """What an installation's file says of its services.

    Attributes:
        topics: where they say how they are.
        expected: SERVICE/INSTANCE of those that must be there.
    """

    topics: Topics
    expected: tuple[str, ...] = ()


def load_watched(config: Path) -> Watched:
    """What is needed of a file. Other mistakes in it do not keep anybody from seeing what services say of themselves.

    Raises:
        ConfigurationRefused: it cannot be read, is not TOML, or its `topic_root` is refused; with every mistake in it.
    """
    file = read_installation(config)
    if not file.is_as_given("topic_root"):
        raise ConfigurationRefused(file.mistakes)
    is_told = file.is_as_given("alarms", "service_down", "expected")
    return Watched(file.installation.topics, file.installation.alarms.service_down.expected if is_told else ())


class Statuses:
    """The last word of every service instance, as the bus says it. Each is believed about itself only, on its own topic."""

    def __init__(self, topics: Topics) -> None:
        self._topics = topics
        self._lock = threading.Lock()
        self._statuses: dict[tuple[str, str], ServiceStatus] = {}

    def on_delivery(self, delivery: Delivery) -> None:
        """Take one message; what is not the status that belongs on its topic is passed over. An empty one takes it away."""
        delivery.ack()
        address = self._topics.read(delivery.topic)
        if address is None or address.subject is not Subject.SERVICE or address.name is None:
            return
        name = address.scope, address.name
        if not delivery.payload:
            with self._lock:
                self._statuses.pop(name, None)
            return
        try:
            status = decode_as(delivery.payload, ServiceStatus)
        except UndecodableMessage:
            return
        if (status.service, status.instance) == name and status.source == "/".join(name):
            with self._lock:
                self._statuses[name] = status

    def snapshot(self) -> list[ServiceStatus]:
        """All of them, by service and instance."""
        with self._lock:
            return [self._statuses[key] for key in sorted(self._statuses)]


class Watch:
    """Listens to the services and says how all of it is.

    Args:
        bus: not started yet; started and stopped here.
        settings: of the bus.
        watched: what the file says of the services.
        settle_s: how long what is retained may take to come, once the broker has let us in.
    """

    def __init__(self, bus: Bus, settings: BusSettings, watched: Watched, settle_s: float = SETTLE_S) -> None:
        self._bus, self._settings, self._watched, self._settle_s = bus, settings, watched, settle_s
        self._statuses = Statuses(watched.topics)
        bus.subscribe([watched.topics.every(Subject.SERVICE)], self._statuses.on_delivery)

    def once(self, stop: threading.Event) -> StatusReport:
        """How it is, once the broker has told what it retains, or has said why it does not let us in."""
        self._bus.start()
        try:
            for _ in range(int(CONNECT_WITHIN_S / LOOK_EVERY_S)):
                if self._bus.connected or self._bus.complaint or stop.wait(LOOK_EVERY_S):
                    break
            if self._bus.connected:
                stop.wait(self._settle_s)
            return self._report()
        finally:
            self._bus.stop()

    def live(self, console: Console, stop: threading.Event) -> StatusReport:
        """Show it until told to stop; returns how it was then."""
        self._bus.start()
        try:
            with Live(console=console, refresh_per_second=4) as live:
                while not stop.wait(0.5):
                    live.update(Group(*shown(self._report())))
            return self._report()
        finally:
            self._bus.stop()

    def _report(self) -> StatusReport:
        connected, refused = self._bus.connected, self._bus.refused_filters
        complaint = None if connected else f"{self._bus.why_away}; {WHO_WE_ARE}"
        if connected and refused:
            told = ", ".join(f"{topics} ({reason})" for topics, reason in refused.items())
            complaint = f"the broker does not let {self._settings.username} hear {told}"
        broker = BrokerReport(host=self._settings.host, port=self._settings.port, connected=connected, complaint=complaint)
        return judge(broker, self._statuses.snapshot(), self._watched.expected, self._watched.topics.root, utc_now())


def shown(report: StatusReport) -> Iterator[Table | Text]:
    """For people: a table that fits 80 columns, and below it what is wrong in full words."""
    if report.services:
        table = Table(*COLUMNS, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
        for column in table.columns:
            column.overflow = "fold"
        for service in report.services:
            for row in _rows(service, report.time):
                table.add_row(*row)
        yield table
        yield Text(f"{report.time:%Y-%m-%d %H:%M:%S} UTC", "dim")
    yield from (Text(str(complaint), "yellow" if report.services else "bold red") for complaint in report.complaints)


def print_report(report: StatusReport, console: Console) -> None:
    """Print it once: a table fits the terminal, a sentence stays whole."""
    for part in shown(report):
        console.print(part, soft_wrap=isinstance(part, Text))


def _rows(service: ServiceReport, now: datetime) -> Iterator[tuple[str | Text, ...]]:
    status = service.status
    events = str(status.outbox.last_seq or 0) if status.outbox else ""
    up_for = _span((now - status.started_at).total_seconds()) if status.online else ""
    for index, upstream in enumerate(status.upstreams or (None,)):
        if index == 0:
            yield (status.source, _state(service, now), *_upstream(upstream, now), events, _certificate(status), up_for)
        else:
            yield ("", "", *_upstream(upstream, now), "", "", "")


def _state(service: ServiceReport, now: datetime) -> Text:
    for_how_long = f" {_span((now - service.status.time).total_seconds())}" if service.health is ServiceHealth.SILENT else ""
    return Text(f"{service.health}{for_how_long}", _STYLE_OF.get(service.health, "bold red"))


def _upstream(upstream: Upstream | None, now: datetime) -> tuple[str | Text, ...]:
    if upstream is None:
        return ("", "")
    answered = f"{_span((now - upstream.last_ok_at).total_seconds())} ago" if upstream.last_ok_at else "never"
    return (Text(upstream.name, "green" if upstream.ok else "red"), answered)


def _certificate(status: ServiceStatus) -> Text | str:
    days = status.certificate_days_left
    return "" if days is None else Text(f"{days:.0f} d", "red" if days < CERTIFICATE_SOON_DAYS else "")


def _span(seconds: float) -> str:
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
