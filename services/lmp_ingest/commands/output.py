"""Output: prices as a table, as CSV, as JSON (one object a line) or as Parquet. Absent is empty or null, never 0."""

import io
import sys
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from rich.console import Console
from rich.table import Table

from caiso.oasis import Prices
from dotbus.runtime.settings.mistakes import ConfigurationRefused, Mistake

_ROWS_AT_ONCE: Final = 50_000
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


class Format(StrEnum):
    """How prices are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def require_writable(form: Format, path: Path | None) -> None:
    """Look at where prices are to be written before anybody is asked for them.

    Raises:
        ConfigurationRefused: Parquet is no text and no file is named, or the file cannot be one.
    """
    if form is Format.PARQUET and path is None:
        raise _refused("is to name a file: Parquet is no text")
    if path is not None and path.is_dir():
        raise _refused(f"{path} is a folder")
    if path is not None and not path.parent.is_dir():
        raise _refused(f"there is no folder {path.parent}")


def _refused(reason: str) -> ConfigurationRefused:
    return ConfigurationRefused([Mistake("command line", "--out", reason)])


def write(prices: Prices, form: Format, path: Path | None) -> None:
    """Write prices to a file, or to standard output where no file is named.

    Raises:
        ConfigurationRefused: see `require_writable`.
        OSError: the file cannot be written.
    """
    require_writable(form, path)
    if form is Format.PARQUET:
        pyarrow.parquet.write_table(with_market(prices), path)
        return
    if path is None:
        _WRITERS[form](prices, sys.stdout.buffer)
        sys.stdout.buffer.flush()
        return
    with path.open("wb") as file:
        _WRITERS[form](prices, file)


def with_market(prices: Prices) -> pa.Table:
    """The table with the market beside the node, as each row needs it that stands alone."""
    market = pa.array([prices.market.value] * len(prices), pa.string())
    return prices.table.add_column(1, pa.field("market", pa.string(), nullable=False), market)


def _write_csv(prices: Prices, file: BinaryIO) -> None:
    table = with_market(prices)
    for name in ("interval_start", "interval_end"):
        table = table.set_column(table.schema.get_field_index(name), name, pc.strftime(table[name], _TIME))
    node = table["node"].cast(pa.string())
    file.write(f"{','.join(table.column_names)}\n".encode())  # pyarrow would quote it
    options = pyarrow.csv.WriteOptions(include_header=False, quoting_style="none")
    pyarrow.csv.write_csv(table.set_column(0, "node", node), file, options)


def _write_json(prices: Prices, file: BinaryIO) -> None:
    encoder = msgspec.json.Encoder()
    file.writelines(encoder.encode_lines(lines) for lines in _pieces(prices))


def _pieces(prices: Prices) -> Iterator[list[Mapping[str, object]]]:
    piece: list[Mapping[str, object]] = []
    for row in prices.rows():
        piece.append({"node": row.pop("node"), "market": prices.market.value, **row})
        if len(piece) == _ROWS_AT_ONCE:
            yield piece
            piece = []
    yield piece


def _write_table(prices: Prices, file: BinaryIO) -> None:
    table = Table("node", "interval start (UTC)", title=f"{prices.market}, USD/MWh", title_justify="left")
    for name in ("LMP", "energy", "congestion", "loss", "GHG"):
        table.add_column(name, justify="right")
    for row in prices.rows():
        values = [row[name] for name in prices.table.schema.names[3:]]
        shown = ["" if value is None else f"{value:.5f}".rstrip("0").rstrip(".") for value in values]
        table.add_row(row["node"], f"{row['interval_start']:%Y-%m-%d %H:%M}", *shown)
    text = io.TextIOWrapper(file, "utf-8", write_through=True)
    Console(file=text, width=None if sys.stdout.isatty() else 120).print(table)
    text.detach()


_WRITERS: Mapping[Format, Callable[[Prices, BinaryIO], None]] = {
    Format.TABLE: _write_table,
    Format.CSV: _write_csv,
    Format.JSON: _write_json,
}
