"""Context: what the endpoints of one process share, and what all processes do."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import anyio

from dotbus.runtime.installation.installation import Installation
from historian.api.keys.keyring import Keyring
from historian.api.keys.ledger import Ledger
from historian.api.keys.limits import RateLimit, Streams
from historian.api.meters import Meters
from historian.api.pulse import Wires
from historian.api.reading import Reader
from historian.api.settings import ApiSettings
from historian.api.streaming import Streaming, session_dsn

LOOKUPS_PER_S: Final = 20.0
"""So often one address may say a key that is not remembered. Beyond it they are looked up one by one, and a wrong one is told
to wait: who tries keys is slowed down, and not only by their number."""


@dataclass
class Context:
    """What the endpoints of one process share.

    Attributes:
        clock: UTC now.
        ledger: what limits count by, which processes may share.
        monotonic: seconds that no clock change touches.
        lanes: so many questions are read at once.
        rate: of each caller.
        lookups: of each address, of keys that are not remembered.
        one_by_one: for those of an address that says too many of them.
        streams: that are being read.
        streaming: the database as streams read it.
        writers: so many threads write streams.
        known_nodes: names that are known to be nodes; a node stays one.
    """

    settings: ApiSettings
    installation: Installation
    reader: Reader
    meters: Meters
    clock: Callable[[], datetime]
    ledger: Ledger
    monotonic: Callable[[], float] = time.monotonic
    known_nodes: set[str] = field(default_factory=set)
    keyring: Keyring = field(init=False)
    lanes: anyio.CapacityLimiter = field(init=False)
    rate: RateLimit = field(init=False)
    lookups: RateLimit = field(init=False)
    one_by_one: anyio.CapacityLimiter = field(init=False)
    streams: Streams = field(init=False)
    streaming: Streaming = field(init=False)
    writers: anyio.CapacityLimiter = field(init=False)

    def __post_init__(self) -> None:
        self.keyring = Keyring(self.reader)
        self.lanes = anyio.CapacityLimiter(self.settings.connections)
        self.rate = RateLimit(self.ledger, "questions", self.settings.requests_per_s)
        self.lookups = RateLimit(self.ledger, "lookups", LOOKUPS_PER_S)
        self.one_by_one = anyio.CapacityLimiter(1)
        self.streams = Streams(self.ledger, self.settings.streams_each, self.settings.streams)
        self.streaming = open_streaming(self.settings, self.reader.wires)
        self.writers = anyio.CapacityLimiter(self.settings.streams)


def open_streaming(settings: ApiSettings, wires: Wires) -> Streaming:
    """The configured database as streams read it; nothing is connected yet."""
    address, password = settings.database_url.get_secret_value(), settings.read_database_password()
    dsn = session_dsn(address, settings.database_schema, password=password, timeout_s=settings.stream_timeout_s)
    return Streaming(dsn, wires)
