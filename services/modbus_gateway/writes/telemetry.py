"""Telemetry: what the bus is told of each point, and when, by `dotbus.contracts.telemetry`."""

import threading
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Telemetry
from dotbus.contracts.quality import GOOD, Quality, Reason
from dotbus.contracts.telemetry import VALID_FOR_S, is_due
from dotbus.contracts.topics import Topics
from dotbus.judging.clock_steps import Moment
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.messages import BusError, Outgoing, PublishRefused
from dotbus.runtime.presence import Identity
from modbus_gateway.map.writable import WritablePoint
from modbus_gateway.writes.unit import Key, Now, Taken, UnitState, counts

LOOK_EVERY_S: Final = 0.25
"""How often it is looked whether a value fell silent, or one that changes fast is to be said as it is now."""
PAUSE_AFTER_REFUSAL_S: Final = 5.0


class Broker(Protocol):
    """The bus, as far as states go to it."""

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""
        ...

    def publish(self, messages: Sequence[Outgoing], timeout_s: float = 10.0) -> None:
        """Publish, and wait until the broker has it."""
        ...

    def on_connection(self, listener: Callable[[bool], None]) -> None:
        """Be told that the connection stands, or is lost."""
        ...


def quality_of(state: UnitState, point: WritablePoint, now: Now) -> Quality:
    """How good a point is, of a state that time has been let act on."""
    if counts(state, point, now):
        return GOOD
    return Quality.of([Reason.STALE if point.key in state.taken else Reason.NEVER_RECEIVED])


def telemetry_of(state: UnitState, point: WritablePoint, identity: Identity, now: Now) -> Telemetry:
    """What is to be said of a point at a time, of a state that time has been let act on."""
    quality, taken = quality_of(state, point, now), state.taken.get(point.key)
    return Telemetry(
        environment=identity.environment,
        source=identity.source,
        time=now.wall,
        plant=point.plant,
        resource_id=point.resource_id,
        point=point.point,
        value=taken.value if taken else None,
        unit=point.unit,
        quality=192 if quality.is_good else 0,
        reasons=tuple(reason.value for reason in quality.reasons),
        measured_at=_measured_at(taken, now) if taken else None,
        valid_until=now.wall + timedelta(seconds=VALID_FOR_S),
        written_by=(taken.client.subject or None) if taken else None,
        written_from=(taken.client.address or None) if taken else None,
    )


def _measured_at(taken: Taken, now: Now) -> datetime:
    """When it was written by the clock as it is now: set since, it would be dated after it is said, or long before."""
    written = Moment(taken.at.wall, taken.at.seconds)
    return taken.at.wall + Moment(now.wall, now.seconds).step_since(written)


class Saying:
    """Says each point when it is due, in a thread of its own: the broker may be slow, and SCADA is not to wait for it.

    Args:
        bus: whom it is said to.
        topics: of the installation.
        tell: what would be said of each point now.
        look: called before, with what else is to be done now and then.
    """

    def __init__(self, bus: Broker, topics: Topics, tell: Callable[[], Iterable[Telemetry]], look: Callable[[], None]) -> None:
        self._bus = bus
        self._topics = topics
        self._tell = tell
        self._look = look
        self._said: dict[Key, Telemetry] = {}
        self._complaint = ""
        self._awake = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._log = get_logger("writes")
        bus.on_connection(self._on_connection)

    @property
    def is_alive(self) -> bool:
        """Whether it still works, or did not begin yet; when not, only a restart can help."""
        return self._thread.ident is None or self._thread.is_alive()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Something was written."""
        self._awake.set()

    def stop(self) -> None:
        """Say what is due, and end."""
        self._ended.set()
        self.wake()
        self._thread.join()

    def say(self) -> bool:
        """Say what is due. What the broker does not take is due again. Returns whether it refuses nothing."""
        self._look()
        said = self._said
        due = [one for one in self._tell() if is_due(said.get(_key(one)), one)]
        if not due or not self._bus.connected:
            return True
        messages = {_key(one): self._message(one) for one in due}
        try:
            self._bus.publish(list(messages.values()))
        except PublishRefused as error:
            self._complain(str(error))
            refused = error.refused or messages.values()
            said.update((_key(one), one) for one in due if messages[_key(one)] not in refused)
            return False
        except BusError as error:
            self._complain(str(error))
        else:
            self._complaint = ""
            said.update((_key(one), one) for one in due)
        return True

    def _run(self) -> None:
        while not self._ended.is_set():
            self._awake.wait(LOOK_EVERY_S)
            self._awake.clear()
            try:
                if not self.say():
                    self._ended.wait(PAUSE_AFTER_REFUSAL_S)
            except Exception:  # noqa: BLE001  # a fault of one round must not end what says that a value is stale
                self._log.exception("telemetry was not said")

    def _on_connection(self, connected: bool) -> None:  # noqa: FBT001  # a listener's one argument
        """A broker that was away may have lost what it retained: all is said again."""
        self._said = {}
        if connected:
            self.wake()

    def _message(self, said: Telemetry) -> Outgoing:
        return Outgoing(self._topics.telemetry(said.plant, said.resource_id, said.point), encode(said), retain=True)

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            self._log.error("telemetry waits", cause=complaint, next="trying again")


def _key(said: Telemetry) -> Key:
    return said.resource_id, said.point
