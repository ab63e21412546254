"""What the views say of an event, read without the historian's own code, to be held against what was decoded."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
from historian_parts import named

from dotbus.contracts.instruction_times import standing_of, times_of
from dotbus.contracts.messages import (
    AlarmChanged,
    Dispatch,
    Instruction,
    InstructionAnswered,
    PointWritten,
    Prices,
    TrajectoryBatch,
    UpstreamGap,
)

Event = Dispatch | TrajectoryBatch | InstructionAnswered | PointWritten | Prices | UpstreamGap | AlarmChanged
PRICES = ("lmp_usd_per_mwh", "energy_usd_per_mwh", "congestion_usd_per_mwh", "loss_usd_per_mwh", "ghg_usd_per_mwh")


def visible(value: Any) -> Any:
    """A value as PostgreSQL can hold it."""
    if isinstance(value, str):
        return str(value).replace("\0", "␀")
    if isinstance(value, dict):
        return {visible(key): visible(entry) for key, entry in value.items()}
    return value


def told(event: Event) -> list[tuple[str, dict[str, Any]]]:
    """The rows that an event must have, each with its view."""
    return [(view, {name: visible(value) for name, value in row.items()}) for view, row in _told(event)]


def _told(event: Event) -> Iterator[tuple[str, dict[str, Any]]]:
    common = {name: getattr(event, name) for name in ("environment", "source", "stream", "seq", "time")} | {
        "event_id": event.id
    }
    match event:
        case Dispatch():
            of_batch = {**common, "plant": event.plant, "resource_id": event.resource_id, "batch_uid": event.batch.batch_uid}
            yield "dispatch_batch_history", {**msgspec.structs.asdict(event.batch), **of_batch}
            for instruction in event.instructions:
                row = msgspec.structs.asdict(instruction)
                details, row["own_batch_uid"] = row.pop("details"), row.pop("batch_uid")
                yield "instruction_history", {**row, **of_batch, **_decided(event, instruction)}
                for position, detail in enumerate(details, 1):
                    uid = {"position": position, "instruction_uid": instruction.instruction_uid}
                    yield DETAILS, {**msgspec.structs.asdict(detail), **uid}
        case TrajectoryBatch():
            of_batch = {**common, "plant": event.plant, "resource_id": event.resource_id, "batch_uid": event.batch.batch_uid}
            for dop in event.dops:
                yield "dop_history", {**msgspec.structs.asdict(dop), **of_batch}
            for record in event.compliance:
                yield "compliance_history", {**msgspec.structs.asdict(record), **of_batch}
            yield CURVES, msgspec.structs.asdict(event.batch)
        case InstructionAnswered() | PointWritten() | UpstreamGap() | AlarmChanged():
            said = msgspec.structs.asdict(event)
            unknown = {"version", "id", "response_seq", "write_seq", "alarm_seq"}
            yield _view_of(event), {**common, **{name: said[name] for name in said.keys() - unknown}}
        case Prices():
            times = {name: getattr(event, name) for name in ("market", "interval_start", "interval_end", "fetched_at")}
            for place, node in enumerate(event.nodes):
                yield (
                    "price_history",
                    {**common, **times, "node": node, **{name: getattr(event, name)[place] for name in PRICES}},
                )


def _decided(event: Dispatch, instruction: Instruction) -> dict[str, Any]:
    """What CAISO leaves open, as the bus has it."""
    times, held = times_of(event.batch, instruction), standing_of(event.batch, instruction)
    names = ("interval_start", "interval_end", "target_at")
    return {
        **{name: times and getattr(times, name) for name in names},
        "standing": held and held.standing.value,
        "standing_mw": held and held.dot_mw,
    }


CURVES = "trajectory_batch"
WHOLE: dict[type[Event], str] = {
    InstructionAnswered: "instruction_response_history",
    PointWritten: "point_write_history",
    UpstreamGap: "upstream_gap_history",
    AlarmChanged: "alarm_event_history",
}
"""Views of events that are one row."""


def _view_of(event: Event) -> str:
    return next(view for kind, view in WHOLE.items() if isinstance(event, kind))


DETAILS = "instruction_detail"


def numbers_of(url: str, event: Event) -> list[int]:
    """The numbers of the events that are stored under an event's key."""
    match event:
        case Dispatch():
            return _numbers_of_dispatch(url, event)
        case TrajectoryBatch():
            view, column = "trajectory_batch", "event_no"
            key = {"batch_uid": event.batch.batch_uid, "resource_id": event.resource_id}
        case InstructionAnswered() | PointWritten() | UpstreamGap() | AlarmChanged():
            view, column, key = _view_of(event), "event_no", {"event_id": event.id}
        case Prices():
            view, column, key = "price_report", "report_no", {"event_id": event.id}
    found = _numbers_at(url, event, view, column, key)
    return found or (_reports_of_one_time(url, event) if isinstance(event, Prices) else [])


def _numbers_of_dispatch(url: str, event: Dispatch) -> list[int]:
    """One that does not name its resource has a key of its own, and is passed over beside one that does."""
    status = "-" if event.batch.batch_status is None else event.batch.batch_status
    revision = event.id if event.batch.revision_no is None else f"{event.batch.revision_no}.{status}"
    is_silent = not event.instructions and event.batch.revision_no is not None
    key = {"batch_uid": event.batch.batch_uid, "resource_id": event.resource_id}
    for one in (f"{revision}/unnamed", revision) if is_silent else (revision,):
        if found := _numbers_at(url, event, "dispatch_batch_history", "event_no", {**key, "revision_key": one}):
            return found
    return []


def _numbers_at(url: str, event: Event, view: str, column: str, key: dict[str, str]) -> list[int]:
    asked = {name: visible(value) for name, value in {**key, "environment": event.environment}.items()}
    conditions = " AND ".join(f"{name}::text = %s" for name in asked)
    return [row[column] for row in named(url, f"SELECT {column} FROM {view} WHERE {conditions}", *asked.values())]


def _reports_of_one_time(url: str, event: Prices) -> list[int]:
    """The same prices may have come under another id before."""
    statement = """
        SELECT report_no FROM price_report JOIN node ON node_no = first_node_no
        WHERE environment::text = %s AND market = %s AND interval_start = %s AND fetched_at = %s AND node = %s"""
    said = (str(event.environment), visible(event.market), event.interval_start, event.fetched_at, visible(event.nodes[0]))
    return [row["report_no"] for row in named(url, statement, *said)]


def is_stored(url: str, event: Event) -> bool:
    """Whether each row of an event is there once, with every value, and no other."""
    rows, numbers = told(event), numbers_of(url, event)
    if len(numbers) != 1:
        return False
    column = "report_no" if isinstance(event, Prices) else "event_no"
    for view in {view for view, _ in rows}:
        expected = [row for name, row in rows if name == view]
        found = named(url, f"SELECT * FROM {view} WHERE {column} = %s", numbers[0])
        if sorted(_key({name: row[name] for name in expected[0]}) for row in found) != sorted(map(_key, expected)):
            return False
    return True


def _key(row: dict[str, Any]) -> str:
    """A row to compare: times as instants, the unknown elements in no order."""
    return repr(sorted((name, _comparable(value)) for name, value in row.items()))


def _comparable(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    return sorted(value.items()) if isinstance(value, dict) else value
