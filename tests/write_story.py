"""A plant that writes: what its map lets be written, and who writes."""

from datetime import UTC, datetime, timedelta
from itertools import count

from gateway_story import installation

from dotbus.contracts.messages import Environment, PointWritten
from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.presence import Identity
from modbus_gateway.map.draft import draft
from modbus_gateway.map.writable import WritablePoint, Writables
from modbus_gateway.wire.writing import Client
from modbus_gateway.writes.taking import Taking
from modbus_gateway.writes.unit import Now

NOON = datetime(2026, 10, 13, 12, 0, tzinfo=UTC)
UNIT = 1
SCADA = Client("10.0.0.5", may_write=True)
OTHER = Client("10.0.0.6", may_write=True)
STRANGER = Client("192.168.1.1", may_write=True)
OPERATOR = Client("192.168.1.2", "CN=operator", "operator", may_write=True)
VIEWER = Client("192.168.1.3", "CN=viewer", "viewer", may_write=False)
IDENTITY = Identity("modbus_gateway", "sierra", Environment.PRODUCTION, NOON)
ACTUAL, CONFIRMED, SECOND, SWITCH = 100, 110, 112, 5
COMMIT, HEARTBEAT = 120, 121
WRITES = (
    {"address": ACTUAL, "point": "actual_mw", "min": -60, "max": 60, "expires_after_s": 30, "quality": True},
    {"address": CONFIRMED, "point": "available_mw", "min": 0, "max": 60, "commit": True},
    {"address": SECOND, "point": "reserve_mw", "type": "int16", "scale": 10, "max": 60, "commit": True},
    {"address": SWITCH, "table": "coil", "point": "agc_on", "quality": True},
)
COMMITS = ({"address": COMMIT, "unit_id": UNIT, "watchdog_s": 60, "commit_within_s": 20},)


def writables(writes: object = WRITES, commits: object = COMMITS, **modbus: object) -> Writables:
    """Of a map."""
    lines = [{"unit_id": UNIT, "resource": "BESS", **write} for write in writes]  # type: ignore[attr-defined]
    given = {"allow_writes_from": ["10.0.0.0/8"], "write": lines, "commit": list(commits), **modbus}  # type: ignore[call-overload]
    return draft(InstallationFile(installation(**given), "dotbus.toml")).writables


def point(name: str, of: Writables | None = None) -> WritablePoint:
    """A point of the story by its name."""
    return next(one for one in (of or writables()).points if one.point == name)


class Clock:
    """A clock that the test moves, and sets by so much."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.set_by = timedelta(0)

    def __call__(self) -> Now:
        return Now(NOON + timedelta(seconds=self.seconds - 1000.0) + self.set_by, self.seconds)


class Plant:
    """Takes writes, and keeps events in a list unless its disk is full."""

    def __init__(self, of: Writables | None = None) -> None:
        self.writables = of or writables()
        self.clock = Clock()
        self.events: list[PointWritten] = []
        self.fails: Exception | None = None
        self.counted: list[str] = []
        self.taking = Taking(self.writables, IDENTITY, self._keep, self.clock, count=self.counted.append)
        self._ids = count()

    def _keep(self, events: object) -> None:
        if self.fails:
            raise self.fails
        self.events += events  # type: ignore[operator]
