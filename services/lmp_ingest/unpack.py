"""A reply's zip to its members, within bounds, in memory. Nothing is written to disk, so names in it can do no harm."""

import io
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from lmp_ingest.faults import Malformed, Oversized

MAGIC = b"PK"

# The two methods that zipfile unpacks no further than it is asked to; OASIS uses the second.
_BOUNDED = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})

_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,  # a version of the format that zipfile does not know
    RuntimeError,  # an encrypted member
    OSError,  # a seek outside the file
    ValueError,
    OverflowError,
)


@dataclass(frozen=True)
class Bounds:
    """How much a reply may unpack to: members, and bytes over all of them."""

    members: int = 32
    total_bytes: int = 256 * 1024 * 1024


@dataclass(frozen=True)
class Member:
    """One file of a reply. Its name is its number: CAISO's own has the time in it, and equal causes must read alike."""

    name: str
    content: bytes


def unpack(content: bytes, bounds: Bounds) -> Iterator[Member]:
    """Every member of a zip, each read whole and checked against its CRC.

    The sizes that the zip declares are not believed: what is really unpacked is counted.

    Raises:
        Malformed: it is not a whole zip, or holds nothing.
        Oversized: it has more members or unpacks to more bytes than the bounds allow.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    except _BROKEN as error:
        raise Malformed(f"not a zip: {error}") from error
    if not entries:
        raise Malformed("a zip without members")
    if len(entries) > bounds.members:
        raise Oversized(f"a zip of {len(entries)} members, {bounds.members} are allowed")
    left = bounds.total_bytes
    for number, entry in enumerate(entries, 1):
        if entry.compress_type not in _BOUNDED:
            raise Malformed(f"member {number} is packed by method {entry.compress_type}")
        try:
            with archive.open(entry) as stream:
                member = stream.read(left + 1)
        except _BROKEN as error:
            raise Malformed(f"member {number} cannot be unpacked: {type(error).__name__}") from error
        left -= len(member)
        if left < 0:
            raise Oversized(f"a zip that unpacks to more than {bounds.total_bytes} bytes")
        yield Member(f"member {number}", member)
