"""A bus without a broker: what is published can be looked at, what is delivered can be acknowledged or not."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from dotbus.runtime.mqtt.messages import Delivery, NotConnected, Outgoing, PublishRefused, owed_by
from dotbus.runtime.mqtt.topic_filters import TopicFilters


class FakeBus:
    """Has the methods of `dotbus.runtime.mqtt.bus.Bus`. Deliveries run in the caller's thread.

    Attributes:
        published: everything that was published, in order.
        acknowledged: topics of the deliveries that were acknowledged, in order.
        asked_for: filters in the order in which they were asked for, but for those that were taken back.
        refuse: raised by the next publish, when set.
        complaint: why there is no connection, as `why_away`; a test says it.
        refused_filters: topics that it does not let be heard, each with its reason; the same.
        forbidden: topics that it refuses, as a broker does by its access list; it takes what is published beside them.
    """

    def __init__(self) -> None:
        self.published: list[Outgoing] = []
        self.acknowledged: list[str] = []
        self.asked_for: list[str] = []
        self.refuse: Exception | None = None
        self.forbidden: set[str] = set()
        self.connected = False
        self.complaint = self.why_away = ""
        self.refused_filters: dict[str, str] = {}
        self._subscribers = TopicFilters[Callable[[Delivery], None]]()
        self._listeners: list[Callable[[bool], None]] = []
        self._namesake_listeners: list[Callable[[], None]] = []

    def subscribe(
        self,
        filters: Sequence[str],
        on_delivery: Callable[[Delivery], None],
        *,
        retained_as_published: bool = False,  # noqa: ARG002  # as the real bus
    ) -> None:
        """As the real bus."""
        self.asked_for += filters
        for topic_filter in filters:
            self._subscribers.add(topic_filter, on_delivery)

    def unsubscribe(self, filters: Sequence[str], on_delivery: Callable[[Delivery], None]) -> None:
        """As the real bus."""
        for topic_filter in filters:
            if self._subscribers.remove(topic_filter, on_delivery):
                self.asked_for.remove(topic_filter)

    def on_connection(self, listener: Callable[[bool], None]) -> None:
        """As the real bus."""
        self._listeners.append(listener)

    def on_namesake(self, listener: Callable[[], None]) -> None:
        """As the real bus."""
        self._namesake_listeners.append(listener)

    def find_namesake(self) -> None:
        """Have it look as if another process used our name at the broker."""
        for listener in self._namesake_listeners:
            listener()

    def start(self) -> None:
        """Connect at once."""
        self.turn(connected=True)

    def stop(self) -> None:
        """Disconnect."""
        self.connected = False

    def turn(self, *, connected: bool) -> None:
        """Let the connection come or go."""
        self.connected = connected
        for listener in self._listeners:
            listener(connected)

    def publish(self, messages: Sequence[Outgoing], timeout_s: float = 10.0) -> None:  # noqa: ARG002  # as the real bus
        """Keep the messages, or raise as told."""
        if not self.connected:
            raise NotConnected("the fake bus is not connected")
        if self.refuse:
            refusal, self.refuse = self.refuse, None
            raise refusal
        refused = [message for message in messages if message.topic in self.forbidden]
        self.published += [message for message in messages if message not in refused]
        if refused:
            raise PublishRefused(f"the fake bus refused {refused[0].topic}", refused)

    def ask_leave(self, topics: Sequence[str], timeout_s: float = 10.0) -> Mapping[str, str]:  # noqa: ARG002  # as the real bus
        """As the real bus: those that are forbidden."""
        if not self.connected:
            raise NotConnected("the fake bus is not connected")
        return dict.fromkeys(self.forbidden.intersection(topics), "Not authorized")

    def deliver(
        self,
        topic: str,
        payload: bytes,
        *,
        retained: bool = False,
        received_at: datetime = datetime(2026, 1, 1, tzinfo=UTC),
        response_topic: str | None = None,
        correlation: bytes | None = None,
    ) -> None:
        """Hand a message to whoever subscribed to it."""
        receivers = self._subscribers.of(topic)
        delivery = Delivery(
            topic,
            payload,
            retained,
            received_at,
            response_topic,
            correlation,
            receipt=b"taken",
            acknowledge=self.ack_all,
            owed=owed_by(len(receivers), b"taken"),
        )
        for handle in receivers:
            handle(delivery)

    def ack_all(self, deliveries: Sequence[Delivery]) -> None:
        """As the real bus."""
        self.acknowledged += [delivery.topic for delivery in deliveries if delivery.take_receipt()]
