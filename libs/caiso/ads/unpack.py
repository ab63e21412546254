"""Unpack: the document that the text of a `result` element carries, as XML bytes.

ADS sends some documents as escaped XML and some as Base64 of gzip (specification, section 2). The text itself tells which.
"""

import base64
import binascii
import re
import zlib

_GZIP_MAGIC = b"\x1f\x8b"
_DECLARED_UTF_16 = re.compile(rb"<\?xml[^>]*encoding\s*=\s*[\"']utf-16[\"'][^>]*\?>", re.IGNORECASE)
_DECLARATION = re.compile(r"<\?xml[^>]*\?>", re.IGNORECASE)


class NotUnpackable(Exception):
    """The text is neither XML nor whole Base64 of gzip."""


class TooLarge(Exception):
    """The document is larger than the bound when unpacked."""


def unpack(text: str, max_bytes: int) -> bytes:
    """The XML in a result.

    Raises:
        NotUnpackable: it is neither XML nor Base64 of gzip, or the gzip is damaged or cut.
        TooLarge: it unpacks to more than `max_bytes`.
    """
    stripped = text.strip().lstrip("\ufeff")
    if not stripped:
        raise NotUnpackable("the result is empty")
    if stripped.startswith("<"):
        # The declaration speaks of bytes that were, before they became this text.
        return _DECLARATION.sub("", stripped, count=1).strip().encode()
    return _without_false_declaration(_gunzip(_decode_base64(stripped), max_bytes))


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotUnpackable(f"the result is neither XML nor Base64: {error}") from error


def _gunzip(packed: bytes, max_bytes: int) -> bytes:
    if not packed.startswith(_GZIP_MAGIC):
        raise NotUnpackable("the result is Base64 of something that is not gzip")
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        document = stream.decompress(packed, max_bytes + 1)
    except zlib.error as error:
        raise NotUnpackable(f"damaged gzip: {error}") from error
    if len(document) > max_bytes:
        raise TooLarge(f"the document unpacks to more than {max_bytes} bytes")
    if not stream.eof:
        raise NotUnpackable(f"the gzip ends after {len(packed)} bytes, before its end mark")
    return document.lstrip()


def _without_false_declaration(document: bytes) -> bytes:
    """CAISO's own samples declare utf-16 in front of single-byte text; if they can be read so, the declaration is untrue."""
    return document[match.end() :].lstrip() if (match := _DECLARED_UTF_16.match(document)) else document
