"""Presence: each service says that it is there, and how it hears what it depends on; when it vanishes its last will says so."""

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

import msgspec

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Backfill, Environment, OutboxSpan, ServiceStatus, Upstream
from dotbus.contracts.quality import HEARTBEAT_S
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import BusError, Outgoing, PublishRefused

NOT_READY_S = 0.1


@dataclass(frozen=True)
class Identity:
    """Who speaks: a service, which instance of it, for which CAISO, since when."""

    service: str
    instance: str
    environment: Environment
    started_at: datetime

    @property
    def source(self) -> str:
        """As every message names it."""
        return f"{self.service}/{self.instance}"

    def status(
        self,
        now: datetime,
        *,
        online: bool = True,
        upstreams: Sequence[Upstream] = (),
        outbox: OutboxSpan | None = None,
        cursors: Mapping[str, str] | None = None,
        certificate_days_left: float | None = None,
        backfills: Sequence[Backfill] = (),
        complaints: Sequence[str] = (),
        map_hashes: Mapping[str, int] | None = None,
        redundancy: str | None = None,
    ) -> ServiceStatus:
        """What this instance says of itself at a time."""
        return ServiceStatus(
            environment=self.environment,
            source=self.source,
            time=now,
            service=self.service,
            instance=self.instance,
            online=online,
            started_at=self.started_at,
            software_version=version("dotbus"),
            upstreams=tuple(upstreams),
            outbox=outbox,
            cursors=dict(cursors or {}),
            certificate_days_left=certificate_days_left,
            backfills=tuple(backfills),
            complaints=tuple(complaints),
            map_hashes=dict(map_hashes or {}),
            redundancy=redundancy,
        )

    def will(self, topics: Topics) -> Outgoing:
        """The last will: offline, retained. Its time is when the process started."""
        return Outgoing(
            topics.service(self.service, self.instance), encode(self.status(self.started_at, online=False)), retain=True
        )


class Presence:
    """Publishes a service's status on each connection, every few seconds, and when poked.

    Args:
        describe: the status at a time; called in this object's thread.
        ready: whether what we said before stands again on this connection. Until then a heartbeat would confirm what a broker
            that lost its disk may still retain.
        saying: told each status just before it is said; called in this object's thread.
        refused: told when the broker refused one; the same.
        every_s: the pause between heartbeats. Gateways judge staleness by them.
    """

    def __init__(
        self,
        bus: Bus,
        topics: Topics,
        identity: Identity,
        describe: Callable[[datetime], ServiceStatus],
        *,
        clock: Callable[[], datetime],
        ready: Callable[[], bool] = lambda: True,
        saying: Callable[[ServiceStatus], None] = lambda _status: None,
        refused: Callable[[], None] = lambda: None,
        every_s: float = HEARTBEAT_S,
    ) -> None:
        self._bus = bus
        self._ready = ready
        self._topic = topics.service(identity.service, identity.instance)
        self._identity = identity
        self._describe = describe
        self._saying = saying
        self._refused = refused
        self._clock = clock
        self._every_s = every_s
        self._poked = threading.Event()
        self._stopped = False
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)
        self._log = get_logger("presence")
        bus.on_connection(lambda _connected: self.poke())

    def start(self) -> None:
        """Begin the heartbeat."""
        self._thread.start()

    def poke(self) -> None:
        """Say it again now: something about us changed."""
        self._poked.set()

    def stop(self) -> None:
        """End the heartbeat and say that we went in order."""
        self._stopped = True
        self.poke()
        self._thread.join()
        self._say(self._farewell())

    def _farewell(self) -> ServiceStatus:
        """Offline, with all that was known at the end: who comes after us may be told by it that he knows less."""
        now = self._clock()
        try:
            return msgspec.structs.replace(self._describe(now), online=False)
        except Exception:  # noqa: BLE001  # as in `_describe_and_say`: that we go must be said, whatever we cannot tell
            self._log.exception("the status cannot be told")
            return self._identity.status(now, online=False)

    @property
    def is_alive(self) -> bool:
        """Whether it still works; when not, only a restart can help."""
        return self._thread.is_alive()

    def _run(self) -> None:
        while not self._stopped:
            waits = self._bus.connected and not self._describe_and_say()
            self._poked.wait(min(NOT_READY_S, self._every_s) if waits else self._every_s)
            self._poked.clear()

    def _describe_and_say(self) -> bool:
        """Say the status. Returns whether it could be said."""
        try:
            status = self._describe(self._clock())
        except Exception:  # noqa: BLE001  # a disk that fails must not end the thread: silence would look like a crash
            self._log.exception("the status cannot be told")
            return True
        # Asked afterwards: all that was heard before the status was made must be with the broker by now.
        ready = self._ready()
        if ready:
            self._say(status)
        return ready

    def _say(self, status: ServiceStatus) -> None:
        self._saying(status)
        try:
            self._bus.publish([Outgoing(self._topic, encode(status), retain=True)], timeout_s=self._every_s)
        except BusError as error:
            if isinstance(error, PublishRefused):
                self._refused()
            self._log.warning("status not published", cause=str(error))
