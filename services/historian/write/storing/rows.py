"""Rows: an event as lines for COPY, each for one table or one month of it. Pure but for the numbers, which are asked for."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import chain, repeat

import msgspec
from msgspec.structs import astuple

from dotbus.contracts.instruction_times import standing_of, times_of
from historian.write.reading.digest import ALARM_COLUMNS, ANSWER_COLUMNS, GAP_COLUMNS, PRICE_COLUMNS, WRITE_COLUMNS
from historian.write.reading.events import (
    KeptAlarm,
    KeptAnswer,
    KeptBatch,
    KeptCompliance,
    KeptCurve,
    KeptDetail,
    KeptDispatch,
    KeptDop,
    KeptGap,
    KeptInstruction,
    KeptPrices,
    KeptTrajectory,
    KeptWrite,
    Key,
)
from historian.write.reading.record import Recorded
from historian.write.storing.copying import Row, extra, lines, number_set
from historian.write.storing.numbers import Numbers

_OF_EVENT = ("origin_no", "seq", "event_id", "digest", "time", "received_at")


def _fields(struct: type[msgspec.Struct], left_out: int = 1) -> tuple[str, ...]:
    """What a row has of a structure, in its order: all but the last, which are no values of their own."""
    return struct.__struct_fields__[:-left_out]


COLUMNS = {
    "dispatch_batch": (
        *("event_no", "environment", "revision_key", "resource_id", "plant", "extra"),
        *_OF_EVENT,
        *_fields(KeptBatch),
    ),
    "instruction": (
        *("event_no", "interval_start", "interval_end", "target_at", "standing", "standing_mw", "is_newest", "extra"),
        *("own_batch_uid" if name == "batch_uid" else name for name in _fields(KeptInstruction, 2)),
    ),
    "instruction_detail": ("event_no", "instruction_uid", "interval_start", "position", "extra", *_fields(KeptDetail)),
    "trajectory_batch": ("event_no", "environment", "resource_id", "plant", "extra", *_OF_EVENT, *_fields(KeptCurve)),
    "dop": ("event_no", "resource_id", "extra", *_fields(KeptDop)),
    "compliance": ("event_no", "resource_id", "extra", *_fields(KeptCompliance)),
    "instruction_response": ("event_no", "environment", *ANSWER_COLUMNS, *_OF_EVENT),
    "point_write": ("event_no", "environment", *WRITE_COLUMNS, *_OF_EVENT),
    "upstream_gap": ("event_no", "environment", *GAP_COLUMNS, *_OF_EVENT),
    "alarm_event": ("event_no", "environment", *ALARM_COLUMNS, *_OF_EVENT),
    "price_report": (
        *("report_no", "environment", "market", "interval_start", "interval_end", "fetched_at", "first_node_no", "node_nos"),
        *_OF_EVENT,
    ),
    "price": ("interval_start", "report_no", "node_no", *PRICE_COLUMNS),
}
"""What is copied into each table, in the order of the lines."""

_Whole = KeptAnswer | KeptWrite | KeptGap | KeptAlarm
Month = int | None
Part = tuple[str, Month]
"""A table, and the month that its rows are of, counted from year 0; None where none is, or rows have no time."""


class Rows:
    """The lines of a batch of events, by table and month.

    Attributes:
        report_nos: the numbers of its reports of prices.

    Args:
        numbers: has learnt the names of all events that are added.
    """

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self.report_nos: list[int] = []
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
        event, position = recorded.event, recorded.position
        stream_no = self._numbers.streams.known[position.stream]
        source = (stream_no, position.seq, event.id, recorded.digest, event.time, received_at)
        match event:
            case KeptDispatch():
                self._add_dispatch(event, recorded.key, source)
            case KeptTrajectory():
                self._add_trajectory(event, recorded.key, source)
            case KeptAlarm():
                self._add_whole("alarm_event", event, ALARM_COLUMNS, source)
            case KeptAnswer():
                self._add_whole("instruction_response", event, ANSWER_COLUMNS, source)
            case KeptWrite():
                self._add_whole("point_write", event, WRITE_COLUMNS, source)
            case KeptGap():
                self._add_whole("upstream_gap", event, GAP_COLUMNS, source)
            case KeptPrices():
                self._add_prices(event, source)

    def _add_whole(self, table: str, event: _Whole, columns: Sequence[str], source: Row) -> None:
        """An event that is one row. What is true or false at a point is 1 or 0 there, as its numbers are."""
        said = (getattr(event, name) for name in columns)
        if isinstance(event, KeptWrite):
            said = (float(value) if isinstance(value, bool) else value for value in said)
        self._rows[table, None].append((self._numbers.next_event_no(), str(event.environment), *said, *source))

    def _add_dispatch(self, event: KeptDispatch, key: Key, source: Row) -> None:
        event_no, batch = self._numbers.next_event_no(), event.batch
        _, environment, resource_id, _, revision = key
        self._rows["dispatch_batch", None].append(
            (event_no, environment, revision, resource_id, event.plant, extra(batch.extra), *source, *astuple(batch)[:-1])
        )
        instructions = event.instructions
        newest = _newest(instructions) if len(instructions) > 1 else None
        for each in instructions:
            times, held = times_of(batch, each), standing_of(batch, each)
            start, end, target = (times.interval_start, times.interval_end, times.target_at) if times else (None, None, None)
            standing, standing_mw = (held.standing, held.dot_mw) if held else (None, None)
            is_newest = newest is None or newest.get(each.instruction_uid, each) is each
            month = month_no(start)
            self._rows["instruction", month].append(
                (event_no, start, end, target, standing, standing_mw, is_newest, extra(each.extra), *astuple(each)[:-2])
            )
            if each.details:
                of_all = (event_no, each.instruction_uid, start)
                self._rows["instruction_detail", month] += [
                    (*of_all, position, extra(detail.extra), *astuple(detail)[:-1])
                    for position, detail in enumerate(each.details, 1)
                ]

    def _add_trajectory(self, event: KeptTrajectory, key: Key, source: Row) -> None:
        event_no, batch = self._numbers.next_event_no(), event.batch
        _, environment, resource_id, _, _ = key
        self._rows["trajectory_batch", None].append(
            (event_no, environment, resource_id, event.plant, extra(batch.extra), *source, *astuple(batch)[:-1])
        )
        for dop in event.dops:
            of_dop = (event_no, resource_id, extra(dop.extra), *astuple(dop)[:-1])
            self._rows["dop", month_no(dop.target_at)].append(of_dop)
        for record in event.compliance:
            of_record = (event_no, resource_id, extra(record.extra), *astuple(record)[:-1])
            self._rows["compliance", month_no(record.start_at)].append(of_record)

    def _add_prices(self, event: KeptPrices, source: Row) -> None:
        report_no = self._numbers.next_report_no()
        nodes = self._numbers.nodes.known
        times = (event.interval_start, event.interval_end, event.fetched_at)
        node_nos = [nodes[name] for name in event.nodes]
        report = (report_no, str(event.environment), event.market, *times, node_nos[0], number_set(node_nos), *source)
        self._rows["price_report", None].append(report)
        self.report_nos.append(report_no)
        columns = (getattr(event, name) for name in PRICE_COLUMNS)
        # Made as they are copied: a message of many nodes is never there as rows.
        rows = zip(repeat(event.interval_start), repeat(report_no), node_nos, *columns, strict=False)
        self._prices["price", month_no(event.interval_start)].append(rows)


def month_no(time: datetime | None) -> Month:
    """The month that a row of this time is of."""
    if time is None:
        return None
    try:
        utc = time if time.tzinfo is UTC else time.astimezone(UTC)
    except OverflowError:  # the first or the last hours of the calendar, of another offset
        return None
    return utc.year * 12 + utc.month - 1


_ORDER = {table: place for place, table in enumerate(COLUMNS)}


def _newest(instructions: Sequence[KeptInstruction]) -> dict[str, KeptInstruction]:
    """By uid the instruction that counts, of several in one revision of a batch; of equals the one that comes last.

    One without a uid is not among them: nothing tells that it is the same as another.
    """
    newest: dict[str, KeptInstruction] = {}
    for instruction in instructions:
        if not instruction.instruction_uid:
            continue
        known = newest.get(instruction.instruction_uid)
        if known is None or (instruction.revision_number or 0) >= (known.revision_number or 0):
            newest[instruction.instruction_uid] = instruction
    return newest
