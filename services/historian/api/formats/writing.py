"""Writing: a question's answer into a sink, as CSV, Arrow or Parquet."""

from collections.abc import Callable, Mapping

import pyarrow as pa
import pyarrow.parquet as pq

from historian.api.formats.compression import packed
from historian.api.formats.negotiation import Coding, Format
from historian.api.formats.schema import as_said, row_groups, schema_of
from historian.api.formats.sink import Sink, as_file
from historian.api.formats.texts import as_plain_types, as_text
from historian.api.questions.question import Question
from historian.api.request.times import Zone
from historian.api.streaming import Interruption, Streaming

ROW_GROUP_ROWS = 65_536
"""Of Parquet: a reader opens one at a time, and the writer holds one."""
_Writer = Callable[[Streaming, Question, Zone, Sink, Interruption], None]


def write_answer(
    streaming: Streaming,
    question: Question,
    sink: Sink,
    form: Format,
    *,
    zone: Zone = Zone.UTC,
    coding: Coding = Coding.NONE,
    interruption: Interruption | None = None,
) -> None:
    """Ask, and write what comes as it comes. When it returns all of it is in the sink; when it raises, what is there is cut.

    Raises:
        StreamFailed: the database gave no more.
        ReaderGone: nobody takes it.
        Stopped: somebody gave the interruption.
    """
    taken, end = packed(sink, coding)
    _WRITERS[form](streaming, question, zone, taken, interruption or Interruption())
    end()


def _write_csv(streaming: Streaming, question: Question, zone: Zone, sink: Sink, interruption: Interruption) -> None:
    streaming.copy(as_text(question, zone), question, sink, interruption)


def _write_arrow(streaming: Streaming, question: Question, zone: Zone, sink: Sink, interruption: Interruption) -> None:
    """An IPC stream. One that is cut has no end-of-stream mark."""
    schema = schema_of(question.columns, zone)
    with streaming.batches(as_plain_types(question), question, interruption) as batches, as_file(sink) as file:
        writer = pa.ipc.new_stream(file, schema)
        for batch in as_said(batches, schema):
            writer.write_batch(batch)
        writer.close()


def _write_parquet(streaming: Streaming, question: Question, zone: Zone, sink: Sink, interruption: Interruption) -> None:
    """A file by row groups. Its footer comes last: one that is cut opens nowhere."""
    schema = schema_of(question.columns, zone)
    with streaming.batches(as_plain_types(question), question, interruption) as batches, as_file(sink) as file:
        writer = pq.ParquetWriter(file, schema, compression="zstd")
        for group in row_groups(as_said(batches, schema), schema, ROW_GROUP_ROWS):
            writer.write_table(group, row_group_size=group.num_rows)
        writer.close()


_WRITERS: Mapping[Format, _Writer] = {Format.CSV: _write_csv, Format.ARROW: _write_arrow, Format.PARQUET: _write_parquet}
