"""Sinks: where a format puts its bytes. A sink is slow when its reader is, and refuses when nobody reads any more."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PIECE_BYTES = 512 * 1024
"""What is handed on at once: large enough that handing it over costs nothing, small beside what else a process takes."""

Sink = Callable[[bytes], None]
"""Takes a piece and returns when there is room for the next one; raises ReaderGone when nobody reads any more."""


class ReaderGone(Exception):
    """Nobody reads the rest, or nobody read for too long: whoever writes ends, and frees what it holds."""


class _Pieces(io.RawIOBase):
    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.is_cut = False

    def writable(self) -> bool:
        return True

    def write(self, piece: "ReadableBuffer", /) -> int:
        taken = bytes(piece)  # its memory is written anew as soon as this returns
        if not self.is_cut:
            self._sink(taken)
        return len(taken)


@contextmanager
def as_file(sink: Sink, piece_bytes: int = PIECE_BYTES) -> Iterator[BinaryIO]:
    """A sink as a file, which gathers what is written row by row. What it still holds when writing fails goes nowhere."""
    pieces = _Pieces(sink)
    file: BinaryIO = io.BufferedWriter(pieces, piece_bytes)
    try:
        yield file
        file.flush()
    except BaseException:
        pieces.is_cut = True
        raise
