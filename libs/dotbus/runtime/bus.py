"""The bus: paho-mqtt behind what dotbus promises. The only place that imports paho.

- A publish that the broker refuses raises: MQTT 5 says so in the PUBACK's reason, which paho alone reports as success.
- Deliveries are acknowledged by whoever has them safe, never by arriving. An acknowledgement belongs to the connection that
  delivered: after a reconnect the broker sends again what was not acknowledged, and an old number could then name another
  message, so late acknowledgements are dropped.
- What was on its way when a connection was lost is the publisher's again, who was told so. paho would send it once more on the
  next connection, after what the publisher said there meanwhile: an old state would replace a newer one.
- It connects and reconnects for ever, with a growing pause.

MQTT 3.1.1 is for the embedded broker of the demonstration: there a forbidden publish looks like an accepted one.

It is longer than other modules, because all of it shares one connection, its generation and its locks.
"""

import ssl
import threading
import time
from collections.abc import Callable, KeysView, Sequence
from datetime import datetime

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from dotbus.runtime.bus_messages import Delivery, NotConnected, Outgoing, PublishRefused, PublishTimedOut
from dotbus.runtime.logs import get_logger
from dotbus.runtime.settings import BusSettings

QOS = 1
REFUSED_FROM = 0x80  # MQTT 5: reason codes from here on are failures
SESSION_EXPIRY_S = 14 * 24 * 3600
MAX_PACKET_BYTES = 64 * 1024 * 1024
MAX_WAITING = 10_000
"""Messages without an acknowledgement; a broker that answers nothing must not fill our memory."""
RECONNECT_FIRST_S, RECONNECT_MOST_S = 1, 30
_PACKET_OVERHEAD_BYTES = 1024
"""More than the header and properties of a PUBLISH take."""
_TAKEN_OVER = "Session taken over"


