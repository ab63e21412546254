"""Beginning: the whole trajectory batches at the beginning of a reply that is larger than the bound. Pure.

A client that was away asks for all that came since, in one document, and ADS knows no way to ask for less. But UIDs go on from
the last one that was processed: so what fits is read, and the rest is asked for from there.
"""

import base64
import binascii
import html
import re
import zlib

from caiso.ads.unpack import SPACES
from caiso.ads.xml import Element, NotThisDocument, read_beginning, within_bound

_RESULT = re.compile(rb"<(?:[\w.-]+:)?result(?:\s[^<>]*)?>\s*")
_END = re.compile(rb"</(?:[\w.-]+:)?trajectoryBatch\s*>")
_GZIP_IN_BASE64 = b"H4sI"


def first_batches(body: bytes, max_bytes: int) -> Element | None:
    """The root of an APITrajectoryResponse with the batches that are whole within the bound; None when not one is.

    Args:
        body: of the reply, the whole or its beginning.
        max_bytes: the most of the document that is looked at, and no more elements and attributes of it than may be held.
    """
    found = _RESULT.search(body)
    if found is None:
        return None
    document = within_bound(_unpacked(body[found.end() :], max_bytes))
    ends = [match.end() for match in _END.finditer(document)]
    try:
        return read_beginning(document[: ends[-1]], "APITrajectoryResponse") if ends else None
    except NotThisDocument:
        return None


def _unpacked(text: bytes, max_bytes: int) -> bytes:
    """As much as fits of the document that begins here: packed, escaped, or as it is."""
    if text.startswith(_GZIP_IN_BASE64):
        return _gunzipped(text.partition(b"<")[0].translate(None, SPACES), max_bytes)
    if text.startswith(b"&lt;"):
        return html.unescape(text[: 2 * max_bytes].partition(b"<")[0].decode(errors="replace")).encode()[:max_bytes]
    return text[:max_bytes]


def _gunzipped(text: bytes, max_bytes: int) -> bytes:
    whole = len(text) - len(text) % 4
    try:
        packed = base64.b64decode(text[:whole])
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(packed, max_bytes).lstrip()
    except (binascii.Error, zlib.error):
        return b""
