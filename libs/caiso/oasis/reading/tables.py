"""Tables: the CSV of a member to columns. Columns are found by their names in the header, whatever the report and version."""

import csv
import io
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv

from caiso.oasis.errors import Malformed, NoPrices, quoted, shown
from caiso.oasis.reading.columns import BadRow, BadRows, Floats, RawColumns
from caiso.oasis.reading.row_texts import component_in, is_row
from caiso.oasis.reading.unpack import Member

PRICE_COLUMNS: Final = ("MW", "VALUE", "PRC")
"""The column of the price is named by report and version; the first of these that a header has is it."""
_TEXT_COLUMNS: Final = ("MARKET_RUN_ID", "NODE", "INTERVALSTARTTIME_GMT", "INTERVALENDTIME_GMT", "LMP_TYPE")
_TEXT: Final = pa.dictionary(pa.int32(), pa.binary())
_BLOCK_BYTES: Final = 512 * 1024
"""Of text that is read at once. pyarrow unpacks up to thirty-two of them ahead, of each member."""
_SHOWN: Final = 40
PRICE_MOST_USD_PER_MWH: Final = 1e12
"""No price is beyond it. With numbers much larger sums and means overflow."""
_TO_ASCII: Final = bytes(range(128)) + b"?" * 128
_NUMBER = re.compile(rb"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class Header:
    """Which columns of a table are wanted: five texts and the price, by their places.

    OASIS quotes nothing. In a table whose header has no quotes one is a letter: that nobody closes it costs its own line.
    """

    names: tuple[str, ...]
    texts: tuple[int, ...]
    price: int
    quote: str | bool


def read_header(member: Member) -> Header:
    """The header of a table.

    Raises:
        NoPrices: it lacks a column.
        Malformed: it has one twice, or is cut.
    """
    line, end, _rest = member.head.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    try:
        names = tuple(next(csv.reader([line.decode().rstrip("\r")], strict=True), []))
    except (UnicodeDecodeError, csv.Error) as error:
        raise NoPrices(f"{member.name}: {error}") from error
    price = next((name for name in PRICE_COLUMNS if name in names), "/".join(PRICE_COLUMNS))
    wanted, header = (*_TEXT_COLUMNS, price), quoted(",".join(names), 200)
    if missing := [name for name in wanted if name not in names]:
        raise NoPrices(f"{member.name}: no column {', '.join(missing)} in the header {header}")
    if doubled := [name for name in wanted if names.count(name) > 1]:
        raise Malformed(f"{member.name}: more than one column {', '.join(doubled)} in the header {header}")
    if not end:
        raise Malformed(f"{member.name}: its last line has no end, so that some of the table may be missing")
    return Header(names, tuple(names.index(name) for name in _TEXT_COLUMNS), names.index(price), '"' if b'"' in line else False)


@dataclass(frozen=True)
class Table:
    """The rows of a member, in pieces, and the lines of it that are left out."""

    pieces: Sequence[RawColumns]
    left_out: BadRows = field(default_factory=BadRows)


def read_table(open_member: Callable[[], Member]) -> Table:
    """A CSV member. A line that has more or fewer columns than the header is left out.

    What is no row at all stands in place of something that nobody knows, such as an error.

    Prices are read as numbers; where one is none, the member is read once more with its texts.

    Args:
        open_member: the member from its beginning, as often as it takes.

    Raises:
        NoPrices: it is no such table.
        Malformed: it is not whole, or has a line that is no row.
        Oversized: it is more than the bounds allow.
    """
    member = open_member()
    try:
        return _read(member, pa.float64())
    except pa.ArrowInvalid:
        member.forget()
        member = open_member()
        try:
            return _read(member, _TEXT)
        except pa.ArrowInvalid as error:
            raise Malformed(f"{member.name}: {shown(str(error), 200)}") from error


class _NotNumbers(pa.ArrowInvalid):  # type: ignore[misc]  # pyarrow has no types
    """A price that is a float by its form and yet none: NaN, or one beyond all prices."""


def _read(member: Member, price_type: pa.DataType) -> Table:
    header, left_out = read_header(member), _LeftOut(member.name)
    texts, price = [str(at) for at in header.texts], str(header.price)

    reader = pyarrow.csv.open_csv(
        _Ascii(member),
        pyarrow.csv.ReadOptions(
            column_names=[str(at) for at in range(len(header.names))], skip_rows=1, block_size=_BLOCK_BYTES, use_threads=True
        ),
        pyarrow.csv.ParseOptions(quote_char=header.quote, invalid_row_handler=left_out.take, ignore_empty_lines=False),
        pyarrow.csv.ConvertOptions(
            include_columns=[*texts, price],
            column_types={**dict.fromkeys(texts, _TEXT), price: price_type},
            null_values=[""],
            strings_can_be_null=False,
        ),
    )
    pieces = [_piece(batch) for batch in reader]
    if left_out.no_row:
        raise Malformed(left_out.no_row)
    if member.ends_with not in (b"\n", b"\r"):
        raise Malformed(f"{member.name}: its last line has no end, so that some of the table may be missing")
    return Table(pieces, left_out.rows)


class _LeftOut:
    """Lines that have not as many columns as the header."""

    def __init__(self, member: str) -> None:
        self._member = member
        self.rows = BadRows()
        self.no_row = ""

    def take(self, line: pyarrow.csv.InvalidRow) -> str:
        """What pyarrow is to do with a line: it goes on without it."""
        text, cause = line.text.strip(), f"{line.actual_columns} columns, the header has {line.expected_columns}"
        if not is_row(text.split(",")):
            self.no_row = self.no_row or f"{self._member}: {cause}: {quoted(text, _SHOWN)}"
        self.rows.note(BadRow(cause, text, component=component_in(text.split(","))))
        return "skip"


class _Ascii(io.RawIOBase):
    """A member in which whatever is no ASCII, which OASIS does not write, is a question mark: a name with one is none.

    Lines of other columns than the header are told by pyarrow as text, which it must be able to read.
    """

    def __init__(self, member: Member) -> None:
        super().__init__()
        self._member = member

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        found = self._member.read(size)
        return found if found.isascii() else found.translate(_TO_ASCII)


def _piece(batch: pa.RecordBatch) -> RawColumns:
    *texts, price = batch.columns
    if price.type == _TEXT:
        return _raw(texts, *numbers_of(price))
    values = price.to_numpy(zero_copy_only=False)
    if (np.abs(values) <= PRICE_MOST_USD_PER_MWH).sum() + price.null_count < len(values):
        raise _NotNumbers("a price that is no number")
    return _raw(texts, values, {})


def _raw(texts: Sequence[pa.DictionaryArray], values: Floats, unreadable: dict[int, str]) -> RawColumns:
    market, node, start, end, kind = texts
    return RawColumns(market, node, start, end, kind, values, unreadable)


def numbers_of(column: pa.DictionaryArray) -> tuple[Floats, dict[int, str]]:
    """Texts as numbers, NaN for what is none, and by row what stands there and is none."""
    texts: Sequence[bytes | None] = [*column.dictionary.to_pylist(), None]
    values = np.array([_number(text) for text in texts])
    indices = column.indices.fill_null(len(texts) - 1).to_numpy()
    is_wrong = np.array([bool(text) and math.isnan(value) for text, value in zip(texts, values, strict=True)])
    unreadable = {int(row): _shown(texts[indices[row]]) for row in np.flatnonzero(is_wrong[indices])}
    return values[indices], unreadable


def _number(text: bytes | None) -> float:
    value = float(text) if text and _NUMBER.fullmatch(text) else math.nan
    return value if abs(value) <= PRICE_MOST_USD_PER_MWH else math.nan


def _shown(text: bytes | None) -> str:
    return (text or b"").decode(errors="replace")[:_SHOWN]
