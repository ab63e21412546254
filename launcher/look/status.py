"""`dotbus status`: the health of each service as a table, live from the bus."""

import threading
from collections.abc import Iterator
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dotbus.contracts.codec import UndecodableMessage, decode_as
from dotbus.contracts.messages import ServiceStatus, Upstream
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.runtime.presence import HEARTBEAT_S
from dotbus.runtime.schedule import utc_now

SILENT_AFTER_S = 3 * HEARTBEAT_S
CERTIFICATE_SOON_DAYS = 30.0
SETTLE_S = 2.0
NO_BROKER = (
    "No connection to the broker yet. DOTBUS_MQTT_HOST, _PORT, _USERNAME and _PASSWORD say which one, and who we are there; "
    "the demonstration's speaks MQTT 3.1.1 only: DOTBUS_MQTT_PROTOCOL=3.1.1"
)
COLUMNS = ("service", "state", "hears", "answered", "events", "cert", "up for")


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


def status_table(statuses: list[ServiceStatus], now: datetime) -> Group:
    """What the services say of themselves: a table that fits 80 columns, and below it what is wrong in full words."""
    table = Table(*COLUMNS, box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for column in table.columns:
        column.overflow = "fold"
    for status in statuses:
        for row in _rows(status, now):
            table.add_row(*row)
    complaints = [Text(line, "yellow") for status in statuses for line in _complaints(status)]
    return Group(table, Text(f"{now:%Y-%m-%d %H:%M:%S} UTC", "dim"), *complaints)


def _rows(status: ServiceStatus, now: datetime) -> Iterator[tuple[str | Text, ...]]:
    events = str(status.outbox.last_seq or 0) if status.outbox else ""
    up_for = _span((now - status.started_at).total_seconds()) if status.online else ""
    for index, upstream in enumerate(status.upstreams or (None,)):
        if index == 0:
            yield (status.source, _state(status, now), *_upstream(upstream, now), events, _certificate(status), up_for)
        else:
            yield ("", "", *_upstream(upstream, now), "", "", "")


def _state(status: ServiceStatus, now: datetime) -> Text:
    silent_s = (now - status.time).total_seconds()
    if not status.online:
        return Text("offline", "bold red")
    if silent_s > SILENT_AFTER_S:
        return Text(f"silent {_span(silent_s)}", "bold red")
    if status.complaints or not all(upstream.ok and not upstream.complaints for upstream in status.upstreams):
        return Text("degraded", "yellow")
    return Text("online", "green")


def _upstream(upstream: Upstream | None, now: datetime) -> tuple[str | Text, ...]:
    if upstream is None:
        return ("", "")
    answered = f"{_span((now - upstream.last_ok_at).total_seconds())} ago" if upstream.last_ok_at else "never"
    return (Text(upstream.name, "green" if upstream.ok else "red"), answered)


def _complaints(status: ServiceStatus) -> Iterator[str]:
    yield from (f"{status.source}: {complaint}" for complaint in status.complaints)
    for upstream in status.upstreams:
        if not upstream.ok:
            often = f" ({upstream.failures_in_a_row} times)" if upstream.failures_in_a_row > 1 else ""
            yield f"{status.source} {upstream.name}: {upstream.last_error or 'not heard yet'}{often}"
        for complaint in upstream.complaints:
            yield f"{status.source} {upstream.name}: {complaint}"
    if status.outbox and status.outbox.unpublished:
        yield f"{status.source}: {status.outbox.unpublished} events wait for the broker"


def _certificate(status: ServiceStatus) -> Text | str:
    days = status.certificate_days_left
    return "" if days is None else Text(f"{days:.0f} d", "red" if days < CERTIFICATE_SOON_DAYS else "")


def _span(seconds: float) -> str:
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def watch(bus: Bus, topics: Topics, console: Console, stop: threading.Event, *, once: bool, settle_s: float = SETTLE_S) -> bool:
    """Show the table until told to stop, or once after `settle_s`. Returns whether a service was heard of."""
    statuses = Statuses(topics)
    bus.subscribe([topics.every(Subject.SERVICE)], statuses.on_delivery)
    bus.start()
    try:
        if once:
            stop.wait(settle_s)
            for part in _shown(bus, statuses, topics).renderables:
                console.print(part, soft_wrap=isinstance(part, Text))  # a table fits the terminal, a sentence stays whole
            return bus.connected and bool(statuses.snapshot())
        with Live(console=console, refresh_per_second=4) as live:
            while not stop.wait(0.5):
                live.update(_shown(bus, statuses, topics))
        return True
    finally:
        bus.stop()


def _shown(bus: Bus, statuses: Statuses, topics: Topics) -> Group:
    if not bus.connected:
        return Group(Text(NO_BROKER, "bold red"))
    heard = statuses.snapshot()
    if not heard:
        unheard = f"No service is heard under {topics.root}: is that the topic_root of the services that run here?"
        return Group(Text(unheard, "yellow"))
    return status_table(heard, utc_now())
