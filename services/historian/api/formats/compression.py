"""Compression: what a sink takes, packed on its way. What is cut has no end, and every reader of gzip and zstd says so."""

import zlib
from collections.abc import Callable
from typing import Protocol

import zstandard

from historian.api.formats.negotiation import Coding
from historian.api.formats.sink import Sink

_GZIP = 16 + zlib.MAX_WBITS
_GZIP_LEVEL = 1
"""Level 6 takes three times as long for a tenth less of prices as CSV."""
_ZSTD_LEVEL = 1


class _Packer(Protocol):
    def compress(self, piece: bytes, /) -> bytes: ...


def packed(sink: Sink, coding: Coding) -> tuple[Sink, Callable[[], None]]:
    """A sink that packs, and what to call after the last piece."""
    match coding:
        case Coding.GZIP:
            gzip = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP)
            return _through(sink, gzip, lambda: gzip.flush(zlib.Z_SYNC_FLUSH)), lambda: sink(gzip.flush())
        case Coding.ZSTD:
            zstd = zstandard.ZstdCompressor(level=_ZSTD_LEVEL).compressobj()
            block = lambda: zstd.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)  # noqa: E731  # as beside it
            return _through(sink, zstd, block), lambda: sink(zstd.flush())
        case Coding.NONE:
            return sink, lambda: None


def _through(sink: Sink, packer: _Packer, flush: Callable[[], bytes]) -> Sink:
    """The first piece goes on at once, since who asks wants to see that the answer has begun; after it, as it fills."""
    begun = False

    def take(piece: bytes) -> None:
        nonlocal begun
        out = packer.compress(piece)
        if not begun:
            begun = True
            out += flush()
        if out:
            sink(out)

    return take
