"""Unpack: the document that the text of a `result` element carries, as XML bytes.

ADS sends some documents as escaped XML and some as Base64 of gzip (specification, section 2). The text itself tells which.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator
from typing import Final

_GZIP_MAGIC = b"\x1f\x8b"
_HEAD = 4096
"""In which a declaration is looked for."""
_MEMBERS_MOST = 100
"""Each one copies what is behind it."""
_PIECE_BYTES = 1024 * 1024
"""Of what is unpacked at once: what is too large is given up a piece after the bound."""
_TAKEN_BYTES = 64 * 1024
"""Of what is packed at once: what is not unpacked yet is copied each time."""
SPACES: Final = b" \t\n\r\v\f"
"""Between the characters of Base64."""
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
    return unpack_gzip(decode_base64(stripped), max_bytes)


def unpack_gzip(packed: bytes, max_bytes: int) -> bytes:
    """The XML in a gzip, without a declaration that is untrue.

    Raises:
        NotUnpackable: it is damaged, cut, or no gzip.
        TooLarge: it unpacks to more than `max_bytes`.
    """
    return _without_false_declaration(gunzip(packed, max_bytes).lstrip())


def _bounded(document: bytes, max_bytes: int) -> bytes:
    if len(document) > max_bytes:
        raise TooLarge(f"the document is larger than {max_bytes} bytes")
    return document


def decode_base64(text: str) -> bytes:
    """What a text stands for.

    Raises:
        NotUnpackable: it is no whole Base64.
    """
    try:
        return base64.b64decode(text.encode("ascii").translate(None, SPACES), validate=True)
    except UnicodeEncodeError as error:
        raise NotUnpackable("the result is neither XML nor Base64: it has characters that are no ASCII") from error
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
    pieces: list[bytes] = []
    room, left, members = max_bytes, packed, 0
    while left.startswith(_GZIP_MAGIC):
        members += 1
        if members > _MEMBERS_MOST:
            raise NotUnpackable(f"the gzip has more than {_MEMBERS_MOST} members")
        stream, taken = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS), 0
        while taken < len(left) and not stream.eof:
            for piece in _pieces(stream, left[taken : taken + _TAKEN_BYTES]):
                pieces.append(piece)
                room -= len(piece)
                if room < 0:
                    raise TooLarge(f"the document unpacks to more than {max_bytes} bytes")
            taken += _TAKEN_BYTES
        if not stream.eof:
            raise NotUnpackable(f"the gzip ends after {len(left)} bytes, before its end mark")
        left = stream.unused_data + left[taken:]
    return b"".join(pieces)


def _pieces(stream: "zlib._Decompress", packed: bytes) -> Iterator[bytes]:
    """What some bytes of a member unpack to."""
    piece, left = b"-", packed
    try:
        while (left or len(piece) == _PIECE_BYTES) and not stream.eof:
            piece = stream.decompress(left, _PIECE_BYTES)
            left = stream.unconsumed_tail
            yield piece
    except zlib.error as error:
        raise NotUnpackable(f"damaged gzip: {error}") from error


def _without_false_declaration(document: bytes) -> bytes:
    """CAISO's own samples declare utf-16 in front of single-byte text; if they can be read so, the declaration is untrue."""
    declared = _DECLARED_UTF_16.match(document[:_HEAD])
    return document[declared.end() :].lstrip() if declared else document
