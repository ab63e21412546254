"""A database as the historian of the tables 0001 and 0002 left it: made with SQL, as that version wrote its rows."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import msgspec
import psycopg2
from psycopg2.extras import Json

from dotbus.contracts.messages import Dispatch, Prices, ServiceStatus, TrajectoryBatch
from historian.database import Database
from historian.migrations import upgrade

Event = Dispatch | TrajectoryBatch | Prices
COLUMNS_OF_PRICES = ("lmp", "energy", "congestion", "loss", "ghg")


def make_tables(url: str, revision: str) -> None:
    """The tables of a revision, in `public`."""
    database = Database(url, "public")
    with database.transaction() as connection:
        upgrade(connection, revision)
    database.close()


def write(url: str, events: Iterable[Event], received_at: datetime) -> None:
    """Store events as that version did: a row whose key is taken is passed over."""
    for event in events:
        for table, row in _rows(event):
            _insert(url, table, {**row, **_of_event(event), "received_at": received_at})


def write_status(url: str, status: ServiceStatus, received_at: datetime) -> None:
    """Store what a service said of itself."""
    told = msgspec.to_builtins(status)
    names = ("environment", "source", "service", "instance", "online", "started_at", "software_version", "cursors", "time")
    row = {name: getattr(status, name) for name in names}
    details = {"upstreams": Json(told["upstreams"]), "outbox": Json(told["outbox"])}
    _insert(url, "service_state", {**row, **details, "heard_at": status.time, "received_at": received_at})


def _rows(event: Event) -> Iterable[tuple[str, dict[str, Any]]]:
    match event:
        case Dispatch():
            yield from _of_dispatch(event)
        case TrajectoryBatch():
            of_batch = {"batch_uid": event.batch.batch_uid}
            of_resource = {**of_batch, "plant": event.plant, "resource_id": event.resource_id}
            yield "trajectory_batch", msgspec.structs.asdict(event.batch)
            for dop in event.dops:
                yield "dop", {**of_resource, **msgspec.structs.asdict(dop)}
            for record in event.compliance:
                yield "compliance", {**of_resource, **msgspec.structs.asdict(record)}
        case Prices():
            times = {name: getattr(event, name) for name in ("market", "interval_start", "interval_end", "fetched_at")}
            for place, node in enumerate(event.nodes):
                names = [f"{name}_usd_per_mwh" for name in COLUMNS_OF_PRICES]
                yield "price", {"node": node, **times, **{name: getattr(event, name)[place] for name in names}}


def _of_dispatch(event: Dispatch) -> Iterable[tuple[str, dict[str, Any]]]:
    batch = event.batch
    status = "-" if batch.batch_status is None else batch.batch_status
    key = {
        "batch_uid": batch.batch_uid,
        "revision_key": event.id if batch.revision_no is None else f"{batch.revision_no}.{status}",
    }
    yield "dispatch_batch", {**msgspec.structs.asdict(batch), **key}
    of_resource = {**key, "plant": event.plant, "resource_id": event.resource_id}
    for instruction in event.instructions:
        row = msgspec.structs.asdict(instruction)
        details, row["own_batch_uid"] = row.pop("details"), row["batch_uid"]
        yield "instruction", {**row, **of_resource, "revision_no": batch.revision_no}
        for position, detail in enumerate(details, 1):
            uid = {"instruction_uid": instruction.instruction_uid, "position": position}
            yield "instruction_detail", {**msgspec.structs.asdict(detail), **of_resource, **uid}


def _of_event(event: Event) -> dict[str, Any]:
    said = {name: getattr(event, name) for name in ("environment", "source", "stream", "seq", "time")}
    return {**said, "event_id": event.id}


def _insert(url: str, table: str, row: Mapping[str, Any]) -> None:
    values = {name: Json(value) if isinstance(value, dict) else value for name, value in row.items()}
    columns, places = ", ".join(values), ", ".join(["%s"] * len(values))
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            text = f"INSERT INTO public.{table} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING"
            cursor.execute(text, [str(value) if isinstance(value, str) else value for value in values.values()])
    finally:
        connection.close()
