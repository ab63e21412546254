"""Rows: an event as lines for COPY, each for one table or one month of it. Pure but for the numbers, which are asked for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, repeat
from operator import attrgetter
from typing import Any

import msgspec

from dotbus.contracts.instruction_times import standing_of, times_of
from dotbus.contracts.messages import (
    Compliance,
    Dispatch,
    DispatchBatchHeader,
    Dop,
    Instruction,
    InstructionDetail,
    Prices,
    TrajectoryBatch,
    TrajectoryBatchHeader,
)
from historian.write.copying import Row, extra, lines
from historian.write.digest import PRICE_COLUMNS
from historian.write.numbers import Numbers
from historian.write.record import EventMessage, Recorded

_LINES_AT_ONCE = 5000
_OF_EVENT = ("origin_no", "seq", "event_id", "digest", "time", "received_at")


def _fields(struct: type[msgspec.Struct], *without: str) -> tuple[str, ...]:
    return tuple(name for name in struct.__struct_fields__ if name not in (*without, "extra"))


_HEADER = _fields(DispatchBatchHeader)
_INSTRUCTION = _fields(Instruction, "resource_id", "details")
_DETAIL = _fields(InstructionDetail)
_CURVE = _fields(TrajectoryBatchHeader)
_DOP = _fields(Dop)
_COMPLIANCE = _fields(Compliance)

COLUMNS = {
    "dispatch_batch": ("event_no", "environment", "revision_key", "resource_id", "plant", *_HEADER, "extra", *_OF_EVENT),
    "instruction": (
        *("event_no", "resource_id", "interval_start", "interval_end", "target_at", "standing", "standing_mw", "is_newest"),
        *("own_batch_uid" if name == "batch_uid" else name for name in _INSTRUCTION),
        "extra",
    ),
    "instruction_detail": ("event_no", "instruction_uid", "interval_start", "position", *_DETAIL, "extra"),
    "trajectory_batch": ("event_no", "environment", "resource_id", "plant", *_CURVE, "extra", *_OF_EVENT),
    "dop": ("event_no", "resource_id", *_DOP, "extra"),
    "compliance": ("event_no", "resource_id", *_COMPLIANCE, "extra"),
    "price_report": (
        *("report_no", "environment", "market", "interval_start", "interval_end", "fetched_at", "first_node_no"),
        *_OF_EVENT,
    ),
    "price": ("interval_start", "report_no", "node_no", *PRICE_COLUMNS),
}
"""What is copied into each table, in the order of the lines."""

_of_header, _of_instruction, _of_detail = attrgetter(*_HEADER), attrgetter(*_INSTRUCTION), attrgetter(*_DETAIL)
_of_curve, _of_dop, _of_compliance = attrgetter(*_CURVE), attrgetter(*_DOP), attrgetter(*_COMPLIANCE)

Month = int | None
Part = tuple[str, Month]
"""A table, and the month that its rows are of, counted from year 0; None where none is, or rows have no time."""


class Rows:
    """The lines of a batch of events, by table and month.

    Args:
        numbers: has learnt the names of all events that are added.
    """

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._rows: defaultdict[Part, list[Row]] = defaultdict(list)
        self._prices: defaultdict[Part, list[Iterable[Row]]] = defaultdict(list)

    def parts(self) -> Iterator[tuple[Part, Iterable[bytes]]]:
        """What there is to copy: those tables first that say where an event came from, because they have the keys."""
        for part in sorted(self.needed(), key=lambda part: (_ORDER[part[0]], str(part[1]))):
            yield part, lines(chain(self._rows.get(part, ()), chain.from_iterable(self._prices.get(part, ()))))

    def needed(self) -> list[Part]:
        """The tables and months that there are rows for."""
        return [*self._rows, *self._prices]

    def add(self, recorded: Recorded, received_at: datetime) -> None:
        """Add the rows of an event."""
        event = recorded.event
        source = (
            self._numbers.streams.known[recorded.position.stream],
            recorded.position.seq,
            event.id,
            recorded.digest,
            event.time,
            received_at,
        )
        match event:
            case Dispatch():
                self._add_dispatch(event, source)
            case TrajectoryBatch():
                self._add_trajectory(event, source)
            case Prices():
                self._add_prices(event, source)

    def _add_dispatch(self, event: Dispatch, source: Sequence[Any]) -> None:
        event_no = self._numbers.next_event_no()
        header = (event_no, str(event.environment), revision_key(event), event.resource_id, event.plant)
        self._rows["dispatch_batch", None].append((*header, *_of_header(event.batch), extra(event.batch.extra), *source))
        newest = _newest(event.instructions)
        for instruction in event.instructions:
            times, held = times_of(event.batch, instruction), standing_of(event.batch, instruction)
            start, end, target = (times.interval_start, times.interval_end, times.target_at) if times else (None, None, None)
            standing = (held.standing.value, held.dot_mw) if held else (None, None)
            month = _month(start)
            self._rows["instruction", month].append(
                (
                    *(
                        event_no,
                        event.resource_id,
                        start,
                        end,
                        target,
                        *standing,
                        newest[instruction.instruction_uid] is instruction,
                    ),
                    *_of_instruction(instruction),
                    extra(instruction.extra),
                )
            )
            for position, detail in enumerate(instruction.details, 1):
                self._rows["instruction_detail", month].append(
                    (
                        event_no,
                        instruction.instruction_uid,
                        start,
                        position,
                        *_of_detail(detail),
                        extra(detail.extra),
                    )
                )

    def _add_trajectory(self, event: TrajectoryBatch, source: Sequence[Any]) -> None:
        event_no = self._numbers.next_event_no()
        header = (event_no, str(event.environment), event.resource_id, event.plant)
        self._rows["trajectory_batch", None].append((*header, *_of_curve(event.batch), extra(event.batch.extra), *source))
        for dop in event.dops:
            month = _month(dop.target_at)
            self._rows["dop", month].append((event_no, event.resource_id, *_of_dop(dop), extra(dop.extra)))
        for record in event.compliance:
            month = _month(record.start_at)
            self._rows["compliance", month].append((event_no, event.resource_id, *_of_compliance(record), extra(record.extra)))

    def _add_prices(self, event: Prices, source: Sequence[Any]) -> None:
        report_no = self._numbers.next_report_no()
        nodes = self._numbers.nodes.known
        times = (event.interval_start, event.interval_end, event.fetched_at)
        report = (report_no, str(event.environment), event.market, *times, nodes[event.nodes[0]], *source)
        self._rows["price_report", None].append(report)
        node_nos = [nodes[name] for name in event.nodes]
        columns = (getattr(event, name) for name in PRICE_COLUMNS)
        # Made as they are copied: a message of many nodes is never there as rows.
        rows = zip(repeat(event.interval_start), repeat(report_no), node_nos, *columns, strict=False)
        self._prices["price", _month(event.interval_start)].append(rows)


def _month(time: datetime | None) -> Month:
    if time is None:
        return None
    try:
        utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    except OverflowError:  # the first or the last hours of the calendar, of another offset
        return None
    return utc.year * 12 + utc.month - 1


_ORDER = {table: place for place, table in enumerate(COLUMNS)}


def _newest(instructions: Sequence[Instruction]) -> dict[str, Instruction]:
    """By uid the instruction that counts, of several in one revision of a batch; of equals the one that comes last."""
    newest: dict[str, Instruction] = {}
    for instruction in instructions:
        known = newest.get(instruction.instruction_uid)
        if known is None or (instruction.revision_number or 0) >= (known.revision_number or 0):
            newest[instruction.instruction_uid] = instruction
    return newest


def revision_key(event: Dispatch) -> str:
    """What tells one state of a batch from another. Its status counts too: a cancellation must not pass for a repetition."""
    revision_no, status = event.batch.revision_no, event.batch.batch_status
    return event.id if revision_no is None else f"{revision_no}.{'-' if status is None else status}"


def key_of(event: EventMessage) -> tuple[str, ...]:
    """What tells an event from all others: CAISO's own key, and for prices the id, which is made of what they say."""
    match event:
        case Dispatch():
            return ("dispatch_batch", str(event.environment), event.resource_id, event.batch.batch_uid, revision_key(event))
        case TrajectoryBatch():
            return ("trajectory_batch", str(event.environment), event.resource_id, event.batch.batch_uid, "")
        case Prices():
            return ("price_report", str(event.environment), event.market, event.id, "")
