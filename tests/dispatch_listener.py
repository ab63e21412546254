"""A subscriber of every plant's dispatch, in a client of somebody else's."""

import threading
from collections.abc import Callable

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Dispatch

SUBSCRIBED_WITHIN_S = 30.0


class DispatchListener:
    """Hands each dispatch on as it comes, in the client's own thread.

    Args:
        port: of a broker on loopback.
        on_dispatch: what to do with each.
    """

    def __init__(self, port: int, on_dispatch: Callable[[Dispatch], None]) -> None:
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_message = lambda _client, _userdata, message: on_dispatch(decode_as(message.payload, Dispatch))
        subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: subscribed.set()
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        self._client.subscribe("dotbus/v1/plant/+/+/dispatch", qos=1)
        subscribed.wait(SUBSCRIBED_WITHIN_S)

    def close(self) -> None:
        """Listen no more."""
        self._client.disconnect()
        self._client.loop_stop()
