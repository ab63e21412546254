"""An ingest without CAISO, and a historian beside the test: what goes from an outbox over a real broker into a database."""

import gc
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import patch

import msgspec

from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import Topics
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.outbox.courier import Courier
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity, Presence
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings
from dotbus.testing import samples
from historian.__main__ import run
from historian.settings import load_configuration

TOPICS = Topics()
INGEST = Identity("ads_ingest", "a", Environment.SIMULATOR, datetime(2026, 1, 1, tzinfo=UTC))


class Source:
    """Its outbox, its courier and its status."""

    def __init__(self, broker_port: int, folder: Path) -> None:
        self.outbox = Outbox(folder / "outbox.sqlite", max_age_s=3600, max_bytes=10**9)
        self._bus = Bus(BusSettings(port=broker_port), "source", clock=utc_now, will=INGEST.will(TOPICS))
        self._courier = Courier(self._bus, self.outbox, TOPICS, INGEST, clock=utc_now)
        self._presence = Presence(
            self._bus, TOPICS, INGEST, lambda now: INGEST.status(now, outbox=self.outbox.span()), clock=utc_now, every_s=0.2
        )

    @contextmanager
    def running(self) -> Iterator["Source"]:
        """It publishes, meanwhile."""
        self._bus.start()
        self._courier.start()
        self._presence.start()
        try:
            yield self
        finally:
            self._courier.stop()
            self._presence.stop()
            self._bus.stop()
            self.outbox.close()

    def say(self, first: int, last: int) -> None:
        """Commit dispatches numbered so; the courier publishes them."""
        for number in range(first, last + 1):
            batch = msgspec.structs.replace(samples.dispatch().batch, batch_uid=f"B{number}")
            changes = {"id": f"id-{number}", "seq": 0, "stream": "", "plant_seq": None, "batch": batch}
            event = msgspec.structs.replace(samples.dispatch(), **changes)
            self.outbox.commit(utc_now(), events=[(TOPICS.dispatch("sierra", "TEST_RESOURCE_1"), event)])
        self._courier.wake()


@contextmanager
def running_historian(environment: Mapping[str, str]) -> Iterator[None]:
    """A historian in a thread of this process."""
    with patch.dict(os.environ, environment):
        configuration = load_configuration()
    stop = threading.Event()
    collected_after = gc.get_threshold()
    thread = threading.Thread(target=run, args=(configuration, stop), name="historian")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        gc.unfreeze()  # a process of its own sets both for good
        gc.set_threshold(*collected_after)
