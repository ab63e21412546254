"""Files: the lines of SQLite databases, CSV and Parquet, one after the other, each with its number and its values."""

import csv
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

Line = tuple[int, Mapping[str, object] | str, int]
"""Its number, the values of its columns by name or why it has none, and how far the file is read then, in the unit of
`Opened.size`."""
_SQLITE_BEGINS: Final = b"SQLite format 3\0"
_PARQUET_BEGINS: Final = b"PAR1"
_ROWS_AT_ONCE: Final = 10_000
PRICES_OF_PREDECESSOR: Final = "lmp"
"""The table of caiso_connector."""


class CannotRead(Exception):
    """The file is none of these, or is broken; the message says what, and where."""


@dataclass(frozen=True)
class Opened:
    """A file that can be read from its beginning to its end.

    Attributes:
        columns: their names.
        size: how large it is: rows, or bytes of a CSV.
        lines: reads it; may raise CannotRead.
        is_predecessors: whether it is a database of caiso_connector.
    """

    columns: Sequence[str]
    size: int
    lines: Callable[[], Iterator[Line]]
    is_predecessors: bool = False


def opened(path: Path) -> Opened:
    """Look at a file, whatever its name ends in.

    Raises:
        CannotRead: it is not there, empty, or none of these.
    """
    try:
        with path.open("rb") as file:
            begin = file.read(len(_SQLITE_BEGINS))
    except OSError as error:
        raise CannotRead(f"{path}: {error.strerror}") from error
    if not begin:
        raise CannotRead(f"{path}: it is empty")
    if begin == _SQLITE_BEGINS:
        return _sqlite(path)
    return _parquet(path) if begin.startswith(_PARQUET_BEGINS) else _csv(path)


def _sqlite(path: Path) -> Opened:
    address = f"{path.resolve().as_uri()}?mode=ro"

    def ask(statement: str) -> Iterator[tuple[object, ...]]:
        try:
            with closing(sqlite3.connect(address, uri=True)) as connection:
                yield from connection.execute(statement)
        except sqlite3.Error as error:
            raise CannotRead(f"{path}: {error}") from error

    columns = [str(row[1]) for row in ask(f"PRAGMA table_info({PRICES_OF_PREDECESSOR})")]
    if not columns:
        raise CannotRead(f"{path}: it has no table {PRICES_OF_PREDECESSOR}, as caiso_connector's has")
    ((size,),) = ask(f"SELECT count(*) FROM {PRICES_OF_PREDECESSOR}")  # noqa: S608  # a name of ours

    def lines() -> Iterator[Line]:
        names = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
        rows = ask(f"SELECT rowid, {names} FROM {PRICES_OF_PREDECESSOR} ORDER BY rowid")  # noqa: S608  # names of its own
        for done, (number, *values) in enumerate(rows, 1):
            yield int(str(number)), dict(zip(columns, values, strict=True)), done

    return Opened(columns, int(str(size)), lines, is_predecessors=True)


def _csv(path: Path) -> Opened:
    def lines() -> Iterator[Line]:
        with path.open("rb") as file:
            texts = _Texts(path, iter(file))
            reader = csv.reader(texts, strict=True)
            try:
                header = next(reader)
                for values in reader:
                    if values:
                        yield reader.line_num, _named(header, values), texts.bytes_read
            except csv.Error as error:
                raise CannotRead(f"{path}: line {reader.line_num}: {error}") from error

    try:
        with path.open("rb") as file:
            columns = next(csv.reader(_Texts(path, iter(file)), strict=True))
    except (csv.Error, StopIteration) as error:
        raise CannotRead(f"{path}: it is no SQLite database, no Parquet and no CSV with a header: {error}") from error
    return Opened(columns, path.stat().st_size, lines)


def _named(header: Sequence[str], values: Sequence[str]) -> Mapping[str, object] | str:
    if len(values) != len(header):
        return f"it has {len(values)} columns, the header {len(header)}"
    return dict(zip(header, values, strict=True))


class _Texts(Iterator[str]):
    """Lines of a file as text, which tells how many bytes they were."""

    def __init__(self, path: Path, lines: Iterator[bytes]) -> None:
        self._path = path
        self._lines = lines
        self._number = 0
        self.bytes_read = 0

    def __next__(self) -> str:
        line = next(self._lines)
        self.bytes_read += len(line)
        self._number += 1
        try:
            return line.decode("utf-8-sig" if self._number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise CannotRead(f"{self._path}: line {self._number} is no UTF-8") from error


def _parquet(path: Path) -> Opened:
    import pyarrow as pa  # noqa: PLC0415  # a tenth of a second, for this alone
    import pyarrow.parquet as pq  # noqa: PLC0415

    def failed(error: Exception) -> CannotRead:
        return CannotRead(f"{path}: {error}")

    def lines() -> Iterator[Line]:
        try:
            with pq.ParquetFile(path) as file:
                number = 0
                for batch in file.iter_batches(_ROWS_AT_ONCE):
                    for values in _in_microseconds(batch).to_pylist():
                        number += 1
                        yield number, values, number
        except (pa.ArrowException, OSError) as error:
            raise failed(error) from error

    def _in_microseconds(batch: pa.RecordBatch) -> pa.RecordBatch:
        """Finer times are none that Python has."""
        fields = [
            pa.field(field.name, pa.timestamp("us", field.type.tz)) if pa.types.is_timestamp(field.type) else field
            for field in batch.schema
        ]
        return batch.cast(pa.schema(fields))

    try:
        with pq.ParquetFile(path) as file:
            return Opened(file.schema_arrow.names, file.metadata.num_rows, lines)
    except (pa.ArrowException, OSError) as error:
        raise failed(error) from error
