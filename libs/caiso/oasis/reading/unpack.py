"""A reply's zip to its members, within bounds, as streams. Nothing is written to disk, so names in it can do no harm."""

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Lock

from caiso.oasis.errors import HttpRefused, Malformed, Oversized, Throttled, quoted

MAGIC = b"PK"
_OK = 200
_TOO_MANY_REQUESTS = 429
_THROTTLE_WORDS = b"Acceptable Use Policy"

# The two methods that zipfile unpacks no further than it is asked to; OASIS uses the second.
_BOUNDED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_HEAD_BYTES = 64 * 1024
"""What is looked at before a member is read as a table or as XML: the header of a table is in it."""

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a version of the format that zipfile does not know
    RuntimeError,  # an encrypted member
    OSError,  # a seek outside the file
    ValueError,
    OverflowError,
    LookupError,
    struct.error,
)


@dataclass(frozen=True)
class Bounds:
    """How much a reply may unpack to.

    It has room for one for named nodes: ten of them and thirty days of five minutes are 0.5 million rows and 80 MB.

    Attributes:
        members: files in its zip.
        total_bytes: over all of them.
        rows: of all tables.
    """

    members: int = 32
    total_bytes: int = 256 * 1024 * 1024
    rows: int = 2_000_000

    def at_least(self, other: "Bounds") -> "Bounds":
        """The wider of both, of each."""
        return Bounds(max(self.members, other.members), max(self.total_bytes, other.total_bytes), max(self.rows, other.rows))


OF_GROUP = Bounds(total_bytes=1024 * 1024 * 1024, rows=5_000_000)
"""A reply for a whole group of nodes. CAISO's day of the whole network is 2.1 million rows and 320 MB when it has 25 hours,
which are read twice where a value is no number."""


class Budget:
    """What is left of the bytes that a reply may unpack to. Members may be read side by side, in threads."""

    def __init__(self, of_bytes: int) -> None:
        self._of_bytes = of_bytes
        self._left_bytes = of_bytes
        self._lock = Lock()

    def take(self, count: int) -> None:
        """So many were unpacked.

        Raises:
            Oversized: that is more than there may be.
        """
        with self._lock:
            self._left_bytes -= count
            if self._left_bytes < 0:
                raise Oversized(f"a zip that unpacks to more than {self._of_bytes} bytes")

    def give_back(self, count: int) -> None:
        """So many of them are unpacked once more, and count then."""
        with self._lock:
            self._left_bytes += count


class Member(io.RawIOBase):
    """One file of a reply, read once from its beginning to its end, where its checksum is compared.

    Its name is its number: CAISO's own has the time in it, and equal causes must read alike.

    Attributes:
        name: for messages.
        file_name: CAISO's.
        head: its first bytes.
        ends_with: its last byte, once it was read to its end.
    """

    def __init__(self, name: str, file_name: str, stream: io.BufferedIOBase, budget: Budget) -> None:
        super().__init__()
        self.name = name
        self.file_name = file_name
        self._stream = stream
        self._budget = budget
        self.ends_with = b""
        self._taken = 0
        self._is_forgotten = False
        self._lock = Lock()
        self.head = self._read(_HEAD_BYTES)
        self._pending = self.head

    @property
    def is_xml(self) -> bool:
        """Whether it is XML, by what it is and not by its name."""
        return self.head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")

    def readable(self) -> bool:
        """It is there to be read."""
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; all that are left without a size.

        Raises:
            Malformed: it cannot be unpacked.
            Oversized: it unpacks to more than the bounds allow.
        """
        if self._pending:
            found, self._pending = self._pending, b""
            return found if size is not None and size >= 0 else found + self._read_all()
        return self._read(size) if size is not None and size >= 0 else self._read_all()

    def forget(self) -> None:
        """It is opened once more: what was read of it does not count, and who still reads ahead finds its end."""
        with self._lock:
            self._is_forgotten = True
            self._budget.give_back(self._taken)

    def _read_all(self) -> bytes:
        return b"".join(iter(lambda: self._read(1024 * 1024), b""))

    def _read(self, size: int) -> bytes:
        try:
            found = self._stream.read(size)
        except _BROKEN as error:
            raise Malformed(f"{self.name} cannot be unpacked: {type(error).__name__}") from error
        with self._lock:
            if self._is_forgotten:
                return b""
            self._taken += len(found)
            self._budget.take(len(found))
        self.ends_with = found[-1:] or self.ends_with
        return found


@dataclass(frozen=True)
class Entry:
    """One file of a reply, to be opened as often as it takes."""

    name: str
    file_name: str
    archive: zipfile.ZipFile
    info: zipfile.ZipInfo

    def open(self, budget: Budget) -> Member:
        """Its content from the beginning.

        Raises:
            Malformed: it cannot be unpacked.
            Oversized: it unpacks to more than the bounds allow.
        """
        try:
            stream = self.archive.open(self.info)
        except _BROKEN as error:
            raise Malformed(f"{self.name} cannot be unpacked: {type(error).__name__}") from error
        return Member(self.name, self.file_name, stream, budget)  # type: ignore[arg-type]  # ZipExtFile is one


def entries_of(status: int, content: bytes, bounds: Bounds) -> Iterator[Entry]:
    """Every member of a reply.

    The sizes that its zip declares are not believed: what is really unpacked is counted.

    Raises:
        Throttled, HttpRefused: it is no answer.
        Malformed: it is not a whole zip, or holds nothing.
        Oversized: it has more members than the bounds allow.
    """
    if status == _TOO_MANY_REQUESTS or (not content.startswith(MAGIC) and _THROTTLE_WORDS in content):
        raise Throttled(f"asked too often (HTTP status {status})")
    if status != _OK:
        raise HttpRefused(status)
    if not content:
        raise Malformed("an empty reply")
    if not content.startswith(MAGIC):
        raise Malformed("not a zip", where=f"it begins {quoted(content[:200].decode(errors='replace'), 60)}")
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        entries = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]  # is_dir needs a name
    except _BROKEN as error:
        raise Malformed(f"a zip that cannot be read: {error}") from error
    if not entries:
        raise Malformed("a zip without members")
    if len(entries) > bounds.members:
        raise Oversized(f"a zip of {len(entries)} members, {bounds.members} are allowed")
    for number, info in enumerate(entries, 1):
        if info.compress_type not in _BOUNDED:
            raise Malformed(f"member {number} is packed by method {info.compress_type}")
        yield Entry(f"member {number}", info.filename, archive, info)


def members_of(status: int, content: bytes, bounds: Bounds) -> Iterator[Member]:
    """The same, each opened.

    Raises:
        OasisFailure: as `entries_of` and `Entry.open`.
    """
    budget = Budget(bounds.total_bytes)
    for entry in entries_of(status, content, bounds):
        yield entry.open(budget)
