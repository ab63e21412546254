"""`dotbus compare`: read registers and database back and hold them against what the simulator sent."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dotbus.contracts.quality import Level
from dotbus.runtime.installation.installation import Installation, Resource
from dotbus.runtime.installation.modbus import Profile
from launcher.look.comparison import (
    Line,
    Points,
    assembled,
    covers,
    dop_batches,
    dot_in_force,
    dot_points,
    exactly,
    holds_mw,
    is_enough,
    latest_dop,
    moments_around,
    range_on_lines,
    show,
)
from launcher.look.registers import GatewaySilent, Registers, Shown
from launcher.look.rows import DatabaseSilent, Rows
from launcher.look.sent import Sent, Simulator, SimulatorSilent

RESOURCES, PLANTS = 3, 2
"""How many resources, of how many plants, must agree."""
MARGIN_S = 1.5
"""How far the moment in which a moving register was written may be from the moment of reading it."""
PAUSE_S = 1.0


class Comparison:
    """Three places side by side.

    Args:
        installation: plants, resources and nodes to look for.
        registers: the gateway's, read through a Modbus client.
        rows: the historian's, read with SQL.
        simulator: what was sent.
    """

    def __init__(self, installation: Installation, registers: Registers, rows: Rows, simulator: Simulator) -> None:
        self._installation = installation
        self._registers = registers
        self._rows = rows
        self._simulator = simulator
        self._units = frozenset(b.unit_id for b in installation.modbus.blocks if b.profile is Profile.PLANT)

    def lines(self, now: datetime) -> list[Line]:
        """Every value of every resource, read now.

        Raises:
            GatewaySilent, DatabaseSilent, SimulatorSilent: one of the places does not answer.
        """
        shown = self._registers.read(self._units)
        sent = self._simulator.sent()
        found: dict[str, dict[str, Shown]] = {}
        for entry in shown:
            if name := entry.resource_id or entry.node:
                found.setdefault(name, {})[entry.quantity] = entry
        return [
            line
            for plant in self._installation.plants
            for resource in plant.resources
            if resource.id in found
            for line in self._of_resource(_Place(plant.name, resource, _together(found, resource)), sent, now)
        ]

    def _of_resource(self, place: "_Place", sent: Sent, now: datetime) -> Iterator[Line]:
        resource_id, schedule, moments = place.resource.id, place.resource.schedule, moments_around(now, MARGIN_S)
        dot = dot_in_force(sent, resource_id, schedule, place.at("dot_start"), moments)
        stored = self._rows.dot_mw(dot.instruction_uid, schedule) if dot else None
        yield place.line("DOT, MW", "dot_mw", exactly(holds_mw(dot) if dot else None), stored, "dot_quality")

        ramp, stored_ramp = dot_points(sent, resource_id, schedule), self._rows.dot_points(resource_id, schedule)
        yield place.curve("set-point, MW", "set_point_mw", ramp, stored_ramp, moments, "set_point_quality")

        curve, stored_curve = assembled(dop_batches(sent, resource_id)), assembled(self._rows.dop_batches(resource_id))
        yield place.curve("trajectory, MW", "trajectory_mw", curve, stored_curve, moments, "trajectory_quality")

        dop = latest_dop(sent, resource_id)
        stored = self._rows.dop_mw(dop.dop_uid) if dop else None
        yield place.line("latest DOP, MW", "latest_dop_mw", exactly(dop.dop_mw if dop else None), stored, "latest_dop_quality")
        if place.resource.node:
            yield self._price(place, place.resource.node, moments)

    def _price(self, place: "_Place", node: str, moments: Sequence[datetime]) -> Line:
        start = place.at("lmp_active_start")
        market = place.shown["lmp_active_usd_per_mwh"].cell.about.prices[0].market
        price = self._simulator.price(market, node, start) if start else None
        sent = price.lmp if price and covers(price.interval_start, price.interval_end, moments) else None
        stored = self._rows.lmp_usd_per_mwh(market, node, start) if start else None
        return place.line(f"{market}, $/MWh", "lmp_active_usd_per_mwh", exactly(sent), stored, "lmp_active_quality")


def _together(found: dict[str, dict[str, Shown]], resource: Resource) -> dict[str, Shown]:
    """What is shown of a resource and of its node."""
    return found[resource.id] | found.get(resource.node or "", {})


@dataclass(frozen=True)
class _Place:
    """What the registers show of one resource, by quantity."""

    plant: str
    resource: Resource
    shown: dict[str, Shown]

    def at(self, quantity: str) -> datetime | None:
        return self.shown[quantity].at

    def line(self, what: str, register: str, sent: tuple[float, float] | None, stored: float | None, quality: str) -> Line:
        good = self.shown[quality].value == Level.GOOD
        return Line(self.plant, self.resource.id, what, sent, self.shown[register].value, stored, good)

    def curve(self, what: str, register: str, sent: Points, stored: Points, moments: Sequence[datetime], quality: str) -> Line:
        middle = range_on_lines(stored, moments[len(moments) // 2 :][:1])
        return self.line(what, register, range_on_lines(sent, moments), middle[0] if middle else None, quality)


def comparison_table(lines: list[Line]) -> Table:
    """The comparison for people."""
    table = Table(
        "resource", "what", "sent", "register", "database", "", box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True
    )
    for line in lines:
        verdict = Text("agrees", "green") if line.agrees else Text("differs", "bold red")
        table.add_row(line.resource_id, line.what, show(line.sent), _number(line.register), _number(line.database), verdict)
    return table


def _number(number: float | None) -> str:
    return "nothing" if number is None else f"{number:.6g}"


def compare_until(
    comparison: Comparison,
    console: Console,
    clock: Callable[[], datetime],
    stop: threading.Event,
    within_s: float,
    still: Callable[[], None] = lambda: None,
) -> bool:
    """Compare again and again until all agree. Prints the last comparison, or the first difference when time is up.

    Args:
        comparison: the places.
        console: to print on.
        clock: the time.
        stop: ends it, without agreement.
        within_s: how long to try.
        still: asked before each; raises when there is no use in going on.
    """
    console.print("Reading back through Modbus and SQL what the simulator sent ...", soft_wrap=True)
    deadline = time.monotonic() + within_s
    lines, trouble = [], "nothing was read"
    while not stop.is_set() and time.monotonic() < deadline:
        still()
        try:
            lines = comparison.lines(clock())
            if is_enough(lines, RESOURCES, PLANTS):
                console.print(comparison_table(lines))
                console.print(f"All {len(lines)} values agree.")
                return True
            trouble = next((line.difference for line in lines if not line.agrees), f"only {len(lines)} values were found")
        except (GatewaySilent, DatabaseSilent, SimulatorSilent) as error:
            trouble = str(error)
        stop.wait(PAUSE_S)
    if lines:
        console.print(comparison_table(lines))
    after = "when it was stopped" if stop.is_set() else f"after {within_s:.0f} s"
    told = Text.assemble((f"Not everything agrees {after}.", "bold red"), f" First difference: {trouble}")
    console.print(told, soft_wrap=True)
    return False
