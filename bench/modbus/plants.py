"""The installation that the gateway is measured with, and what its ingests say of it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from dotbus.contracts.messages import Dot, Lmp, ServiceStatus, Trajectory, Upstream
from dotbus.contracts.topics import Topics
from dotbus.testing import samples

A_PLANT = 10
AHEAD = 12
UPSTREAMS = {"ads_ingest": ("ads_dispatch", "ads_trajectory"), "lmp_ingest": ("oasis_rtm",)}


def toml(resources: int) -> str:
    """Plants of ten resources, each with a node of its own, a unit id for each ten plants (1 for the first ten)."""
    lines = ['environment = "production"']
    plants = [range(first, min(first + A_PLANT, resources)) for first in range(0, resources, A_PLANT)]
    for number, plant in enumerate(plants):
        lines += ["[[plant]]", f'name = "plant{number}"']
        for resource in plant:
            lines += ["[[plant.resource]]", f'id = "R{resource}"', f'node = "N{resource}"']
    for unit, first in enumerate(range(0, len(plants), A_PLANT), 1):
        names = ", ".join(f'"plant{number}"' for number in range(first, min(first + A_PLANT, len(plants))))
        lines += ["[[modbus.block]]", 'profile = "plant"', f"unit_id = {unit}", f"plants = [{names}]"]
    return "\n".join(lines) + "\n"


def states(topics: Topics, resources: int, now: datetime) -> Iterator[tuple[str, Dot | Trajectory | Lmp]]:
    """Twelve DOTs, 24 DOPs and a price of each resource."""
    for number in range(resources):
        yield from states_of(topics, number, now, now - timedelta(seconds=now.timestamp() % 300))


def states_of(topics: Topics, number: int, now: datetime, begin: datetime) -> Iterator[tuple[str, Dot | Trajectory | Lmp]]:
    """The states of one resource as CAISO said them at a time, and confirms them now."""
    yield dot(topics, number, now, begin, 10.0)
    curve, first = samples.trajectory(), samples.trajectory().points[0]
    points = tuple(
        msgspec.structs.replace(first, target_at=begin + timedelta(seconds=150 * step), batch_received_at=begin)
        for step in range(2 * AHEAD)
    )
    own = {**_said(now, "ads_ingest"), **_names(number), "points": points, "latest": points[-1], "received_at": begin}
    yield topics.trajectory(*_names(number).values()), msgspec.structs.replace(curve, **own)
    price = msgspec.structs.replace(
        samples.lmp().published, interval_start=begin, interval_end=begin + timedelta(minutes=5), fetched_at=begin
    )
    own = {"market": "RTM", "node": f"N{number}", "published": price, "active": price, "ahead": ()}
    yield topics.lmp("RTM", f"N{number}"), msgspec.structs.replace(samples.lmp(), **_said(now, "lmp_ingest"), **own)


def dot(topics: Topics, number: int, now: datetime, begin: datetime, mw: float) -> tuple[str, Dot]:
    """The DOT state of a resource, whose DOT in force has so many megawatts."""
    first = samples.dot().intervals[0]
    intervals = tuple(
        msgspec.structs.replace(
            first,
            dot_mw=mw + step,
            batch_uid=f"batch {step}",
            batch_received_at=begin,
            interval_start=begin + timedelta(minutes=5 * step),
            target_at=begin + timedelta(minutes=5 * step, seconds=150),
            interval_end=begin + timedelta(minutes=5 * (step + 1)),
        )
        for step in range(AHEAD)
    )
    own = {**_said(now, "ads_ingest"), **_names(number), "intervals": intervals, "received_at": begin, "withdrawn": ()}
    return topics.dot(*_names(number).values()), msgspec.structs.replace(samples.dot(), **own)


def statuses(topics: Topics, now: datetime) -> Iterator[tuple[str, ServiceStatus]]:
    """The heartbeat of both ingests."""
    for service, names in UPSTREAMS.items():
        heard = tuple(Upstream(name=name, ok=True, last_ok_at=now, clock_offset_s=0.0) for name in names)
        said = ServiceStatus(
            environment="production",
            source=f"{service}/bench",
            time=now,
            service=service,
            instance="bench",
            online=True,
            started_at=datetime(2026, 1, 1, tzinfo=UTC),
            software_version="bench",
            upstreams=heard,
        )
        yield topics.service(service, "bench"), said


def _said(now: datetime, service: str) -> dict[str, object]:
    return {
        "time": now,
        "heard_at": now,
        "source": f"{service}/bench",
        "environment": "production",
        "valid_until": None,
        "reasons": (),
    }


def _names(number: int) -> dict[str, str]:
    return {"plant": f"plant{number // A_PLANT}", "resource_id": f"R{number}"}
