"""Wiring of the service of alarms, and its command line."""

import shutil
import threading
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from prometheus_client import CollectorRegistry

from alarms.heard import Heard
from alarms.keeping import Keeping
from alarms.left import Left
from alarms.meters import Meters
from alarms.observing import Observing
from alarms.others import Others
from alarms.ours import Ours
from alarms.out.receivers import Receivers
from alarms.out.secrets import read_secrets
from alarms.rules.own import Disk
from alarms.service import Service
from alarms.settings import PREFIX, Configuration, load_configuration
from alarms.states.alarms import Alarms
from dotbus.contracts.alarms import AlarmState
from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.messages import AlarmChanged, AlarmStatus
from dotbus.contracts.topics import Subject
from dotbus.runtime.ingest import open_outbox
from dotbus.runtime.logs import get_logger
from dotbus.runtime.metrics import serving_health
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import BusError, Outgoing
from dotbus.runtime.outbox.courier import Courier
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.process import service_app
from dotbus.runtime.schedule import lasting_s, utc_now

SERVICE = "alarms"
SUMMARY = "Alarms by ISA-18.2 of what the bus says: raised, acknowledged, shelved, suppressed, kept and told."
SESSION_S = 24 * 3600
"""So long the broker keeps gaps and commands for us while we are away; what is too old by then says so itself."""
STUCK_AFTER_S = 60.0
REPLY_WITHIN_S = 3.0
_NOT_NORMAL = frozenset(AlarmState) - {AlarmState.NORMAL}


def run(configuration: Configuration, stop: threading.Event) -> None:
    """Serve until told to stop."""
    settings, installation = configuration.own, configuration.installation
    topics = installation.topics
    identity = Identity(SERVICE, configuration.service.instance, installation.environment, utc_now())
    registry = CollectorRegistry()
    meters = Meters(registry)
    outbox = open_outbox(settings, f"{PREFIX}STATE_DIR")
    bus = Bus(
        configuration.bus, f"{SERVICE}-{identity.instance}", clock=utc_now, will=identity.will(topics), session_s=SESSION_S
    )
    courier = Courier(bus, outbox, topics, identity, clock=utc_now)
    heard = Heard(topics, installation.modbus.accept_environments)
    alarms = Alarms(identity, kept_alarms(outbox), installation.alarms.suppress_after_s, lasting_s())
    observing = Observing(installation, heard, identity.source, lambda: _disk(settings.state_dir))

    secrets = read_secrets(installation.alarms, settings.secrets_dir)
    receivers = Receivers(installation.alarms, secrets, outbox, meters, utc_now)

    def told(events: Sequence[AlarmChanged]) -> None:
        meters.note(events, _not_normal(alarms.statuses.values()))
        receivers.wake()

    keeping = Keeping(installation, identity, alarms, outbox, wake=courier.wake, told=told, now=utc_now())
    others, left = Others(identity, lasting_s()), Left(topics, identity)
    running = ExitStack()

    def begun() -> None:
        bus.unsubscribe(left.filters, service.on_delivery)
        courier.start()
        running.callback(courier.stop)
        running.enter_context(receivers.running())

    def leave() -> None:
        courier.stop()
        if others.is_taken_over:  # each time that we connected again we would drop the other one
            bus.stop()

    def stepped_back() -> None:
        receivers.stop()
        threading.Thread(target=leave, name="leave", daemon=True).start()

    service = Service(
        *(topics, installation.alarms.shelve_most_h, identity, heard, observing, alarms, keeping, outbox, others, left),
        begun=begun,
        stepped_back=stepped_back,
        say_again=courier.say_again,
        reply=lambda reply: _say(bus, reply),
        clock=utc_now,
        monotonic_s=lasting_s,
    )

    ours = Ours(identity, outbox, keeping, others, courier, receivers)
    presence = Presence(bus, topics, identity, ours.status, clock=utc_now, ready=ours.may_be_said)

    def health() -> dict[str, object]:
        turns = lasting_s() - service.turned_at_s <= STUCK_AFTER_S
        return ours.health(is_alive=turns and presence.is_alive, is_connected=bus.connected)

    bus.subscribe([*heard.filters, topics.every(Subject.ALARM_COMMAND), *left.filters], service.on_delivery)
    bus.on_connection(service.on_connection)
    bus.on_namesake(service.on_namesake)
    meters.note((), _not_normal(alarms.statuses.values()))
    with running:
        running.callback(outbox.close)
        bus.start()
        running.callback(bus.stop)
        presence.start()
        running.callback(presence.stop)
        running.enter_context(serving_health(configuration.service, registry, health))
        service.run(stop)


def kept_alarms(outbox: Outbox) -> list[AlarmStatus]:
    """The alarms as the process before us left them."""
    found = []
    for topic, payload in outbox.states().items():
        try:
            message = decode(payload)
        except UndecodableMessage as error:
            get_logger(SERVICE).warning("what was kept of an alarm is not understood", topic=topic, reason=error.reason)
            continue
        if isinstance(message, AlarmStatus):
            found.append(message)
    return found


def _not_normal(statuses: Iterable[AlarmStatus]) -> list[AlarmStatus]:
    return [one for one in statuses if one.state in _NOT_NORMAL]


def _disk(folder: Path) -> Disk | None:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return Disk(usage.free, usage.total)


def _say(bus: Bus, reply: Outgoing) -> None:
    try:
        bus.publish([reply], timeout_s=REPLY_WITHIN_S)
    except BusError as error:
        get_logger(SERVICE).warning("a reply was not published", cause=str(error))


app = service_app(SERVICE, SUMMARY, load_configuration, run)


def main() -> None:
    """The `alarms` command."""
    app()


if __name__ == "__main__":
    main()
