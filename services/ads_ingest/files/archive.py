"""Archive: every document of CAISO's as it came, unpacked, for whoever asks later what was said: `decode` and `replay` read it.

One file for each dispatch batch or list of trajectory batches that was fetched, in a folder for each day (UTC), named for when
it came: `2026-03-01/20260301T120003.250000Z-dispatch-BATCHUID.xml.gz`. The oldest go first when they are too old or too much.
"""

import gzip
import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from dotbus.runtime.logs import get_logger

COMPRESSION: Final = 3
_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
_FILE: Final = re.compile(r"(?P<stamp>\d{8}T\d{6}\.\d{6}Z)-(?P<kind>dispatch|trajectory)-(?P<uid>.*)\.xml\.gz")
_NOT_IN_A_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
_UID_CHARACTERS: Final = 80


class DocumentKind(StrEnum):
    """What a document is."""

    DISPATCH = "dispatch"
    TRAJECTORY = "trajectory"


@dataclass(frozen=True)
class ArchivedDocument:
    """One file of an archive.

    Attributes:
        received_at: when it came.
        kind: what it is.
        path: the file.
    """

    received_at: datetime
    kind: DocumentKind
    path: Path

    def read(self) -> bytes:
        """The document as it is kept, in gzip: whoever reads it bounds what it unpacks to, and finds out whether it is damaged.

        Raises:
            OSError: it is gone.
        """
        return self.path.read_bytes()


def archived(folder: Path) -> Iterator[ArchivedDocument]:
    """What is in an archive, in the order in which it came. Other files in it are passed over.

    Raises:
        OSError: the folder cannot be read.
    """
    for day in sorted(entry for entry in folder.iterdir() if entry.is_dir()):
        for path in sorted(day.iterdir()):
            if match := _FILE.fullmatch(path.name):
                received_at = datetime.strptime(match["stamp"], _STAMP).replace(tzinfo=UTC)
                yield ArchivedDocument(received_at, DocumentKind(match["kind"]), path)


class Archive:
    """Writes an archive and bounds it.

    Args:
        folder: made on first use.
        max_age: what is older goes.
        max_bytes: what all files together may take.
    """

    def __init__(self, folder: Path, max_age: timedelta, max_bytes: int) -> None:
        self._folder = folder
        self._max_age = max_age
        self._max_bytes = max_bytes
        self._kept: deque[tuple[ArchivedDocument, int]] | None = None
        self._kept_bytes = 0
        self._complaint = ""
        self._log = get_logger("files")

    def keep(self, kind: DocumentKind, uid: str, document: bytes, now: datetime) -> None:
        """Write a document. A disk that is full stops the archive and nothing else: it is told once."""
        name = f"{now.strftime(_STAMP)}-{kind}-{_NOT_IN_A_NAME.sub('_', uid)[:_UID_CHARACTERS]}.xml.gz"
        path = self._folder / f"{now:%Y-%m-%d}" / name
        packed = gzip.compress(document, COMPRESSION, mtime=0)
        try:
            kept = self._index()
            write_durably(path, packed)
            kept.append((ArchivedDocument(now, kind, path), len(packed)))
            self._kept_bytes += len(packed)
            self._bound(kept, now)
        except OSError as error:
            if self._complaint != (cause := error.strerror or repr(error)):
                self._complaint = cause
                self._log.warning("the archive keeps nothing", cause=cause, folder=str(self._folder))
        else:
            self._complaint = ""

    def _index(self) -> deque[tuple[ArchivedDocument, int]]:
        if self._kept is None:
            found = archived(self._folder) if self._folder.is_dir() else ()
            self._kept = deque((document, document.path.stat().st_size) for document in found)
            self._kept_bytes = sum(size for _document, size in self._kept)
        return self._kept

    def _bound(self, kept: deque[tuple[ArchivedDocument, int]], now: datetime) -> None:
        while kept and (self._kept_bytes > self._max_bytes or now - kept[0][0].received_at > self._max_age):
            document, size = kept.popleft()
            self._kept_bytes -= size
            document.path.unlink(missing_ok=True)
            if not any(document.path.parent.iterdir()):
                document.path.parent.rmdir()


def write_durably(path: Path, content: bytes) -> None:
    """Write a file as a whole: a reader sees what was there or this, and after a power cut it is one of the two.

    Raises:
        OSError: it could not be written; what was there is there still.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.part")
    with unfinished.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    if os.name == "posix":  # elsewhere a folder cannot be opened
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
