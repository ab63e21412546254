"""Statuses: what services said of themselves, into stretches of time in which each said the same. All of a batch at once.

A status from before the latest is one that the broker sent again. A last will says when its connection was made and not when it
broke, so it is no older than anything. One from the future is as old as its arrival.
"""

import zlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import sqlalchemy as sa

from dotbus.contracts.messages import ServiceStatus
from historian.database import Connection, take_turns

_LOCK = 0x73746174
"""First key of the advisory lock that orders the statuses of one service between historians: "stat" in ASCII."""
_AHEAD = timedelta(seconds=10)
"""A status from further in the future is of a clock that is wrong: it must not outlast those that come after it."""
_LATEST = sa.text("""
    SELECT s.id, s.environment::text, s.source, s.online, s.started_at, s.software_version, s.upstreams, s.heard_at
    FROM unnest(CAST(:environments AS text[]), CAST(:services AS text[]), CAST(:instances AS text[]))
      AS k (environment, service, instance)
    CROSS JOIN LATERAL (
      SELECT * FROM service_state AS l
      WHERE l.environment = CAST(k.environment AS environment) AND l.service = k.service AND l.instance = k.instance
      ORDER BY l.id DESC LIMIT 1
    ) AS s""")
_DETAILS = ("upstreams", "outbox", "cursors", "certificate_days_left")
_SAID = ("environment", "source", "service", "instance", "online", "started_at", "software_version")
_COLUMNS = ", ".join((*_SAID, "time", "heard_at", "received_at", *_DETAILS))
_ROWS = "jsonb_populate_recordset(CAST(NULL AS service_state), CAST(:rows AS jsonb))"
_LONGER = sa.text(
    "UPDATE service_state AS s SET heard_at = r.heard_at, "  # noqa: S608  # names of ours
    + ", ".join(f"{name} = r.{name}" for name in _DETAILS)
    + f" FROM {_ROWS} AS r WHERE s.id = r.id"
)
_NEW = sa.text(f"INSERT INTO service_state ({_COLUMNS}) SELECT {_COLUMNS} FROM {_ROWS}")  # noqa: S608  # names of ours

Service = tuple[str, str]
"""Environment and source."""
Hears = list[tuple[Any, ...]]


class _Stretch(msgspec.Struct):
    """A stretch of time in which a service said the same of itself.

    Attributes:
        id: its row; None when it is new.
        first: the status that began it; None when it has a row.
        latest: the last one, unless nothing was said since the row was written.
    """

    online: bool
    started_at: datetime
    software_version: str
    hears: Hears
    heard_at: datetime
    id: int | None = None
    first: ServiceStatus | None = None
    received_at: datetime | None = None
    latest: ServiceStatus | None = None

    def is_of(self, status: ServiceStatus) -> bool:
        """Whether a status says the same: there or not, the same process, each upstream heard or failing with one cause.

        A last will knows nothing of upstreams.
        """
        before = (self.online, self.started_at, self.software_version)
        if before != (status.online, status.started_at, status.software_version):
            return False
        return not status.online or self.hears == _hears(msgspec.to_builtins(status.upstreams))

    def row(self) -> dict[str, object]:
        """As the table has it."""
        told: dict[str, object] = {"id": self.id, "heard_at": self.heard_at}
        if self.first:
            told |= {name: getattr(self.first, name) for name in _SAID}
            told |= {"time": self.first.time, "received_at": self.received_at}
        return told | {name: getattr(self.latest, name) for name in _DETAILS}


def keep_statuses(connection: Connection, statuses: Sequence[tuple[ServiceStatus, datetime]]) -> None:
    """Keep statuses with their arrivals, within a transaction, in the order in which they came."""
    of_services = {_service(status): status for status, _ in statuses}
    take_turns(connection, _LOCK, {_lock_of(service) for service in of_services})
    stretches = _latest(connection, list(of_services.values()))
    for status, received_at in statuses:
        _add(stretches.setdefault(_service(status), []), status, received_at)
    told = [stretch for service in stretches.values() for stretch in service if stretch.latest]
    for statement, rows in (
        (_LONGER, [stretch.row() for stretch in told if stretch.id is not None]),
        (_NEW, [stretch.row() for stretch in told if stretch.id is None]),
    ):
        if rows:
            connection.execute(statement, {"rows": msgspec.json.encode(rows).decode()})


def _service(status: ServiceStatus) -> Service:
    return str(status.environment), status.source


def _lock_of(service: Service) -> int:
    return zlib.crc32("/".join(service).encode()) - 2**31


def _latest(connection: Connection, statuses: Sequence[ServiceStatus]) -> dict[Service, list[_Stretch]]:
    """The stretch that each service is in, as far as it is stored."""
    parameters: dict[str, object] = {
        "environments": [str(status.environment) for status in statuses],
        "services": [status.service for status in statuses],
        "instances": [status.instance for status in statuses],
    }
    return {
        (row.environment, row.source): [
            _Stretch(row.online, row.started_at, row.software_version, _hears(row.upstreams), row.heard_at, row.id)
        ]
        for row in connection.execute(_LATEST, parameters)
    }


def _add(stretches: list[_Stretch], status: ServiceStatus, received_at: datetime) -> None:
    """Make the latest stretch longer, or begin another."""
    last = stretches[-1] if stretches else None
    last_heard_at = last.heard_at if last and last.heard_at <= received_at + _AHEAD else None
    said_at = status.time if status.time <= received_at + _AHEAD else received_at
    if last_heard_at and status.online and said_at <= last_heard_at:
        return
    heard_at = max(said_at, last_heard_at) if last_heard_at else said_at
    hears = _hears(msgspec.to_builtins(status.upstreams))
    if last and last.is_of(status):
        last.heard_at, last.hears, last.latest = heard_at, hears, status
    else:
        process = (status.online, status.started_at, status.software_version)
        stretches.append(_Stretch(*process, hears, heard_at, None, status, received_at, status))


def _hears(upstreams: list[dict[str, Any]]) -> Hears:
    return [
        (entry["name"], entry["ok"], None if entry["ok"] else entry["last_error"], *entry.get("complaints", ()))
        for entry in upstreams
    ]
