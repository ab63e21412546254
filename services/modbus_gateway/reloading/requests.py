"""Requests: who asks for a reload over the bus, and the reply what came of it."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import ReloadReply, ReloadRequest
from dotbus.contracts.topics import Topics
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import BusError, Delivery, Outgoing
from dotbus.runtime.presence import Identity
from modbus_gateway.reloading.reloads import REFUSED, Outcome, Reloads

_REPLY_WITHIN_S: Final = 5.0


class RequestsOnBus:
    """The requests that come over the bus, and signals.

    Args:
        bus: not started yet.
        reloads: does it.
        topics: of the installation.
        identity: who is asked.
        clock: the wall clock.
        loop: that serves.
    """

    def __init__(
        self,
        bus: Bus,
        reloads: Reloads,
        topics: Topics,
        identity: Identity,
        *,
        clock: Callable[[], datetime],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._bus = bus
        self._reloads = reloads
        self._identity = identity
        self._clock = clock
        self._loop = loop
        self._reply_topic = topics.reload_reply(identity.service, identity.instance)
        self._log = get_logger("reload")
        bus.subscribe([topics.reload(identity.service, identity.instance)], self._on_delivery)

    def on_hangup(self) -> None:
        """SIGHUP came: a reload that nobody is told of but the log and the status."""
        self._log.info("asked to read the map again", by="SIGHUP")
        self._ask(lambda _outcome: None)

    def _on_delivery(self, delivery: Delivery) -> None:
        """In the bus's thread. Whoever asks may ask again: a request is safe as soon as it came."""
        delivery.ack()
        if not delivery.payload:
            return
        try:
            request = decode_as(delivery.payload, ReloadRequest)
        except UndecodableMessage as error:
            self._refuse(None, f"not understood: {error.reason}")
            return
        if wrong := self._against(request, delivery):
            self._refuse(request.request_id, wrong)
            return
        self._log.info("asked to read the map again", by=request.source, id=request.request_id)
        self._ask(lambda outcome: self._reply(request.request_id, outcome))

    def _against(self, request: ReloadRequest, delivery: Delivery) -> str:
        if delivery.retained:
            return "it is retained, and would come again at each start"
        if request.environment != self._identity.environment:
            return f"it is for {request.environment}, and this gateway is of {self._identity.environment}"
        return ""

    def _refuse(self, request_id: str | None, why: str) -> None:
        self._log.warning("a request to read the map again is refused", id=request_id, cause=why)
        outcome = Outcome(REFUSED, why)
        self._in_loop(lambda: self._loop.run_in_executor(None, self._reply, request_id, outcome))

    def _ask(self, tell: Callable[[Outcome], None]) -> None:
        self._in_loop(lambda: self._reloads.ask(tell))

    def _in_loop(self, act: Callable[[], object]) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(act)

    def _reply(self, request_id: str | None, outcome: Outcome) -> None:
        reply = ReloadReply(
            environment=self._identity.environment,
            source=self._identity.source,
            time=self._clock(),
            request_id=request_id,
            outcome=outcome.outcome,
            detail=outcome.detail,
            changes=outcome.changes,
            mistakes=outcome.mistakes,
        )
        try:
            self._bus.publish([Outgoing(self._reply_topic, encode(reply))], timeout_s=_REPLY_WITHIN_S)
        except BusError as error:
            self._log.warning("whoever asked for a reload was not told", id=request_id, cause=str(error))
