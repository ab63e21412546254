"""Requests: who asks for prices of the past over the bus, and the reply whether that is done."""

import queue
import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Final, Protocol

from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import BackfillReply, BackfillRequest
from dotbus.contracts.messages.history import REFUSED, TAKEN
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import BusError, Delivery, Outgoing
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity
from lmp_ingest.history.backfill import BackfillRefused
from lmp_ingest.history.history import History

MOST_WAITING: Final = 100
_REPLY_WITHIN_S: Final = 5.0


class Requests(Protocol):
    """What may wait for the loop."""

    def answer(self, now: datetime) -> bool:
        """Answer all that came. Returns whether any was taken."""
        ...


class NoRequests:
    """Nobody asks."""

    def answer(self, now: datetime) -> bool:  # noqa: ARG002  # whoever asks
        """Nothing came."""
        return False


class RequestsOnBus:
    """The requests that come over the bus. They are answered in the loop's thread.

    Args:
        bus: not started yet.
        history: takes them.
        outbox: keeps them.
        topics: of the installation.
        identity: who is asked.
        clock: the wall clock.
    """

    def __init__(
        self, bus: Bus, history: History, outbox: Outbox, topics: Topics, identity: Identity, *, clock: Callable[[], datetime]
    ) -> None:
        self._bus = bus
        self._history = history
        self._outbox = outbox
        self._identity = identity
        self._clock = clock
        self._reply_topic = topics.backfill_reply(identity.service, identity.instance)
        self._came: queue.Queue[Delivery] = queue.Queue(MOST_WAITING)
        self._overflows = False
        self._log = get_logger("history")
        bus.subscribe([topics.backfill(identity.service, identity.instance)], self._on_delivery)

    def answer(self, now: datetime) -> bool:
        """Answer all that came. Returns whether any was taken."""
        any_taken = False
        while not self._came.empty():
            delivery = self._came.get_nowait()
            request_id, outcome, detail = self._outcome(delivery.payload, now)
            delivery.ack()
            self._log.info("asked for the past", id=request_id, outcome=outcome, detail=detail)
            self._reply(request_id, outcome, detail)
            any_taken |= outcome == TAKEN
        return any_taken

    def _outcome(self, payload: bytes, now: datetime) -> tuple[str | None, str, str]:
        try:
            request = decode_as(payload, BackfillRequest)
        except UndecodableMessage as error:
            return None, REFUSED, f"not understood: {error.reason}"
        try:
            detail, notes = self._history.take(request, now)
            self._outbox.commit(now, notes=notes)
        except BackfillRefused as refused:
            return request.request_id, REFUSED, str(refused)
        except sqlite3.Error as error:
            return request.request_id, REFUSED, f"it cannot be kept: {error}"
        except Exception as error:  # noqa: BLE001  # one bad message must not end the service, whatever is in it
            self._log.exception("a request for the past cannot be judged", id=request.request_id)
            return request.request_id, REFUSED, f"it cannot be judged: {error!r}"
        self._history.noted(notes)
        return request.request_id, TAKEN, detail

    def _reply(self, request_id: str | None, outcome: str, detail: str) -> None:
        reply = BackfillReply(
            environment=self._identity.environment,
            source=self._identity.source,
            time=self._clock(),
            request_id=request_id,
            outcome=outcome,
            detail=detail,
        )
        try:
            self._bus.publish([Outgoing(self._reply_topic, encode(reply))], timeout_s=_REPLY_WITHIN_S)
        except BusError as error:
            self._log.warning("whoever asked was not told", id=request_id, cause=str(error))

    def _on_delivery(self, delivery: Delivery) -> None:
        try:
            self._came.put_nowait(delivery)
        except queue.Full:
            delivery.ack()
            if not self._overflows:
                self._log.warning("too many requests wait; those that come now get no reply and may be sent again")
            self._overflows = True
        else:
            self._overflows = False
