"""Volume: a source of many events beside CAISO's, with the outbox and courier of an ingest: `python -m chaos.volume`.

Event number n says what `dispatch_of(n)` says, so that whoever knows how many there were knows them all. It goes on where its
outbox says, as an ingest goes on from CAISO's cursor: after a restored copy the same events come again under another stream, as
fast as they can.
"""

import os
import sqlite3
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from prometheus_client import CollectorRegistry

from dotbus.contracts.messages import Dispatch, DispatchBatchHeader, Environment, Instruction
from dotbus.contracts.topics import Topics
from dotbus.runtime.ingest import Ingest
from dotbus.runtime.logs import configure_logs
from dotbus.runtime.presence import Identity
from dotbus.runtime.process import run_until_stopped
from dotbus.runtime.schedule import utc_now
from dotbus.runtime.settings.settings import BusSettings, KeepingSettings, ServiceSettings

SERVICE, PREFIX = "volume", "VOLUME-"
SOURCE = f"{SERVICE}/a"
RESOURCES = 7
CURSOR = "n"
TOGETHER, TOGETHER_AGAIN = 25, 250
TURN_EVERY_S = 0.5
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)


def uid_of(number: int) -> str:
    """The batch UID of an event, in their order."""
    return f"{PREFIX}{number:09d}"


def mw_of(number: int) -> float:
    """The DOT of an event."""
    return number * 7919 % 10_007 / 8


def dispatch_of(number: int, now: datetime) -> Dispatch:
    """An event, but for its place in the stream."""
    uid, resource_id = uid_of(number), f"VOLUME_{number % RESOURCES}"
    start_at = BEGIN + timedelta(seconds=number)
    return Dispatch(
        environment=Environment.SIMULATOR,
        source=SOURCE,
        time=now,
        id=uid,
        stream="",
        seq=0,
        plant=SERVICE,
        resource_id=resource_id,
        batch=DispatchBatchHeader(batch_uid=uid, batch_status=3, batch_type=0, start_at=start_at, revision_no=1),
        instructions=(
            Instruction(
                instruction_uid=f"{uid}-I0",
                batch_uid=uid,
                resource_id=resource_id,
                instruction_type=0,
                start_at=start_at + timedelta(seconds=150),
                dot_mw=mw_of(number),
            ),
        ),
    )


def told_in(folder: Path) -> int:
    """How many events were on the disk of the source at some time, at least."""
    file = folder / "told"
    return int(file.read_text()) if file.exists() else 0


class Volume:
    """Commits so many events a second until `pause` is there, and writes down how many were ever on the disk.

    Args:
        folder: of the outbox, with the files `pause` and `told`.
        rate: events a second.
    """

    def __init__(self, folder: Path, port: int, rate: float) -> None:
        identity = Identity(SERVICE, "a", Environment.SIMULATOR, utc_now())
        keeping = KeepingSettings(state_dir=folder / "state", outbox_max_age_days=1, outbox_max_mb=2000)
        self._topics = Topics()
        self._folder = folder
        self._pause_s = TOGETHER / rate
        self._told = told_in(folder)
        self._ingest = Ingest(
            identity,
            self._topics,
            BusSettings(port=port),
            keeping,
            CollectorRegistry(),
            upstreams=list,
            clock=utc_now,
        )

    def run(self, stop: threading.Event) -> None:
        """Go on until told to stop."""
        outbox = self._ingest.outbox
        number = int(outbox.cursors().get(CURSOR, "0"))
        turn_at = 0.0
        with self._ingest.serving(ServiceSettings(), lambda: False):
            while not stop.wait(0 if number < self._told else self._pause_s):
                if number < self._told:
                    number = self._say(number, TOGETHER_AGAIN)
                elif not (self._folder / "pause").exists():
                    number = self._say(number, TOGETHER)
                if time.monotonic() >= turn_at:
                    turn_at = time.monotonic() + TURN_EVERY_S
                    self._ingest.turned()

    def _say(self, number: int, count: int) -> int:
        now, last = utc_now(), number + count
        events = [dispatch_of(each, now) for each in range(number + 1, last + 1)]
        said = [(self._topics.dispatch(event.plant, event.resource_id), event) for event in events]
        try:
            self._ingest.outbox.commit(now, events=said, cursors={CURSOR: str(last)})
        except sqlite3.Error:  # the disk is full: the same again
            time.sleep(self._pause_s)
            return number
        self._ingest.courier.wake()
        self._note(last)
        return last

    def _note(self, last: int) -> None:
        self._told = max(self._told, last)
        new = self._folder / "told.new"
        try:
            new.write_text(str(self._told))
            new.replace(self._folder / "told")
        except OSError:
            return  # the disk is full: the next note tells of these, too


def main() -> int:
    """Settings from the environment."""
    folder, port = Path(os.environ["VOLUME_FOLDER"]), int(os.environ["VOLUME_PORT"])
    configure_logs(SERVICE, "a", "json", "info")
    return run_until_stopped(lambda stop: Volume(folder, port, float(os.environ["VOLUME_RATE"])).run(stop))


if __name__ == "__main__":
    sys.exit(main())
