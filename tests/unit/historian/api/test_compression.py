import zlib

import pytest
import zstandard

from historian.api.formats.compression import packed
from historian.api.formats.negotiation import Coding
from historian.api.formats.sink import ReaderGone, as_file

PIECES = [b"node,lmp_usd_per_mwh\n", b"A,1.5\n" * 50_000, b"B,2.5\n"]


def unpacked(coding: Coding, packed_bytes: bytes) -> bytes:
    if coding is Coding.GZIP:
        reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
        return reader.decompress(packed_bytes)
    return zstandard.ZstdDecompressor().decompressobj().decompress(packed_bytes)


@pytest.mark.parametrize("coding", [Coding.GZIP, Coding.ZSTD])
def test_what_is_packed_is_read_as_it_was(coding):
    out: list[bytes] = []
    sink, end = packed(out.append, coding)
    for piece in PIECES:
        sink(piece)
    end()
    assert unpacked(coding, b"".join(out)) == b"".join(PIECES)
    assert sum(map(len, out)) < 5_000


@pytest.mark.parametrize("coding", [Coding.GZIP, Coding.ZSTD])
def test_the_first_piece_can_be_read_before_there_is_a_second_one(coding):
    out: list[bytes] = []
    sink, _ = packed(out.append, coding)
    sink(PIECES[0])
    assert unpacked(coding, b"".join(out)) == PIECES[0]


def test_gzip_that_is_cut_has_no_end():
    out: list[bytes] = []
    sink, _ = packed(out.append, Coding.GZIP)
    for piece in PIECES:
        sink(piece)
    reader = zlib.decompressobj(16 + zlib.MAX_WBITS)
    reader.decompress(b"".join(out))
    assert not reader.eof


def test_what_is_not_packed_goes_on_as_it_is():
    out: list[bytes] = []
    sink, end = packed(out.append, Coding.NONE)
    sink(b"as it is")
    end()
    assert out == [b"as it is"]


def test_rows_are_gathered_to_pieces_and_the_last_ones_come_at_the_end():
    out: list[bytes] = []
    with as_file(out.append, 16) as file:
        for _ in range(10):
            file.write(b"four")
    assert b"".join(out) == b"four" * 10
    assert len(out) <= 4


def test_what_is_gathered_when_writing_fails_goes_nowhere():
    """The end of a stream must not follow after a gap."""
    out: list[bytes] = []

    def half_written() -> None:
        with as_file(out.append, 1000) as file:
            file.write(b"begun")
            raise ReaderGone

    with pytest.raises(ReaderGone):
        half_written()
    assert out == []
