"""Running: the lmp_ingest that runs somewhere, as a command speaks with it over the bus."""

import queue
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import Backfill, BackfillReply, BackfillRequest, ServiceStatus
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.by_hand import NotReached, connected
from dotbus.runtime.mqtt.messages import BusError, Delivery, Outgoing
from dotbus.runtime.settings.settings import BusSettings

SERVICE: Final = "lmp_ingest"
REPLY_WITHIN_S: Final = 60.0
"""The service answers between two questions to CAISO, and one of them may take so long."""
STATUS_WITHIN_S: Final = 5.0
AWAY_FOR_S: Final = 120.0
"""A service that is restarted is back within so long."""


class NotAnswered(Exception):
    """The broker or the service did not answer, or refuses; the message says which, and what to look at."""


@dataclass(frozen=True)
class Running:
    """A conversation with the service.

    Attributes:
        installation: whose it is.
        instance: its name.
        asks: whose command it is, such as lmp-ingest.
        clock: the wall clock.
    """

    installation: Installation
    instance: str
    asks: str
    clock: Callable[[], datetime]
    bus: Bus
    _statuses: "queue.SimpleQueue[Delivery]" = field(default_factory=queue.SimpleQueue)
    _replies: "queue.SimpleQueue[Delivery]" = field(default_factory=queue.SimpleQueue)

    def status(self) -> ServiceStatus:
        """What it says of itself now.

        Raises:
            NotAnswered: it says nothing, or that it is not there.
        """
        status = self._next_status(STATUS_WITHIN_S)
        if status is None or not status.online:
            raise NotAnswered(f"{SERVICE}/{self.instance} is not there: does it run, and is this its name?")
        return status

    def ask(self, request: BackfillRequest) -> BackfillReply:
        """Whether the service takes a request.

        Raises:
            NotAnswered: nobody says so in time.
        """
        topic = self.installation.topics.backfill(SERVICE, self.instance)
        try:
            self.bus.publish([Outgoing(topic, encode(request))])
        except BusError as error:
            raise NotAnswered(f"{error}; the broker's users lmp_ingest and historian may ask, and no other") from error
        deadline = time.monotonic() + REPLY_WITHIN_S
        while (left_s := deadline - time.monotonic()) > 0:
            with suppress(queue.Empty, UndecodableMessage):
                reply = decode_as(self._replies.get(timeout=left_s).payload, BackfillReply)
                if reply.request_id == request.request_id:
                    return reply
        raise NotAnswered(f"{SERVICE}/{self.instance} did not answer within {REPLY_WITHIN_S:.0f} s")

    def follow(self, request_ids: Sequence[str], since: datetime) -> Iterator[list[Backfill]]:
        """How far these backfills are, again and again, until all have ended.

        Args:
            request_ids: which.
            since: when the service took the last of them, by its clock: what it said before is of an earlier time.

        Raises:
            NotAnswered: the service went away and is not back in time.
        """
        heard = time.monotonic()
        while time.monotonic() - heard < AWAY_FOR_S:
            status = self._next_status(STATUS_WITHIN_S)
            if status is None or not status.online or status.time < since:
                continue
            heard = time.monotonic()
            known = [one for one in status.backfills if one.request_id in request_ids]
            yield known
            if len(known) == len(request_ids) and all(one.ended_at for one in known):
                return
        raise NotAnswered(
            f"{SERVICE}/{self.instance} went away; it goes on once it is back, and the same command tells how far it is"
        )

    def _next_status(self, within_s: float) -> ServiceStatus | None:
        try:
            return decode_as(self._statuses.get(timeout=within_s).payload, ServiceStatus)
        except (queue.Empty, UndecodableMessage):
            return None

    @classmethod
    @contextmanager
    def reached(
        cls, settings: BusSettings, installation: Installation, instance: str, asks: str, clock: Callable[[], datetime]
    ) -> "Iterator[Running]":
        """The conversation, while a command runs.

        Raises:
            NotAnswered: the broker is not there, or refuses us.
        """
        statuses: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        replies: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
        topics = installation.topics
        heard = {topics.service(SERVICE, instance): statuses.put, topics.backfill_reply(SERVICE, instance): replies.put}
        try:
            with connected(settings, asks, heard, clock) as bus:
                yield cls(installation, instance, asks, clock, bus, statuses, replies)
        except NotReached as failure:
            raise NotAnswered(str(failure)) from failure
