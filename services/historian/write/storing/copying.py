r"""Copying: rows as PostgreSQL's COPY reads them. Pure.

JSON is the format, as near as makes no difference: a row is a JSON array without its brackets, and COPY reads that as CSV
whose texts stand in quotes, whose escape is the backslash and whose absent value is null. So whole batches are made by the
encoder and not value by value. Only what the two write differently (control characters) is made by hand.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec

FORMAT = r"""FORMAT csv, DELIMITER ',', QUOTE '"', ESCAPE '\', NULL 'null'"""
"""The options of COPY that read it."""
VISIBLE_NUL = "␀"
"""U+2400: what stands in place of U+0000, which PostgreSQL's text cannot hold."""

Row = Sequence[Any]
_ROWS_AT_ONCE = 2000
_BYTES_AT_ONCE = 64 * 1024
_encoder = msgspec.json.Encoder()
_escape_of_json = re.compile(rb'\\[^"\\]')
"""An escape that COPY does not know: of a control character, all others are of a quote or a backslash."""


def lines(rows: Iterable[Row]) -> Iterator[bytes]:
    """Rows as lines, some thousand at a time."""
    remaining = iter(rows)
    while some := list(islice(remaining, _ROWS_AT_ONCE)):
        whole = _encoder.encode_lines(some)
        if b"\\" in whole and _escape_of_json.search(whole):  # most have none at all, which is seen sooner
            yield "".join([_by_hand(row) for row in some]).encode()
        else:
            yield whole[1:-2].replace(b"]\n[", b"\n") + b"\n"


def pieces(rows: Iterable[Row]) -> Iterator[bytes]:
    """Rows as lines, those of many bytes in pieces, so that bytes of any size are never there as text in one."""
    for row in rows:
        if sum(len(value) for value in row if isinstance(value, bytes)) <= _BYTES_AT_ONCE:
            yield _by_hand(row).encode()
        else:
            yield from _in_pieces(row)


def extra(elements: dict[str, str]) -> str:
    """Elements that are not known, as a text of JSON."""
    if not elements:
        return "{}"
    text = _encoder.encode(elements).decode()
    if r"\u0000" not in text:
        return text
    visible = {name.replace("\0", VISIBLE_NUL): entry.replace("\0", VISIBLE_NUL) for name, entry in elements.items()}
    return _encoder.encode(visible).decode()


def multirange(ranges: Iterable[tuple[int, int]]) -> str:
    """Ranges, both ends included, as PostgreSQL writes a set of them."""
    return "{" + ",".join(f"[{first},{last}]" for first, last in ranges) + "}"


def number_set(some: Collection[int]) -> str:
    """A set of different numbers, at least one, likewise."""
    first, last = min(some), max(some)
    if last - first + 1 == len(some):
        return multirange([(first, last)])
    ordered = sorted(some)
    breaks = [place for place in range(1, len(ordered)) if ordered[place] != ordered[place - 1] + 1]
    return multirange(
        (ordered[begin], ordered[end - 1]) for begin, end in zip([0, *breaks], [*breaks, len(ordered)], strict=True)
    )


def _in_pieces(row: Row) -> Iterator[bytes]:
    for place, value in enumerate(row):
        yield b"," if place else b""
        if isinstance(value, bytes):
            yield from _hexadecimal(value)
        else:
            yield _text(value).encode()
    yield b"\n"


def _hexadecimal(value: bytes) -> Iterator[bytes]:
    yield rb'"\\x'
    for start in range(0, len(value), _BYTES_AT_ONCE):
        yield value[start : start + _BYTES_AT_ONCE].hex().encode()
    yield b'"'


def _by_hand(row: Row) -> str:
    return ",".join([_text(value) for value in row]) + "\n"


def _text(value: Any) -> str:  # noqa: ANN401  # whatever a message holds
    match value:
        case None:
            return "null"
        case str():
            return _quoted(value)
        case datetime():
            return value.isoformat()
        case bytes():
            return rf'"\\x{value.hex()}"'
        case _:
            return repr(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\0", VISIBLE_NUL).replace("\\", r"\\").replace('"', r"\"")
    return f'"{escaped}"'
