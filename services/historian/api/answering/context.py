"""Context: what the endpoints of one process share."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import anyio

from dotbus.runtime.installation.installation import Installation
from historian.api.keys.keyring import Keyring
from historian.api.keys.limits import RateLimit, Streams
from historian.api.meters import Meters
from historian.api.reading import Reader
from historian.api.settings import ApiSettings
from historian.api.streaming import Streaming, session_dsn

LOOKUPS_PER_S: Final = 20.0
"""So often one address may say a key that is not remembered: who tries keys is slowed down, and not only by their number."""


@dataclass
class Context:
    """What the endpoints of one process share.

    Attributes:
        clock: UTC now.
        monotonic: seconds that no clock change touches.
        lanes: so many questions are read at once.
        rate: of each caller.
        lookups: of each address, of keys that are not remembered.
        streams: that are being read.
        streaming: the database as streams read it.
        writers: threads that write streams.
        known_nodes: names that are known to be nodes; a node stays one.
    """

    settings: ApiSettings
    installation: Installation
    reader: Reader
    meters: Meters
    clock: Callable[[], datetime]
    monotonic: Callable[[], float] = time.monotonic
    known_nodes: set[str] = field(default_factory=set)
    keyring: Keyring = field(init=False)
    lanes: anyio.CapacityLimiter = field(init=False)
    rate: RateLimit = field(init=False)
    lookups: RateLimit = field(init=False)
    streams: Streams = field(init=False)
    streaming: Streaming = field(init=False)
    writers: Executor = field(init=False)

    def __post_init__(self) -> None:
        self.keyring = Keyring(self.reader)
        self.lanes = anyio.CapacityLimiter(self.settings.connections)
        self.rate = RateLimit(self.settings.requests_per_s)
        self.lookups = RateLimit(LOOKUPS_PER_S)
        self.streams = Streams(self.settings.streams_each, self.settings.streams)
        self.streaming = open_streaming(self.settings)
        self.writers = ThreadPoolExecutor(self.settings.streams, "stream")


def open_streaming(settings: ApiSettings) -> Streaming:
    """The configured database as streams read it; nothing is connected yet."""
    address, password = settings.database_url.get_secret_value(), settings.read_database_password()
    return Streaming(session_dsn(address, settings.database_schema, password=password, timeout_s=settings.stream_timeout_s))