class Bus:
    """One connection to the broker, kept up by its own thread. Every method may be called from any thread.

    Args:
        settings: where the broker is and who we are.
        client_id: unique at the broker; the name of the session when `persistent`.
        clock: the time that deliveries are stamped with.
        will: what the broker publishes, when we vanish.
        persistent: the broker keeps what comes while we are away.
        receive_maximum: how many unacknowledged deliveries the broker may send us at once.
    """

    def __init__(
        self,
        settings: BusSettings,
        client_id: str,
        *,
        clock: Callable[[], datetime],
        will: Outgoing | None = None,
        persistent: bool = False,
        receive_maximum: int = 100,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._persistent = persistent
        self._receive_maximum = receive_maximum
        self._filters: list[tuple[str, Callable[[Delivery], None]]] = []
        self._listeners: list[Callable[[bool], None]] = []
        self._acks: dict[int, ReasonCode] = {}
        self._abandoned: set[int] = set()
        self._changed = threading.Condition()
        self._sending = threading.Lock()  # what is sent belongs to one connection; never wait for this with a lock of paho's
        self._broker_takes_bytes = MAX_PACKET_BYTES
        self._generation = 0
        self._connected = False
        self._complaint = ""
        self._log = get_logger("bus").bind(broker=f"{settings.host}:{settings.port}", client_id=client_id)
        self._client = self._make_client(client_id)
        if will:
            self._client.will_set(will.topic, will.payload, qos=QOS, retain=will.retain)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and the connection stands."""
        return self._connected

    def subscribe(self, filters: Sequence[str], on_delivery: Callable[[Delivery], None]) -> None:
        """Ask for topics, now and after each reconnect. Call before `start`.

        `on_delivery` runs in the network thread: while it blocks nothing more is read, which is how a full queue slows the
        broker. It must not publish. Whoever takes the delivery calls its `ack` once it is safe.
        """
        self._filters += [(topic_filter, on_delivery) for topic_filter in filters]

    def on_connection(self, listener: Callable[[bool], None]) -> None:
        """Be told, in the network thread, that the connection stands (True) or is lost (False)."""
        self._listeners.append(listener)

    def start(self) -> None:
        """Begin to connect. Returns at once; a broker that is not there yet is waited for."""
        self._client.connect_async(
            self._settings.host,
            self._settings.port,
            keepalive=self._settings.keepalive_s,
            clean_start=not self._persistent if self._is_five else mqtt.MQTT_CLEAN_START_FIRST_ONLY,
            properties=self._connect_properties() if self._is_five else None,
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect in order: the broker does not publish the will."""
        self._client.disconnect()
        self._client.loop_stop()
        if self._client.socket() is not None:  # the network thread was just connecting, and ended with the connection open
            self._client.disconnect()

    def ack_all(self, deliveries: Sequence[Delivery]) -> None:
        """Acknowledge deliveries in their order."""
        for delivery in deliveries:
            delivery.ack()

    def publish(self, messages: Sequence[Outgoing], timeout_s: float = 10.0) -> None:
        """Publish messages in their order and wait until the broker has acknowledged each.

        After NotConnected or PublishTimedOut it is not known which of them the broker has; nothing sends them again by itself.

        Raises:
            NotConnected: the connection is not there or went before the last acknowledgement.
            PublishRefused: the broker refused some of them; it has the others.
            PublishTimedOut: an acknowledgement is missing after `timeout_s`.
        """
        generation = self._generation
        sent: dict[int, Outgoing] = {}
        try:
            for message in messages:
                if self._fits(message):
                    sent[self._send(message, generation)] = message
            reasons = self._await_acks(sent.keys(), generation, time.monotonic() + timeout_s)
        except BaseException:
            self._abandon(sent.keys(), generation)
            raise
        refusals = [(message, "too large for it") for message in messages if not self._fits(message)]
        refusals += [(sent[mid], str(reason)) for mid, reason in reasons.items() if reason.value >= REFUSED_FROM]
        if refusals:
            (first, why), more = refusals[0], len(refusals) - 1
            also = f", and {more} more" if more else ""
            raise PublishRefused(f"the broker refused {first.topic}: {why}{also}", [message for message, _why in refusals])

    def _fits(self, message: Outgoing) -> bool:
        """Whether the broker takes packets of this size; it would cut the connection for a larger one."""
        return len(message.payload) + len(message.topic.encode()) + _PACKET_OVERHEAD_BYTES <= self._broker_takes_bytes

    def _send(self, message: Outgoing, generation: int) -> int:
        with self._sending:
            if not self._connected or generation != self._generation:
                raise NotConnected(f"no connection to the broker at {self._settings.host}:{self._settings.port}")
            info = self._client.publish(
                message.topic, message.payload, qos=QOS, retain=message.retain, properties=self._publish_properties(message)
            )
        if info.rc == MQTTErrorCode.MQTT_ERR_QUEUE_SIZE:
            raise NotConnected("too many messages wait for the broker")
        return info.mid

    def _await_acks(self, mids: KeysView[int], generation: int, deadline: float) -> dict[int, ReasonCode]:
        with self._changed:
            while True:
                if not self._connected or generation != self._generation:
                    raise NotConnected("the connection was lost before the broker acknowledged")
                if self._acks.keys() >= mids:
                    return {mid: self._acks.pop(mid) for mid in mids}
                if time.monotonic() >= deadline:
                    raise PublishTimedOut(f"no acknowledgement from the broker for {len(mids - self._acks.keys())} messages")
                self._changed.wait(max(0.0, min(1.0, deadline - time.monotonic())))

    def _abandon(self, mids: KeysView[int], generation: int) -> None:
        """Nobody waits for these acknowledgements any more. On a later connection the same numbers name other messages."""
        with self._changed:
            if generation == self._generation:
                self._abandoned |= mids - self._acks.keys()
                for mid in mids:
                    self._acks.pop(mid, None)

    # What paho calls, in its network thread.

    def _on_connect(
        self, client: mqtt.Client, _userdata: object, _flags: object, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._complain(f"the broker refuses us: {reason}")
            return
        with self._sending, self._changed:
            client.drop_out_messages()
            self._acks.clear()
            self._abandoned.clear()
            self._broker_takes_bytes = getattr(properties, "MaximumPacketSize", MAX_PACKET_BYTES)
            self._generation += 1
            self._connected = True
            self._changed.notify_all()
        self._complaint = ""
        self._log.info("connected")
        if self._filters:
            self._client.subscribe([(topic_filter, QOS) for topic_filter, _ in self._filters])
        self._tell(connected=True)

    def _on_connect_fail(self, _client: mqtt.Client, _userdata: object) -> None:
        self._complain("the broker cannot be reached")

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        with self._changed:
            was_connected, self._connected = self._connected, False
            self._changed.notify_all()
        if was_connected:
            self._log.info("disconnected", reason=str(reason))
            if str(reason) == _TAKEN_OVER:
                self._log.error("another process uses our name at the broker", next="give each instance its own INSTANCE")
            self._tell(connected=False)

    def _on_subscribe(
        self, _client: mqtt.Client, _userdata: object, _mid: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        for (topic_filter, _), reason in zip(self._filters, reasons, strict=False):
            if reason.is_failure:
                self._log.error("the broker refuses a subscription", filter=topic_filter, reason=str(reason))

    def _on_publish(self, _client: mqtt.Client, _userdata: object, mid: int, reason: ReasonCode, _properties: object) -> None:
        with self._changed:
            if mid in self._abandoned:
                self._abandoned.discard(mid)
                return
            self._acks[mid] = reason
            self._changed.notify_all()

    def _on_message(self, handle: Callable[[Delivery], None], message: mqtt.MQTTMessage) -> None:
        generation = self._generation
        delivery = Delivery(
            topic=message.topic,
            payload=bytes(message.payload),
            retained=message.retain,
            received_at=self._clock(),
            response_topic=getattr(message.properties, "ResponseTopic", None),
            correlation=getattr(message.properties, "CorrelationData", None),
            acknowledge=lambda: self._ack(message, generation),
        )
        try:
            handle(delivery)
        except Exception:  # noqa: BLE001  # a delivery that cannot be handled must not end the thread that keeps the connection
            self._log.exception("a delivery was not handled; the broker will send it again", topic=message.topic)

    def _ack(self, message: mqtt.MQTTMessage, generation: int) -> None:
        with self._sending:
            if generation == self._generation and self._connected:
                self._client.ack(message.mid, message.qos)

    def _tell(self, *, connected: bool) -> None:
        for listener in self._listeners:
            listener(connected)

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            self._log.error(complaint, next="trying again, with growing pauses")

    # How the connection is made.

    def _make_client(self, client_id: str) -> mqtt.Client:
        five = self._is_five
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=None if five else not self._persistent,
            protocol=mqtt.MQTTv5 if five else mqtt.MQTTv311,
            manual_ack=True,
        )
        if self._settings.username:
            client.username_pw_set(self._settings.username, self._settings.read_password())
        if self._settings.ca_file:
            client.tls_set_context(self._tls())
        client.max_queued_messages_set(MAX_WAITING)
        client.reconnect_delay_set(RECONNECT_FIRST_S, RECONNECT_MOST_S)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._route
        return client

    def _route(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        for topic_filter, handle in self._filters:
            if mqtt.topic_matches_sub(_unshared(topic_filter), message.topic):
                self._on_message(handle, message)
                return
        self._ack(message, self._generation)  # left over from an earlier subscription of a kept session

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._settings.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._settings.certificate_file:
            context.load_cert_chain(self._settings.certificate_file, self._settings.key_file)
        return context

    def _connect_properties(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        properties.SessionExpiryInterval = SESSION_EXPIRY_S if self._persistent else 0
        properties.ReceiveMaximum = self._receive_maximum
        properties.MaximumPacketSize = MAX_PACKET_BYTES
        return properties

    def _publish_properties(self, message: Outgoing) -> Properties | None:
        if not self._is_five or (message.response_topic is None and message.correlation is None):
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        if message.response_topic:
            properties.ResponseTopic = message.response_topic
        if message.correlation:
            properties.CorrelationData = message.correlation
        return properties

    @property
    def _is_five(self) -> bool:
        return self._settings.protocol == "5"


def _unshared(topic_filter: str) -> str:
    """The filter itself of `$share/GROUP/FILTER`: deliveries name the topic, never the group."""
    return topic_filter.split("/", 2)[2] if topic_filter.startswith("$share/") else topic_filter
