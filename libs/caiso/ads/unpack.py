"""Unpack: the document that the text of a `result` element carries, as XML bytes.

ADS sends some documents as escaped XML and some as Base64 of gzip (specification, section 2). The text itself tells which.
"""

import base64
import binascii
import re
import zlib

_GZIP_MAGIC = b"\x1f\x8b"
_HEAD = 4096
"""In which a declaration is looked for."""
_MEMBERS_MOST = 100
"""Each one copies what is behind it."""
_DECLARED_UTF_16 = re.compile(rb"<\?xml[^<>]*encoding\s*=\s*[\"']utf-16[\"'][^<>]*\?>", re.IGNORECASE)
_DECLARATION = re.compile(r"<\?xml[^<>]*\?>", re.IGNORECASE)


class NotUnpackable(Exception):
    """The text is neither XML nor whole Base64 of gzip."""


class TooLarge(Exception):
    """The document is larger than the bound when unpacked."""


def unpack(text: str, max_bytes: int) -> bytes:
    """The XML in a result.

    Raises:
        NotUnpackable: it is neither XML nor Base64 of gzip, or the gzip is damaged or cut.
        TooLarge: it is more than `max_bytes`, or unpacks to more.
    """
    stripped = text.strip().lstrip("\ufeff")
    if not stripped:
        raise NotUnpackable("the result is empty")
    if stripped.startswith("<"):
        # The declaration speaks of bytes that were, before they became this text.
        declaration = _DECLARATION.match(stripped[:_HEAD])
        return _bounded(stripped[declaration.end() if declaration else 0 :].strip().encode(), max_bytes)
    return _without_false_declaration(gunzip(_decode_base64(stripped), max_bytes).lstrip())


def _bounded(document: bytes, max_bytes: int) -> bytes:
    if len(document) > max_bytes:
        raise TooLarge(f"the document is larger than {max_bytes} bytes")
    return document


def _decode_base64(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotUnpackable(f"the result is neither XML nor Base64: {error}") from error


def gunzip(packed: bytes, max_bytes: int) -> bytes:
    """All members of a gzip file, one after the other; bytes behind them that begin none are no part of it.

    Raises:
        NotUnpackable: it is damaged, cut, or no gzip.
        TooLarge: it unpacks to more than `max_bytes`.
    """
    if not packed.startswith(_GZIP_MAGIC):
        raise NotUnpackable("the result is Base64 of something that is not gzip")
    document, left, members = b"", packed, 0
    while left.startswith(_GZIP_MAGIC):
        members += 1
        if members > _MEMBERS_MOST:
            raise NotUnpackable(f"the gzip has more than {_MEMBERS_MOST} members")
        member, left = _member(left, max_bytes - len(document))
        document += member
    return document


def _member(packed: bytes, max_bytes: int) -> tuple[bytes, bytes]:
    """The first member, and what is behind it."""
    stream = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        content = stream.decompress(packed, max_bytes + 1)
    except zlib.error as error:
        raise NotUnpackable(f"damaged gzip: {error}") from error
    if len(content) > max_bytes:
        raise TooLarge(f"the document unpacks to more than {max_bytes} bytes")
    if not stream.eof:
        raise NotUnpackable(f"the gzip ends after {len(packed)} bytes, before its end mark")
    return content, stream.unused_data


def _without_false_declaration(document: bytes) -> bytes:
    """CAISO's own samples declare utf-16 in front of single-byte text; if they can be read so, the declaration is untrue."""
    declared = _DECLARED_UTF_16.match(document[:_HEAD])
    return document[declared.end() :].lstrip() if declared else document
