"""The service of alarms without a broker: what comes, what is kept on a real disk, what is replied, by a test's own clocks."""

import json
from datetime import datetime, timedelta
from pathlib import Path

from alarms_world import CONFIG, START, TOPICS, World
from msgspec.structs import replace

from alarms.__main__ import kept_alarms
from alarms.keeping import Keeping
from alarms.left import Left
from alarms.others import ALONE_AFTER_S, LISTENS_S, Others
from alarms.service import Service
from alarms.states.alarms import Alarms
from dotbus.contracts.codec import decode, decode_as, encode
from dotbus.contracts.messages import (
    AlarmChanged,
    AlarmCommandReply,
    AlarmStatus,
    AlarmSummary,
    AnyMessage,
    Environment,
)
from dotbus.runtime.mqtt.messages import Delivery, Outgoing
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity

DOWN = ("installation", "ads_ingest/a", "service-down")
QUICK = """
[alarms]
suppress_after_s = 0.0
[alarms.service_down]
on_delay_s = 0.0
off_delay_s = 0.0
"""


class Desk:
    """One process of it.

    Args:
        folder: of its state.
        more: of its configuration.
        instance: its name.
        config: the configuration.
        now: when it starts, by the wall clock.
    """

    def __init__(
        self,
        folder: Path,
        more: str = QUICK,
        instance: str = "main",
        config: str = CONFIG,
        now: datetime = START,
        now_s: float = 0.0,
    ) -> None:
        self.world = World(more, config)
        self.now, self.now_s = now, now_s
        self.replies: list[AlarmCommandReply] = []
        self.acknowledged: list[str] = []
        self.begun = self.stepped_back = self.said_again = 0
        self.outbox = Outbox(folder / "outbox.sqlite", max_age_s=86400.0, max_bytes=10_000_000)
        self.identity = Identity("alarms", instance, Environment.SIMULATOR, now)
        installation = self.world.installation
        self.alarms = Alarms(self.identity, kept_alarms(self.outbox), installation.alarms.suppress_after_s, began_s=now_s)
        self.keeping = Keeping(
            *(installation, self.identity, self.alarms, self.outbox), wake=lambda: None, told=lambda _events: None, now=now
        )
        self.others, self.left = Others(self.identity, now_s), Left(TOPICS, self.identity)
        self.service = Service(
            *(TOPICS, installation.alarms.shelve_most_h, self.identity, self.world.heard, self.world._observing),
            *(self.alarms, self.keeping, self.outbox, self.others, self.left),
            begun=lambda: self._count("begun"),
            stepped_back=lambda: self._count("stepped_back"),
            say_again=lambda: self._count("said_again"),
            reply=self._reply,
            clock=lambda: self.now,
            monotonic_s=lambda: self.now_s,
        )

    def _count(self, what: str) -> None:
        setattr(self, what, getattr(self, what) + 1)

    def _reply(self, reply: Outgoing) -> None:
        self.replies.append(decode_as(reply.payload, AlarmCommandReply))

    def connect(self, *, connected: bool = True) -> None:
        """The connection comes or goes."""
        self.service.on_connection(connected)
        self.service.take()

    def begin(self) -> None:
        """Connected, and nobody else is there."""
        self.connect()
        self.passes(LISTENS_S)

    def begin_alone(self) -> None:
        """There is no broker."""
        self.passes(ALONE_AFTER_S)

    def passes(self, seconds: float, *, wall_s: float | None = None) -> None:
        """Time, and a look at the end of it; by the wall clock another one where that is set meanwhile."""
        self.now_s += seconds
        self.now += timedelta(seconds=seconds if wall_s is None else wall_s)
        self.service.look()

    def hears(self, topic: str, message: AnyMessage | bytes, *, retained: bool = False, reply_to: str | None = None) -> None:
        """Something comes."""
        payload = message if isinstance(message, bytes) else encode(message)
        delivery = Delivery(
            *(topic, payload, retained, self.now, reply_to),
            receipt=b"taken",
            acknowledge=lambda ones: self.acknowledged.extend(one.topic for one in ones),
        )
        self.service.on_delivery(delivery)
        self.service.take()

    def service_says(self, name: str, *, online: bool = True, retained: bool = False, **more: object) -> None:
        """A status of SERVICE/INSTANCE."""
        service, instance = name.split("/")
        identity = Identity(service, instance, Environment.SIMULATOR, START - timedelta(hours=1))
        status = replace(identity.status(self.now, online=online), **more)
        self.hears(TOPICS.service(service, instance), status, retained=retained)

    def command(
        self, action: str = "acknowledge", alarm: tuple[str, str, str] = DOWN, **more: object
    ) -> AlarmCommandReply | None:
        """Somebody says a command; what is replied, None where nothing is."""
        said = {
            "kind": "alarm-command",
            "version": 1,
            "environment": "simulator",
            "source": "script",
            "action": action,
            "time": self.now.isoformat(),
            "requested_by": "M. Ortiz",
            "command_id": f"c{len(self.replies)}",
            **more,
        }
        before = len(self.replies)
        self.hears(TOPICS.alarm_command(*alarm, action), json.dumps(said).encode())
        return self.replies[-1] if len(self.replies) > before else None

    def alarm(self, alarm: tuple[str, str, str] = DOWN) -> AlarmStatus:
        """As it is kept on disk."""
        return decode_as(self.outbox.states()[TOPICS.alarm_state(*alarm)], AlarmStatus)

    def summary(self, plant: str = "sierra") -> AlarmSummary:
        """The same of what a plant's operator has before him."""
        return decode_as(self.outbox.states()[TOPICS.alarm_summary(plant)], AlarmSummary)

    def events(self) -> list[AlarmChanged]:
        """All that happened, as it is kept."""
        found = [decode(one.payload) for one in self.outbox.between(1, 10_000, 10_000)]
        return [one for one in found if isinstance(one, AlarmChanged)]

    def fill_disk(self) -> None:
        """Nothing can be written from now on, until `free_disk`."""
        self.outbox._database.execute("PRAGMA query_only = 1")

    def free_disk(self) -> None:
        """It can again."""
        self.outbox._database.execute("PRAGMA query_only = 0")

    def close(self) -> None:
        """Killed."""
        self.outbox.close()
