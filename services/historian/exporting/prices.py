"""Prices into a file that is there whole or not at all: some trade days at once, so that what the database sorts has an end."""

import os
import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO, Final, Protocol

import pyarrow.parquet as pq

from historian.api.formats.schema import as_said, schema_of
from historian.api.formats.texts import as_plain_types, as_text
from historian.api.problems import Sort, unknown
from historian.api.questions.nodes import KNOWN_OF, NEAR
from historian.api.questions.prices import RAW_COLUMNS
from historian.api.questions.question import Column, Kind, Question
from historian.api.request.times import Range, Zone, trade_date_of, trade_day
from historian.api.streaming import Interruption, Streaming

DAYS_AT_ONCE: Final = 7
"""A connection for each day of a year would take longer than its prices."""
COLUMNS: Final = (
    Column("environment", Kind.TEXT, "", "Which CAISO spoke: production, stage (its test systems) or simulator."),
    *RAW_COLUMNS,
)


@dataclass(frozen=True)
class Wanted:
    """Which prices.

    Attributes:
        times: intervals that start in it.
        nodes: by name; none is all of them. The same of markets and environments.
    """

    times: Range
    nodes: Sequence[str] = ()
    markets: Sequence[str] = ()
    environments: Sequence[str] = ()

    @property
    def parts(self) -> list[Range]:
        """The same by some trade dates each."""
        parts, start = [], self.times.start
        while start < self.times.end:
            last = trade_date_of(start) + (DAYS_AT_ONCE - 1) * timedelta(days=1)
            end = min(trade_day(last).end, self.times.end)
            parts.append(Range(start, end))
            start = end
        return parts


def question_of(wanted: Wanted, part: Range) -> Question:
    """The newest price of each node and interval of a part."""
    asked = {"node": wanted.nodes, "market": wanted.markets, "environment::text": wanted.environments}
    parameters: dict[str, object] = {"start": part.start, "end": part.end}
    words = ["interval_start >= %(start)s AND interval_start < %(end)s"]
    for number, (column, values) in enumerate(asked.items()):
        if values:
            parameters[f"of_{number}"] = list(values)
            words.append(f"{column} = ANY(%(of_{number})s)")
    names = ", ".join(column.name for column in COLUMNS)
    order = "environment, market, node, interval_start"
    sql = f"SELECT {names} FROM price_latest WHERE {' AND '.join(words)} ORDER BY {order}"  # noqa: S608  # names of ours
    return Question(sql, parameters, COLUMNS)


def require_nodes(streaming: Streaming, names: Sequence[str]) -> None:
    """See that every node is known: a name that is misspelt must not come to a file without prices in place of a good one.

    Raises:
        Problem: one is not, with those near to it.
        StreamFailed: the database did not say.
    """
    with streaming.connected() as connection, connection.cursor() as cursor:
        cursor.execute(KNOWN_OF, {"nodes": list(names)})
        known = {node for (node,) in cursor}
        for name in names:
            if name not in known:
                cursor.execute(NEAR, {"name": name})
                raise unknown(Sort.UNKNOWN_NODE, "--node", name, [node for (node,) in cursor])


class Writer(Protocol):
    """Writes parts into a file, one after the other."""

    def __call__(
        self, streaming: Streaming, questions: Iterator[Question], zone: Zone, file: BinaryIO, done: Callable[[int], None]
    ) -> None:
        """Write all of them, and say of each how many prices it had."""
        ...


def export(streaming: Streaming, wanted: Wanted, path: Path, zone: Zone, done: Callable[[int], None]) -> None:
    """Write prices into a file, by its suffix. Whoever reads the path meanwhile finds what was there before.

    Raises:
        StreamFailed: the database gave no more; nothing is left of it.
        OSError: the file cannot be written; the same.
    """
    questions = (question_of(wanted, part) for part in wanted.parts)
    with _whole(path) as file:
        WRITERS[path.suffix.lower()](streaming, questions, zone, file, done)


@contextmanager
def _whole(path: Path) -> Iterator[BinaryIO]:
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _write_csv(
    streaming: Streaming, questions: Iterator[Question], zone: Zone, file: BinaryIO, done: Callable[[int], None]
) -> None:
    for number, question in enumerate(questions):
        piece = _Lines(file, with_header=number == 0)
        streaming.copy(as_text(question, zone), question, piece, Interruption())
        done(piece.count - 1)


class _Lines:
    """A sink for a part's CSV, which counts its lines and leaves out the header of all but the first."""

    def __init__(self, file: BinaryIO, *, with_header: bool) -> None:
        self._file = file
        self._is_past_header = with_header
        self.count = 0

    def __call__(self, piece: bytes) -> None:
        self.count += piece.count(b"\n")
        if not self._is_past_header:
            _, end, piece = piece.partition(b"\n")
            self._is_past_header = bool(end)
        self._file.write(piece)


def _write_parquet(
    streaming: Streaming, questions: Iterator[Question], zone: Zone, file: BinaryIO, done: Callable[[int], None]
) -> None:
    schema = schema_of(COLUMNS, zone)
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        for question in questions:
            count = 0
            with streaming.batches(as_plain_types(question), question, Interruption()) as batches:
                for batch in as_said(batches, schema):
                    count += batch.num_rows
                    writer.write_batch(batch)
            done(count)


WRITERS: Final[Mapping[str, Writer]] = {".csv": _write_csv, ".parquet": _write_parquet}
"""By the suffix of the file."""
