"""Reads a reply in one of our ways, and tells what that took.

    python bench/oasis/read.py columns|messages|pyarrow FILE TIMES

columns: zip to prices with their components side by side. messages: on to the JSON of the bus, of a hundred nodes each, thrown
away as it is made. pyarrow: each member as CSV with nothing chosen, also thrown away, which is less than anybody needs.
"""

import io
import sys
import zipfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.csv
from told import tell

NOW = datetime(2026, 7, 2, 20, tzinfo=UTC)
NODES_PER_EVENT = 100
Read = Callable[[], tuple[int, float]]


def by_pyarrow(content: bytes) -> Read:
    """The rows of every member."""

    def read() -> tuple[int, float]:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return sum(len(pyarrow.csv.read_csv(archive.open(name))) for name in archive.namelist()), 0.0

    return read


def to_columns(content: bytes) -> Read:
    """Prices as a table."""
    from caiso.oasis import parse_saved  # noqa: PLC0415  # its memory is not pyarrow's

    def read() -> tuple[int, float]:
        table = parse_saved(content).table
        return len(table), table["lmp_usd_per_mwh"].to_numpy().sum()

    return read


def to_messages(content: bytes) -> Read:
    """Prices as what is published."""
    from caiso.oasis import parse_saved  # noqa: PLC0415
    from dotbus.contracts.codec import encode  # noqa: PLC0415
    from lmp_ingest.known.price_block import block_of  # noqa: PLC0415
    from lmp_ingest.translate import Sender, price_events  # noqa: PLC0415

    def read() -> tuple[int, float]:
        block, sender, count, total = block_of(parse_saved(content), NOW), Sender("simulator", "lmp_ingest/bench"), 0, 0.0
        for event in price_events(sender, block, block.is_priced, NOW, NODES_PER_EVENT):
            encode(event)
            count, total = count + len(event.nodes), total + sum(event.lmp_usd_per_mwh)
        return count, total

    return read


WAYS: Mapping[str, Callable[[bytes], Read]] = {"columns": to_columns, "messages": to_messages, "pyarrow": by_pyarrow}


if __name__ == "__main__":
    tell(WAYS[sys.argv[1]](Path(sys.argv[2]).read_bytes()), int(sys.argv[3]))
