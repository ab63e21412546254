"""The bus: paho-mqtt behind what dotbus promises. Only this and `mqtt_client` import paho.

- A publish that the broker refuses raises: MQTT 5 says so in the PUBACK's reason, which paho alone reports as success.
- Deliveries are acknowledged by whoever has them safe, never by arriving. An acknowledgement belongs to the connection that
  delivered: after a reconnect the broker sends again what was not acknowledged, and an old number could then name another
  message, so late acknowledgements are dropped.
- What was on its way when a connection was lost is the publisher's again, who was told so. paho would send it once more on the
  next connection, after what the publisher said there meanwhile: an old state would replace a newer one.
- Whoever asked for a topic is given what comes on it, whoever else asked for it, by the same filter or by another one.
- It connects and reconnects for ever, with a growing pause.

MQTT 3.1.1 is for the embedded broker of the demonstration: there a forbidden publish looks like an accepted one.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import cast

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.client import BusClient, reason_of
from dotbus.runtime.mqtt.messages import Delivery, NotConnected, Outgoing, PublishRefused, owed_by
from dotbus.runtime.mqtt.packets import QOS_2, Publish, encode_properties, encode_publish
from dotbus.runtime.mqtt.publishing import Pair, Publishing
from dotbus.runtime.mqtt.topic_filters import TopicFilters
from dotbus.runtime.settings.settings import BusSettings

QOS = 1
MAX_PACKET_BYTES = 64 * 1024 * 1024
RECONNECT_FIRST_S, RECONNECT_MOST_S = 1, 30
TOPICS_REMEMBERED = 10_000
LONGEST_REMEMBERED = 200
"""Of topics. One may have 65,535 bytes, so as many of those would be half a gigabyte."""
_MOST_UNANSWERED = 65535  # what a broker takes that says nothing of it: MQTT 5, section 3.2.2.3.3
_TAKEN_OVER = "Session taken over"
_SAYS_NOTHING = "Unspecified error"
"""paho's word for a connection that ended without one."""
DROPPED_SOON_S, DROPPED_OFTEN = 15.0, 3
"""A connection that ends so soon, so many times one after the other, was not lost by chance."""


