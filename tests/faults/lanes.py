"""Lanes: every row of the fault table, forced on three installations at once. One after the other takes three times as long."""

from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from faults import bus_rows, caiso_rows, oasis_rows, process_rows
from faults.bus_rows import BusStack
from faults.forcing import Row, as_row, watch
from faults.stack import LIMITS_S, FaultStack

from launcher.fault_table import FaultSeen

GROUPS: Mapping[str, tuple[Row, ...]] = {
    caiso_rows.GROUP: caiso_rows.ROWS,
    oasis_rows.GROUP: oasis_rows.ROWS,
    process_rows.INGESTS: process_rows.INGEST_ROWS,
    process_rows.BROKER: process_rows.BROKER_ROWS,
    process_rows.GATEWAY: process_rows.GATEWAY_ROWS,
    bus_rows.GROUP: bus_rows.ROWS,
}
NAMES = tuple(row.name for rows in GROUPS.values() for row in rows)
LANES = (
    (caiso_rows.GROUP,),
    (process_rows.INGESTS, process_rows.BROKER, process_rows.GATEWAY),
    (bus_rows.GROUP, oasis_rows.GROUP),
)


@dataclass(frozen=True)
class Outcome:
    """What came of one row: what was seen and the good values that were wrong, or why it could not be forced."""

    seen: FaultSeen | None
    wrong: tuple[str, ...] = ()
    failure: str = ""


def force_all(
    folder: Path, names: Collection[str], recorded: Mapping[str, FaultSeen], told: Callable[[str], None] = lambda _name: None
) -> dict[str, Outcome]:
    """Force the rows of these names.

    Args:
        folder: for the files of everything that is started.
        names: of rows.
        recorded: what they are expected to show; a row without any is watched until it is steady.
        told: called with the name of each row that is done, from several threads.
    """
    found: dict[str, Outcome] = {}

    def run(lane: tuple[str, ...]) -> None:
        for group in lane:
            rows = tuple(row for row in GROUPS[group] if row.name in names)
            if rows:
                force = _force_on_bus if group == bus_rows.GROUP else _force_on_stack
                for name, outcome in force(folder / group.replace(" ", "_"), group, rows, recorded):
                    found[name] = outcome
                    told(name)

    with ThreadPoolExecutor(len(LANES)) as pool:
        for done in [pool.submit(run, lane) for lane in LANES]:
            done.result()
    return found


def _force_on_stack(
    folder: Path, group: str, rows: tuple[Row, ...], recorded: Mapping[str, FaultSeen]
) -> Iterator[tuple[str, Outcome]]:
    stack = FaultStack(folder)
    try:
        stack.start()
        for row in rows:
            yield row.name, _forced(stack, group, row, recorded.get(row.name))
    finally:
        stack.stop()


def _forced(stack: FaultStack, group: str, row: Row, recorded: FaultSeen | None) -> Outcome:
    wrong_before = len(stack.wrong)
    try:
        stack.wait_until_ready(row.resource_id, quiet_intervals=row.quiet_intervals, early=row.early)
        with row.force(stack):
            began_s, seen = watch(row, stack, recorded)
        stack.wait_until_judged()
    except (AssertionError, OSError) as failure:  # the next rows are forced all the same
        return Outcome(None, (), f"{type(failure).__name__}: {failure}")
    wrong = tuple(str(one) for one in stack.wrong[wrong_before:])
    return Outcome(as_row(row, group, began_s, seen, LIMITS_S), wrong)


def _force_on_bus(
    folder: Path, group: str, rows: tuple[Row, ...], recorded: Mapping[str, FaultSeen]
) -> Iterator[tuple[str, Outcome]]:
    stack = BusStack(folder, rows)
    try:
        for row in rows:
            stack.wait_until_ready(row.name)
            with row.force(stack):
                began_s, seen = watch(row, stack, recorded.get(row.name))
            yield row.name, Outcome(as_row(row, group, began_s, seen, bus_rows.LIMITS_S))
    finally:
        stack.stop()
