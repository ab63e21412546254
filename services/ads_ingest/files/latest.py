"""Files for SCADA packages that read files: the latest batch, the latest trajectory, and the DOT in force of each resource.

This project's predecessors left the same three. Beside the stream, never in its way: a file that cannot be written is told once
and tried again with the next.
"""

import csv
import io
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from ads_ingest.files.archive import Archive, DocumentKind, write_durably
from caiso.ads import NotADocument, parse_saved
from caiso.ads.records import DispatchBatch, TrajectoryBatchList
from dotbus.contracts.codec import UndecodableMessage, decode_as
from dotbus.contracts.messages import Dot, DotInterval, Upstream
from dotbus.contracts.quality import CLOCK_DOUBT_S, Quality, Reason, read_reasons
from dotbus.contracts.schedules import Schedule, in_force, of_schedule
from dotbus.contracts.topics import Subject
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.settings.values import MB

DISPATCH_FILE: Final = "dispatch-batch.xml"
TRAJECTORY_FILE: Final = "trajectory.xml"
DOTS_FILE: Final = "dot.csv"
LATEST_MOST_BYTES: Final = 512 * MB
DOT_MOST_MW: Final = 3.4028234663852886e38
"""What a float32 holds: more is no value in a gateway's registers, nor in what SCADA makes of the file."""
LOOK_EVERY_S: Final = 1.0
"""How soon the file of DOTs follows the time."""
_OF_DOT: Final = f"/{Subject.DOT}"
COLUMNS: Final = (
    "resource_id",
    "dot_mw",
    "supp_mw",
    "interval_start",
    "target_at",
    "interval_end",
    "batch_uid",
    "heard_at",
    "quality",
    "revision",
    "reasons",
    "valid_until",
)