class Bus:
    """One connection to the broker, kept up by its own thread. Every method may be called from any thread.

    Args:
        settings: where the broker is and who we are.
        client_id: unique at the broker; the name of our session there.
        clock: the time that deliveries are stamped with.
        will: what the broker publishes, when we vanish.
        session_s: so long the broker keeps what comes while we are away; 0: not at all. With MQTT 3.1.1 it has no end.
        receive_maximum: how many unacknowledged deliveries the broker may send us at once.
    """

    def __init__(
        self,
        settings: BusSettings,
        client_id: str,
        *,
        clock: Callable[[], datetime],
        will: Outgoing | None = None,
        session_s: int = 0,
        receive_maximum: int = 100,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._session_s = session_s
        self._receive_maximum = receive_maximum
        self._filters: dict[str, bool] = {}
        self._asked_for: dict[int, tuple[str, ...]] = {}
        self._refused_filters: dict[str, str] = {}
        self._subscribers = TopicFilters[Callable[[Delivery], None]]()
        self._by_topic: dict[str, tuple[Callable[[Delivery], None], ...]] = {}
        self._listeners: list[Callable[[bool], None]] = []
        self._namesake_listeners: list[Callable[[], None]] = []
        self._changed = threading.Condition()  # what is sent belongs to one connection
        self._broker_takes_bytes = MAX_PACKET_BYTES
        self._generation = 0
        self._connected = False
        self._complaint, self._was_refused = "", False
        self._connected_at_s, self._dropped_soon = 0.0, 0
        self._log = get_logger("bus").bind(broker=f"{settings.host}:{settings.port}", client_id=client_id)
        self._client = self._make_client(client_id)
        self._publishing = Publishing(self._changed, self._client.send, self._client.next_number)
        self._client.on_answers = self._publishing.answered
        if will:
            self._client.will_set(will.topic, will.payload, qos=QOS, retain=will.retain)

    @property
    def connected(self) -> bool:
        """Whether the broker has accepted us and the connection stands."""
        return self._connected

    @property
    def complaint(self) -> str:
        """What was wrong when we last tried to connect, with the broker's place, as a line for people; else empty."""
        return self._complaint

    @property
    def refused_filters(self) -> Mapping[str, str]:
        """The topics that the broker does not let us hear on this connection, each with its reason."""
        with self._changed:
            return dict(self._refused_filters)

    @property
    def why_away(self) -> str:
        """The same, also while it is not known yet: a broker of another protocol may take what we say and never answer."""
        return self._complaint or f"{self._place} has not answered yet: {self._spoken_there}"

    def subscribe(
        self, filters: Sequence[str], on_delivery: Callable[[Delivery], None], *, retained_as_published: bool = False
    ) -> None:
        """Ask for topics, now and after each reconnect. The broker says once more what is retained on one that was asked for.

        With `retained_as_published` a delivery says that it is retained when it was published so, also while we listen; a
        broker of MQTT 3.1.1 knows nothing of it.

        `on_delivery` runs in the network thread: while it blocks nothing more is read, which is how a full queue slows the
        broker. It must not publish. Whoever takes the delivery calls its `ack` once it is safe, or `ack_all` for many: each of
        those who are given it, once. A broker may send one message for each filter that matches it; it is then given as often.
        """
        with self._changed:
            for topic_filter in filters:
                self._subscribers.add(topic_filter, on_delivery)
                self._filters.pop(topic_filter, None)  # after a reconnect they are asked for in the order of the last call
                self._filters[topic_filter] = retained_as_published
            self._by_topic = {}
            if self._connected:
                self._ask_for(filters)

    def unsubscribe(self, filters: Sequence[str], on_delivery: Callable[[Delivery], None]) -> None:
        """Ask for topics no more, but for others who do. What the broker sends until it hears of that is passed over."""
        with self._changed:
            nobodys = [topic_filter for topic_filter in filters if self._subscribers.remove(topic_filter, on_delivery)]
            for topic_filter in nobodys:
                self._filters.pop(topic_filter, None)
            self._by_topic = {}
            if self._connected and nobodys:
                self._client.unsubscribe(nobodys)

    def on_connection(self, listener: Callable[[bool], None]) -> None:
        """Be told, in the network thread, that the connection stands (True) or is lost (False)."""
        self._listeners.append(listener)

    def on_namesake(self, listener: Callable[[], None]) -> None:
        """Be told, in the network thread, that another process uses our name at the broker, or that it looks so."""
        self._namesake_listeners.append(listener)

    def start(self) -> None:
        """Begin to connect. Returns at once; a broker that is not there yet is waited for."""
        self._client.connect_async(
            self._settings.host,
            self._settings.port,
            keepalive=self._settings.keepalive_s,
            clean_start=not self._session_s if self._is_five else mqtt.MQTT_CLEAN_START_FIRST_ONLY,
            properties=self._connect_properties() if self._is_five else None,
        )
        self._client.loop_start()

    def stop(self) -> None:
        """Disconnect in order: the broker does not publish the will."""
        self._client.disconnect()
        self._client.loop_stop()
        if self._client.socket() is not None:  # the network thread was just connecting, and ended with the connection open
            self._client.disconnect()
        self._client.close()

    def publish(self, messages: Sequence[Outgoing], timeout_s: float = 10.0) -> None:
        """Publish messages in their order and wait until the broker has acknowledged each.

        After NotConnected or PublishTimedOut it is not known which of them the broker has; nothing sends them again by itself.

        Raises:
            NotConnected: the connection is not there or went before the last acknowledgement.
            PublishRefused: the broker refused some of them; it has the others.
            PublishTimedOut: an acknowledgement is missing after `timeout_s`.
        """
        if not self._connected:
            raise NotConnected(f"no connection to the broker at {self._settings.host}:{self._settings.port}")
        pairs = [self._encoded(message) for message in messages]
        most = self._broker_takes_bytes
        refusals = [(message, "too large for it") for message, encoded in pairs if encoded.size > most]
        refused = self._publishing.publish([pair for pair in pairs if pair[1].size <= most] if refusals else pairs, timeout_s)
        refusals += [(message, reason_of(code)) for message, code in refused]
        if refusals:
            (first, why), more = refusals[0], len(refusals) - 1
            also = f", and {more} more" if more else ""
            raise PublishRefused(f"the broker refused {first.topic}: {why}{also}", [message for message, _why in refusals])

    def ask_leave(self, topics: Sequence[str], timeout_s: float = 10.0) -> Mapping[str, str]:
        """Ask the broker whether we may publish on topics, without a word to anybody there.

        Each is asked by the first half of a publish of QoS 2, whose second half never comes: a broker that waits for it, as
        Mosquitto does, tells nobody of the message and forgets it when we go. Others may pass it on at once (MQTT 5, section
        4.3.3); so it is empty and not retained. The bus is not to be used for anything else afterwards but listening.

        Returns those that are refused, each with the broker's reason. With MQTT 3.1.1 there is none: it knows no refusals.

        Raises:
            NotConnected: the connection is not there or went before the last answer.
            PublishTimedOut: an answer is missing after `timeout_s`.
        """
        if not self._connected:
            raise NotConnected(f"no connection to {self._place}")
        asked = [Outgoing(topic, b"") for topic in topics]
        properties = encode_properties(None, None) if self._is_five else b""
        halves = [(one, encode_publish(one.topic, b"", properties, retain=False, qos=QOS_2)) for one in asked]
        return {message.topic: reason_of(code) for message, code in self._publishing.publish(halves, timeout_s)}

    def ack_all(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the broker, in one go, that messages are safe with us. Passes over those whose connection is gone.

        Give them in the order in which they came.
        """
        connection = self._generation
        receipts = b"".join([delivery.take_receipt() for delivery in deliveries if delivery.connection == connection])
        with self._changed:
            if receipts and self._connected and connection == self._generation:
                self._client.send(receipts)

    def _encoded(self, message: Outgoing) -> Pair:
        properties = encode_properties(message.response_topic, message.correlation) if self._is_five else b""
        return message, encode_publish(message.topic, message.payload, properties, retain=message.retain)

    # What the client calls, in the network thread.

    def _on_connect(
        self, _client: mqtt.Client, _userdata: object, _flags: object, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            self._was_refused = True
            self._complain(f"refuses us: {self._why_refused(reason)}")
            return
        with self._changed:
            self._asked_for.clear()
            self._refused_filters.clear()
            self._ask_for(list(self._filters))  # before anybody can publish: whoever is answered is known to be listening, too
            self._broker_takes_bytes = getattr(properties, "MaximumPacketSize", MAX_PACKET_BYTES)
            self._generation += 1
            self._connected = True
            self._publishing.begin(getattr(properties, "ReceiveMaximum", _MOST_UNANSWERED))
        self._complaint, self._connected_at_s = "", time.monotonic()
        self._log.info("connected")
        self._tell(connected=True)

    def _ask_for(self, filters: Sequence[str]) -> None:
        """Send a subscription, with the lock held: the answer to it names filters by their place."""
        if not filters:
            return
        asked: list[tuple[str, int]] | list[tuple[str, SubscribeOptions]] = [(each, QOS) for each in filters]
        if self._is_five:
            asked = [(each, SubscribeOptions(qos=QOS, retainAsPublished=self._filters[each])) for each in filters]
        _result, number = self._client.subscribe(asked)
        if number is not None:
            self._asked_for[number] = tuple(filters)

    def _on_connect_fail(self, _client: mqtt.Client, _userdata: object) -> None:
        self._complain(f"cannot be reached: {self._client.not_reached}")

    def _on_disconnect(
        self, _client: mqtt.Client, _userdata: object, _flags: object, reason: ReasonCode, _properties: object
    ) -> None:
        refused, self._was_refused = self._was_refused, False
        if reason.is_failure and not self._connected and not refused:
            why = (
                "ends the connection before it lets us in" if str(reason) == _SAYS_NOTHING else f"does not let us in ({reason})"
            )
            self._complain(f"{why}: {self._spoken_there}")
        self._end_connection("lost" if str(reason) == _SAYS_NOTHING else str(reason))

    def _end_connection(self, reason: str = "lost") -> None:
        with self._changed:
            was_connected, self._connected = self._connected, False
            self._publishing.end()
        if was_connected:
            self._log.info("disconnected", reason=reason)
            self._look_for_a_namesake(reason)
            self._tell(connected=False)

    def _look_for_a_namesake(self, reason: str) -> None:
        """A broker lets one of two in at a time. Not each says so, as it should by MQTT 5."""
        own = "give each instance its own INSTANCE"
        if reason == _TAKEN_OVER:
            self._log.error("another process uses our name at the broker", next=own)
            self._tell_of_a_namesake()
            return
        lasted_s = time.monotonic() - self._connected_at_s
        self._dropped_soon = self._dropped_soon + 1 if lasted_s < DROPPED_SOON_S else 0
        if self._dropped_soon and self._dropped_soon % DROPPED_OFTEN == 0:
            look = f"look into its log; if another process uses our name there, {own}"
            self._log.error("the broker lets us in and drops us, again and again", times=self._dropped_soon, next=look)
            self._tell_of_a_namesake()

    def _tell_of_a_namesake(self) -> None:
        for listener in self._namesake_listeners:
            listener()

    def _on_subscribe(
        self, _client: mqtt.Client, _userdata: object, number: int, reasons: list[ReasonCode], _properties: object
    ) -> None:
        with self._changed:
            filters = self._asked_for.pop(number, ())
        for topic_filter, reason in zip(filters, reasons, strict=False):
            if reason.is_failure:
                with self._changed:
                    self._refused_filters[topic_filter] = str(reason)
                self._log.error("the broker refuses a subscription", filter=topic_filter, reason=str(reason))

    def _deliver(self, messages: Sequence[Publish]) -> None:
        received_at, connection, acknowledge = self._clock(), self._generation, self.ack_all
        for message in messages:
            receivers = self._by_topic.get(message.topic) or self._find_subscribers(message.topic)
            delivery = Delivery(
                message.topic,
                message.payload,
                message.retained,
                received_at,
                message.response_topic,
                message.correlation,
                message.receipt,
                connection,
                acknowledge,
                owed_by(len(receivers), message.receipt),
            )
            for handle in receivers:
                try:
                    handle(delivery)
                except Exception:  # noqa: BLE001  # it must end neither the thread that keeps the connection nor the others' turn
                    self._log.exception("a delivery was not handled; the broker will send it again", topic=message.topic)

    def _find_subscribers(self, topic: str) -> tuple[Callable[[Delivery], None], ...]:
        with self._changed:
            # What nobody asks for is left over from an earlier subscription of a kept session, or was on its way.
            receivers = self._subscribers.of(topic) or (Delivery.ack,)
            if len(topic) <= LONGEST_REMEMBERED:
                if len(self._by_topic) >= TOPICS_REMEMBERED:
                    self._by_topic.clear()
                self._by_topic[topic] = receivers
        return receivers

    def _tell(self, *, connected: bool) -> None:
        for listener in self._listeners:
            listener(connected)

    def _why_refused(self, reason: ReasonCode) -> str:
        return self._spoken_there if str(reason) in {_SAYS_NOTHING, "Unsupported protocol version"} else str(reason)

    @property
    def _place(self) -> str:
        return f"the broker at {self._settings.host}:{self._settings.port}"

    @property
    def _spoken_there(self) -> str:
        tls = "with" if self._settings.ca_file else "without"
        return f"see that MQTT {self._settings.protocol} {tls} TLS is spoken there"

    def _complain(self, why: str) -> None:
        complaint = f"{self._place} {why}"
        if complaint != self._complaint:
            self._complaint = complaint
            self._log.error(complaint, next="trying again, with growing pauses")

    # How the connection is made.

    def _make_client(self, client_id: str) -> BusClient:
        client = BusClient(client_id, five=self._is_five, persistent=self._session_s > 0)
        if self._settings.username:
            client.username_pw_set(self._settings.username, self._settings.read_password())
        if self._settings.ca_file:
            client.tls_set_context(self._tls())
        client.reconnect_delay_set(RECONNECT_FIRST_S, RECONNECT_MOST_S)
        client.on_connect = self._on_connect
        client.on_connect_fail = self._on_connect_fail
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_messages = self._deliver
        client.on_lost = self._end_connection
        client.on_socket_open = lambda _client, _userdata, opened: _without_delay(cast("socket.socket", opened))
        return client

    def _tls(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self._settings.ca_file))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._settings.certificate_file:
            context.load_cert_chain(self._settings.certificate_file, self._settings.key_file)
        return context

    def _connect_properties(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        properties.SessionExpiryInterval = self._session_s
        properties.ReceiveMaximum = self._receive_maximum
        properties.MaximumPacketSize = MAX_PACKET_BYTES
        return properties

    @property
    def _is_five(self) -> bool:
        return self._settings.protocol == "5"


def _without_delay(opened: socket.socket) -> None:
    """The end of what we say goes at once, not when the broker has confirmed what was before it, which may take it 40 ms."""
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
