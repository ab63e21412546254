"""Asking: the alarms of the bus, and what becomes of a command to one of them."""

import queue
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from socket import gethostname
from typing import Final

from dotbus.contracts.alarms import AlarmAction
from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import AlarmCommand, AlarmCommandReply, AlarmStatus
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.by_hand import connected
from dotbus.runtime.mqtt.messages import Delivery, Outgoing
from dotbus.runtime.settings.settings import BusSettings
from launcher.alarms.heard import HeardAlarms, Known, name_of

HEARD_WITHIN_S: Final = 5.0
REPLY_WITHIN_S: Final = 10.0
"""For so long a command counts, too: what came later would do what nobody expects any more."""


class NotAnswered(Exception):
    """The service of alarms did not answer a command; the message says which, and what to look at."""


@dataclass(frozen=True)
class Order:
    """What somebody does with alarms.

    Attributes:
        action: acknowledge, shelve or unshelve.
        by: who.
        comment: why.
        shelve_min: for how long.
    """

    action: AlarmAction
    by: str
    comment: str | None = None
    shelve_min: float | None = None


class AlarmDesk:
    """Where alarms are seen and commanded, while there is a connection.

    Args:
        bus: connected.
        heard: what comes of alarms.
        replies: what comes of replies.
        clock: the wall clock.
    """

    def __init__(
        self, bus: Bus, heard: HeardAlarms, replies: "queue.SimpleQueue[Delivery]", clock: Callable[[], datetime]
    ) -> None:
        self._bus = bus
        self._heard = heard
        self._replies = replies
        self._clock = clock

    def known(self, within_s: float = HEARD_WITHIN_S) -> Known:
        """The alarms, once all of them have come; after `within_s` as far as they came."""
        deadline = time.monotonic() + within_s
        while not (known := self._heard.known(self._clock())).is_whole and (left_s := deadline - time.monotonic()) > 0:
            self._heard.wait(left_s)
        return known

    def command(self, alarm: AlarmStatus, order: Order) -> AlarmCommandReply:
        """Have something done with an alarm as it was seen: where it was raised again since, it is refused.

        Raises:
            NotAnswered: the service says nothing.
            BusError: the broker is gone, or refuses it.
        """
        command = command_to(alarm, order, self._clock())
        topic = self._heard.topics.alarm_command(alarm.plant, alarm.about, alarm.rule, order.action)
        self._bus.publish([Outgoing(topic, encode(command))])
        deadline = time.monotonic() + REPLY_WITHIN_S
        while (left_s := deadline - time.monotonic()) > 0:
            with suppress(queue.Empty, UndecodableMessage):
                reply = decode_as(self._replies.get(timeout=left_s).payload, AlarmCommandReply)
                if reply.command_id == command.command_id:
                    return reply
        hint = "does the service of alarms run, and may this user of the broker command alarms of this plant?"
        raise NotAnswered(f"{name_of(alarm)}: nobody answered within {REPLY_WITHIN_S:.0f} s: {hint}")


def command_to(alarm: AlarmStatus, order: Order, now: datetime) -> AlarmCommand:
    """The command, which counts for the raising that was seen."""
    return AlarmCommand(
        environment=alarm.environment,
        source=f"dotbus/{gethostname()}",
        time=now,
        action=order.action,
        requested_by=order.by,
        comment=order.comment,
        shelve_min=order.shelve_min,
        raised_at=alarm.raised_at,
        command_id=secrets.token_hex(8),
        expires_at=now + timedelta(seconds=REPLY_WITHIN_S),
    )


@contextmanager
def alarm_desk(settings: BusSettings, topics: Topics, clock: Callable[[], datetime]) -> Iterator[AlarmDesk]:
    """A connection while a command runs.

    Raises:
        NotReached: there is no broker, or it refuses us.
    """
    heard, replies = HeardAlarms(topics), queue.SimpleQueue[Delivery]()
    listening = dict.fromkeys(heard.filters, heard.take) | {topics.every(Subject.ALARM_COMMAND_REPLY): replies.put}
    with connected(settings, "dotbus-alarms", listening, clock) as bus:
        yield AlarmDesk(bus, heard, replies, clock)