class LatestFile:
    """One file that is replaced as a whole and told of when it cannot be.

    Args:
        path: its folder is made on first use.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._complaint = ""
        self._log = get_logger("files")

    def replace(self, content: bytes) -> bool:
        """Put this in its place. Returns whether that went."""
        try:
            write_durably(self._path, content)
        except OSError as error:
            complaint = f"{self._path}: {error.strerror}"
            if complaint != self._complaint:
                self._log.warning("a latest file was not written", cause=complaint)
            self._complaint = complaint
            return False
        self._complaint = ""
        return True


class DocumentFiles:
    """What CAISO's documents become on disk: the latest of each kind, and all of them in the archive.

    Args:
        folder: of the latest ones.
        archive: of all.
    """

    def __init__(self, folder: Path, archive: Archive) -> None:
        self._dispatch = LatestFile(folder / DISPATCH_FILE)
        self._trajectory = LatestFile(folder / TRAJECTORY_FILE)
        self._archive = archive
        self._newest_at = _received_at(folder / DISPATCH_FILE)

    def note_dispatch(self, document: DispatchBatch, now: datetime) -> None:
        """A batch was kept: replace its file, unless a newer one is there."""
        self._archive.keep(DocumentKind.DISPATCH, document.header.batch_uid, document.xml, now)
        received_at = document.header.batch_received_at
        if received_at is None or self._newest_at is None or received_at >= self._newest_at:
            self._newest_at = received_at or self._newest_at
            self._dispatch.replace(document.xml)

    def note_trajectory(self, listed: TrajectoryBatchList, now: datetime) -> None:
        """Trajectory batches were kept."""
        self._archive.keep(DocumentKind.TRAJECTORY, listed.batches[-1].header.batch_uid, listed.xml, now)
        self._trajectory.replace(listed.xml)


def _received_at(file: Path) -> datetime | None:
    """When ADS received the batch in a file of before; None without one."""
    try:
        saved = parse_saved(file.read_bytes(), LATEST_MOST_BYTES)
    except (OSError, NotADocument):
        return None
    return saved.dispatches[0].header.batch_received_at if saved.dispatches else None


class DotFile:
    """The DOT in force of each resource, with its quality, as a subscriber to the states would judge it here and now.

    It is written when what it says changes: a new state, the end of an interval, a state that grows stale. Whoever reads a file
    cannot know whether its writer lives, so each line says until when it counts.

    Args:
        path: the file.
        outbox: whose states it shows.
        installation: names the resources, and how old a state may be.
        upstream: how CAISO is heard; None before anything is known.
    """

    def __init__(self, path: Path, outbox: Outbox, installation: Installation, upstream: Callable[[], Upstream | None]) -> None:
        self._file = LatestFile(path)
        self._outbox = outbox
        self._upstream = upstream
        self._stale_after = timedelta(seconds=installation.modbus.stale_after_s)
        self._schedules = {resource.id: resource.schedule for plant in installation.plants for resource in plant.resources}
        self._revisions: Mapping[str, int] = {}
        self._by_topic: dict[str, Dot | None] = {}
        self._states: Mapping[str, Dot] = {}
        self._version: int | None = None
        self._written = b""
        self._log = get_logger("files")

    def run(self, stop: threading.Event, clock: Callable[[], datetime]) -> None:
        """Follow the time until told to stop; then every line says that its source is offline."""
        is_well = True
        while True:
            stopping = stop.wait(LOOK_EVERY_S)
            try:
                self.write(clock(), *([Reason.SOURCE_OFFLINE] if stopping else []))
                is_well = True
            except Exception:  # noqa: BLE001  # the file is beside the stream, and the next second may be better
                if is_well:
                    self._log.exception("the file of DOTs was not written")
                is_well = False
            if stopping:
                return

    def write(self, now: datetime, *reasons: Reason) -> None:
        """Write the file if it says something else now. `reasons` speak against every line."""
        version = self._outbox.states_version
        if version != self._version:
            self._take_changed()
            self._version = version
        of_upstream = tuple(_against_upstream(self._upstream()))  # once: it is asked of the streams of every account
        resources = sorted({*self._states, *self._schedules})
        content = _csv(self._line(resource_id, now, reasons, of_upstream) for resource_id in resources)
        if content != self._written and self._file.replace(content):
            self._written = content

    def _take_changed(self) -> None:
        """Read the states that were replaced or retracted since, and no others: of a thousand a round changes few."""
        revisions = self._outbox.state_revisions()
        dots = (topic for topic in revisions if topic.endswith(_OF_DOT))
        changed = [topic for topic in dots if revisions[topic] != self._revisions.get(topic)]
        payloads = self._outbox.state_payloads(changed)
        self._by_topic |= {topic: _dot(payload) for topic, payload in payloads.items()}
        self._states = {state.resource_id: state for state in self._by_topic.values() if state}
        self._revisions = revisions

    def _line(
        self, resource_id: str, now: datetime, reasons: Sequence[Reason], of_upstream: Sequence[Reason]
    ) -> Sequence[object]:
        state = self._states.get(resource_id)
        if state is None:
            quality = Quality.of([Reason.NEVER_RECEIVED, *reasons])
            return (resource_id, *[None] * 7, int(quality.level), None, _names(quality), None)
        schedule = self._schedules.get(resource_id, Schedule.FIVE_MINUTE)
        dot = in_force(of_schedule(state.intervals, schedule), now)
        quality = Quality.of([*self._against(state, dot, now), *of_upstream, *reasons])
        at = (dot.interval_start, dot.target_at, dot.interval_end, dot.batch_uid) if dot else (None,) * 4
        said = (dot.dot_mw, dot.supp_mw) if dot else (None, None)
        revision = dot.revision_no if dot else None
        return (resource_id, *said, *at, state.heard_at, int(quality.level), revision, _names(quality), state.valid_until)

    def _against(self, state: Dot, dot: DotInterval | None, now: datetime) -> Iterable[Reason]:
        """The rule of docs/quality.md, for a reader that is where the source is."""
        yield from read_reasons((*state.reasons, *(dot.reasons if dot else ())))
        if dot is None:
            yield Reason.EXPIRED
        elif abs(dot.dot_mw) > DOT_MOST_MW or not dot.interval_start <= dot.target_at <= dot.interval_end:
            yield Reason.INVALID
        if abs(now - state.heard_at) > self._stale_after or (state.valid_until is not None and now > state.valid_until):
            yield Reason.STALE


def _against_upstream(upstream: Upstream | None) -> Iterator[Reason]:
    if upstream is None or not upstream.ok:
        yield Reason.SOURCE_FAILING
    if upstream is None or upstream.clock_offset_s is None or abs(upstream.clock_offset_s) > CLOCK_DOUBT_S:
        yield Reason.CLOCK_IN_DOUBT


@contextmanager
def following_time(file: DotFile, clock: Callable[[], datetime]) -> Iterator[None]:
    """Keep a file of DOTs up to the time, meanwhile: also while a question to CAISO takes long."""
    stop = threading.Event()
    thread = threading.Thread(target=file.run, args=(stop, clock), name="dot-file", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _dot(payload: bytes) -> Dot | None:
    """A state; None of one that was retracted, or is of another version of this software and soon replaced."""
    try:
        return decode_as(payload, Dot)
    except UndecodableMessage:
        return None


def _csv(lines: Iterable[Sequence[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for line in lines:
        writer.writerow([_iso(value) if isinstance(value, datetime) else value for value in line])
    return text.getvalue().encode()


def _names(quality: Quality) -> str:
    return " ".join(reason.value for reason in quality.reasons)


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
