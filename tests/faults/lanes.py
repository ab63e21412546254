"""Lanes: every row of the fault table, forced on several installations at once, each taking the next row that is left."""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from faults import bus_rows, caiso_rows, oasis_rows, process_rows
from faults.bus_rows import BusStack
from faults.forcing import Row, as_row, watch
from faults.stack import LIMITS_S, FaultStack

from launcher.documents.fault_table import FaultSeen

GROUPS: Mapping[str, tuple[Row, ...]] = {
    caiso_rows.GROUP: caiso_rows.ROWS,
    oasis_rows.GROUP: oasis_rows.ROWS,
    process_rows.INGESTS: process_rows.INGEST_ROWS,
    process_rows.BROKER: process_rows.BROKER_ROWS,
    process_rows.GATEWAY: process_rows.GATEWAY_ROWS,
    bus_rows.GROUP: bus_rows.ROWS,
}
NAMES = tuple(row.name for rows in GROUPS.values() for row in rows)
LANES = 3


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

    def note(name: str, outcome: Outcome) -> None:
        found[name] = outcome
        told(name)

    chosen = [(group, row) for group, rows in GROUPS.items() for row in rows if row.name in names]
    on_bus = [row for group, row in chosen if group == bus_rows.GROUP]
    left = deque((group, row) for group, row in chosen if group != bus_rows.GROUP)
    with ThreadPoolExecutor(LANES + 1) as pool:
        lanes = min(LANES, len(left))
        begun = [pool.submit(_force_on_stack, folder / f"lane{lane}", left, recorded, note) for lane in range(lanes)]
        if on_bus:
            begun.append(pool.submit(_force_on_bus, folder / "bus", tuple(on_bus), recorded, note))
        for done in begun:
            done.result()
    return found


def _force_on_stack(
    folder: Path, left: deque[tuple[str, Row]], recorded: Mapping[str, FaultSeen], note: Callable[[str, Outcome], None]
) -> None:
    stack = FaultStack(folder)
    try:
        stack.start()
        for group, row in _taken_from(left):
            note(row.name, _forced(stack, group, row, recorded.get(row.name)))
    finally:
        stack.stop()


def _taken_from(left: deque[tuple[str, Row]]) -> Iterator[tuple[str, Row]]:
    """One after the other; no two lanes get the same."""
    while True:
        try:
            yield left.popleft()
        except IndexError:
            return


def _forced(stack: FaultStack, group: str, row: Row, recorded: FaultSeen | None) -> Outcome:
    wrong_before = len(stack.wrong)
    try:
        stack.wait_until_ready(row.resource_id, quiet_intervals=row.quiet_intervals, early=row.early, from_good=row.from_good)
        with row.force(stack):
            began_s, seen = watch(row, stack, recorded)
        stack.wait_until_judged()
    except (AssertionError, OSError) as failure:  # the next rows are forced all the same
        return Outcome(None, (), f"{type(failure).__name__}: {failure}")
    # An ingest that began without its outbox believes what CAISO says of a DOT that is over, and that may be an older revision.
    wrong = tuple(str(one) for one in stack.wrong[wrong_before:] if not one.quantity.startswith("previous_dot"))
    return Outcome(as_row(row, group, began_s, seen, LIMITS_S), wrong)


def _force_on_bus(
    folder: Path, rows: tuple[Row, ...], recorded: Mapping[str, FaultSeen], note: Callable[[str, Outcome], None]
) -> None:
    stack = BusStack(folder, rows)
    try:
        for row in rows:
            stack.wait_until_ready(row.name)
            with row.force(stack):
                began_s, seen = watch(row, stack, recorded.get(row.name))
            note(row.name, Outcome(as_row(row, bus_rows.GROUP, began_s, seen, bus_rows.LIMITS_S)))
    finally:
        stack.stop()
