"""`dotbus reload`: a running gateway reads its file again, and tells what its registers say otherwise, or every mistake."""

import queue
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from socket import gethostname
from typing import Final

from dotbus.contracts.codec import UndecodableMessage, decode_as, encode
from dotbus.contracts.messages import ReloadReply, ReloadRequest
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.mqtt.by_hand import NotReached, connected
from dotbus.runtime.mqtt.messages import BusError, Delivery, Outgoing
from dotbus.runtime.settings.settings import BusSettings

SERVICE: Final = "modbus_gateway"
REPLY_WITHIN_S: Final = 30.0
TAKEN: Final = "taken"


class NotAnswered(Exception):
    """The broker or the gateway did not answer; the message says which, and what to look at."""


def ask_for_reload(
    settings: BusSettings, installation: Installation, instance: str, clock: Callable[[], datetime]
) -> ReloadReply:
    """Have a gateway read its own file again. That file is where it runs, whatever is here.

    Raises:
        NotAnswered: there is no broker, or no gateway of that name that may be asked by us.
    """
    replies: queue.SimpleQueue[Delivery] = queue.SimpleQueue()
    topics = installation.topics
    request = ReloadRequest(
        environment=installation.environment,
        source=f"dotbus/{gethostname()}",
        time=clock(),
        request_id=secrets.token_hex(8),
    )
    try:
        with connected(settings, "dotbus-reload", {topics.reload_reply(SERVICE, instance): replies.put}, clock) as bus:
            bus.publish([Outgoing(topics.reload(SERVICE, instance), encode(request))])
            return _reply(replies, request.request_id, instance)
    except NotReached as failure:
        raise NotAnswered(str(failure)) from failure
    except BusError as error:
        raise NotAnswered(f"{error}; the broker's user modbus_gateway may ask, and a plant's its own gateway") from error


def _reply(replies: "queue.SimpleQueue[Delivery]", request_id: str, instance: str) -> ReloadReply:
    deadline = time.monotonic() + REPLY_WITHIN_S
    while (left_s := deadline - time.monotonic()) > 0:
        with suppress(queue.Empty, UndecodableMessage):
            reply = decode_as(replies.get(timeout=left_s).payload, ReloadReply)
            if reply.request_id == request_id:
                return reply
    raise NotAnswered(f"{SERVICE}/{instance} did not answer within {REPLY_WITHIN_S:.0f} s: does it run, and is this its name?")
