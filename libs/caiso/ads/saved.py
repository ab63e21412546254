"""Saved documents: what of ADS somebody kept in a file, in whatever form, to records. Pure.

Plain XML, gzip, Base64 of either, or a whole SOAP reply around any of them: the bytes themselves tell which.
"""

import zlib
from collections.abc import Iterable

import msgspec

from caiso.ads.documents import parse_dispatch_element, parse_trajectory_element
from caiso.ads.errors import SoapFault
from caiso.ads.fields import NoIdentity
from caiso.ads.records import DispatchBatch, TrajectoryBatchList
from caiso.ads.soap import fault_text, text_of
from caiso.ads.unpack import NotUnpackable, TooLarge, decode_base64, gunzip, unpack, unpack_gzip
from caiso.ads.xml import Element, NotThisDocument, descendants, local_name, read_any_xml, written

DISPATCH, DISPATCH_LIST, TRAJECTORIES = "DispatchBatch", "APIDispatchResponse", "APITrajectoryResponse"
_GZIP_MAGIC = b"\x1f\x8b"
_BEFORE_XML = b"\xef\xbb\xbf \t\r\n"
_WRAPPERS_MOST = 4
"""A SOAP reply in gzip with a Base64 of gzip in it has three."""


class NotADocument(Exception):
    """A file that holds no dispatch batch and no trajectories."""


class SavedDocument(msgspec.Struct, frozen=True):
    """What a file holds.

    Attributes:
        dispatches: the dispatch batches in it, those of which only the header is there among them.
        trajectories: the trajectory batches.
    """

    dispatches: tuple[DispatchBatch, ...] = ()
    trajectories: TrajectoryBatchList = TrajectoryBatchList()


def parse_saved(content: bytes, max_bytes: int) -> SavedDocument:
    """The records in a file.

    Args:
        content: of the file.
        max_bytes: the most that it may be when unpacked.

    Raises:
        NotADocument: why there are none.
    """
    try:
        return _read(content, max_bytes, _WRAPPERS_MOST)
    except (NotThisDocument, NotUnpackable, NoIdentity, TooLarge, UnicodeError, zlib.error) as error:
        raise NotADocument(str(error)) from error


def _read(content: bytes, max_bytes: int, wrappers: int) -> SavedDocument:
    if not wrappers:
        raise NotADocument("it is packed again and again")
    if content.startswith(_GZIP_MAGIC):
        return _read(gunzip(content, max_bytes).lstrip(), max_bytes, wrappers - 1)
    stripped = content.lstrip(_BEFORE_XML)
    if not stripped:
        raise NotADocument("it is empty")
    if not (stripped.startswith(b"<") or b"\0" in stripped[:4]):
        decoded = decode_base64(stripped.decode("ascii", "replace"))
        is_plain = decoded.lstrip(_BEFORE_XML).startswith(b"<")
        return _read(decoded if is_plain else unpack_gzip(decoded, max_bytes), max_bytes, wrappers - 1)
    root = read_any_xml(stripped)
    if local_name(root) == "Envelope":
        return _read(_in_envelope(root, max_bytes), max_bytes, wrappers - 1)
    return _records(root, stripped)


def _in_envelope(envelope: Element, max_bytes: int) -> bytes:
    """The document in a SOAP reply: as it is, or packed into the text of its result."""
    for name in (DISPATCH_LIST, TRAJECTORIES, DISPATCH):
        if (inside := next(iter(descendants(envelope, name)), None)) is not None:
            return written(inside)
    if (fault := next(iter(descendants(envelope, "Fault")), None)) is not None:
        raise NotADocument(f"CAISO answered with a {SoapFault.kind}: {fault_text(fault)}")
    results = list(descendants(envelope, "result"))
    if not results:
        raise NotADocument("the SOAP envelope holds no result")
    return unpack(text_of(results), max_bytes)


def _records(root: Element, xml: bytes) -> SavedDocument:
    match local_name(root):
        case "DispatchBatch":
            return SavedDocument((parse_dispatch_element(root, xml),))
        case "APIDispatchResponse":
            return SavedDocument(tuple(_batches(descendants(root, DISPATCH))))
        case "APITrajectoryResponse":
            return SavedDocument(trajectories=parse_trajectory_element(root, xml))
        case other:
            raise NotADocument(f"<{other}> is no document of ADS with instructions or trajectories")


def _batches(elements: Iterable[Element]) -> Iterable[DispatchBatch]:
    for element in elements:
        yield parse_dispatch_element(element, written(element))
