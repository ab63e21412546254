"""Files: the latest batch, trajectory and DOTs on disk, for SCADA packages that read files.

This project's predecessors left the same three. Beside the stream, never in its way: a file that cannot be written is logged
once and left.
"""

import csv
import io
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ads_ingest.books import DotBook
from caiso.ads.records import DispatchBatch, TrajectoryBatchList
from dotbus.runtime.logs import get_logger

DISPATCH_FILE = "dispatch-batch.xml"
TRAJECTORY_FILE = "trajectory.xml"
DOTS_FILE = "dot.csv"
_COLUMNS = (
    "resource_id",
    "dot_mw",
    "supp_mw",
    "interval_start",
    "target_at",
    "interval_end",
    "batch_uid",
)


class LatestFiles:
    """Three files in a folder, each replaced as a whole: a reader sees the old one or the new one.

    Args:
        folder: made on first use.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._newest_at: datetime | None = None
        self._complaint = ""
        self._log = get_logger("files")

    def note_dispatch(self, document: DispatchBatch, books: Mapping[str, DotBook]) -> None:
        """A batch was kept: replace its file, unless a newer one is there, and the DOTs."""
        received_at = document.header.batch_received_at
        if received_at is None or self._newest_at is None or received_at >= self._newest_at:
            self._newest_at = received_at or self._newest_at
            self._replace(DISPATCH_FILE, document.xml)
        self._replace(DOTS_FILE, dots_csv(books))

    def note_trajectory(self, listed: TrajectoryBatchList) -> None:
        """Trajectory batches were kept."""
        self._replace(TRAJECTORY_FILE, listed.xml)

    def _replace(self, name: str, content: bytes) -> None:
        unfinished = self._folder / f".{name}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(content)
            unfinished.replace(self._folder / name)
        except OSError as error:
            self._complain(f"{name}: {error.strerror}")
        else:
            self._complaint = ""

    def _complain(self, complaint: str) -> None:
        if complaint != self._complaint:
            self._complaint = complaint
            self._log.warning("a latest file was not written", cause=complaint)


def dots_csv(books: Mapping[str, DotBook]) -> bytes:
    """The newest DOT of each resource: the one whose interval begins last."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for resource_id, book in sorted(books.items()):
        if book.intervals:
            dot = book.intervals[-1]
            times = (_iso(at) for at in (dot.interval_start, dot.target_at, dot.interval_end))
            supp_mw = "" if dot.supp_mw is None else dot.supp_mw
            writer.writerow((resource_id, dot.dot_mw, supp_mw, *times, dot.batch_uid))
    return text.getvalue().encode()


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
