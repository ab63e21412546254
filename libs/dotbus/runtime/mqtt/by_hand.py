"""By hand: the connection of a command, beside that of the running service, which a second one of its name would end."""

import secrets
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.runtime.settings.settings import BusSettings

CONNECT_WITHIN_S: Final = 10.0


class NotReached(Exception):
    """The broker is not there in time, or refuses us; the message says which."""


@contextmanager
def connected(
    settings: BusSettings, command: str, heard: Mapping[str, Callable[[Delivery], None]], clock: Callable[[], datetime]
) -> Iterator[Bus]:
    """A connection while a command runs. What comes is acknowledged at once: nobody else waits for it.

    Args:
        settings: where the broker is and who asks.
        command: begins the name of the connection.
        heard: by topic or filter, whom to tell what comes on it.
        clock: the wall clock.

    Raises:
        NotReached: there is no connection.
    """
    bus, up = Bus(settings, f"{command}-by-hand-{secrets.token_hex(6)}", clock=clock), threading.Event()

    for topic_filter, handle in heard.items():
        bus.subscribe([topic_filter], _acknowledging(handle))
    bus.on_connection(lambda stands: up.set() if stands else None)
    bus.start()
    try:
        if not up.wait(CONNECT_WITHIN_S):
            raise NotReached(bus.why_away)
        yield bus
    finally:
        bus.stop()


def _acknowledging(handle: Callable[[Delivery], None]) -> Callable[[Delivery], None]:
    def take(delivery: Delivery) -> None:
        delivery.ack()
        handle(delivery)

    return take
