"""Rows as COPY reads them: one line each, and bytes of any size in pieces."""

from datetime import UTC, datetime

from historian.write.storing.copying import pieces

SMALL, LARGE = b'junk \0\\"\n', b"x" * 1_000_000
MOST_AT_ONCE = 200_000
NOW = datetime(2026, 10, 13, tzinfo=UTC)


def line_of(payload: bytes) -> bytes:
    return rb'"\\x' + payload.hex().encode() + b'","a \\"b\\" \\\\ \xe2\x90\x80",null,7,2026-10-13T00:00:00+00:00\n'


def row_of(payload: bytes) -> tuple[object, ...]:
    return payload, 'a "b" \\ \0', None, 7, NOW


def test_a_row_of_few_bytes_is_one_line_because_a_flood_of_them_must_not_hold_up_what_is_good():
    assert list(pieces([row_of(SMALL)] * 3)) == [line_of(SMALL)] * 3


def test_a_row_of_many_bytes_is_the_same_line_in_pieces():
    made = list(pieces([row_of(SMALL), row_of(LARGE), row_of(SMALL)]))
    assert b"".join(made) == line_of(SMALL) + line_of(LARGE) + line_of(SMALL)
    assert max(map(len, made)) < MOST_AT_ONCE
