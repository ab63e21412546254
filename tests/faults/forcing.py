"""Forcing: a fault is begun, watched until it has shown all that it shows, and ended. What was seen becomes a table row."""

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from faults.display import SILENT, Column, Display
from plant_stack import RESOURCES

from dotbus.contracts.quality import Reason
from launcher.documents.fault_table import COLUMNS, FLAGS, FaultSeen, Flag, Seen, Step

WITHIN_S = 60.0
EVERY_S = 0.1
_SOONER_THAN_LIMITS_S = 1.5
"""What is stale or over so soon was so when it came: no limit is as short."""
STEADY_S = 1.3
"""So long a display must not change before it is put down as the last."""
BESIDE = {"10003": "40001", "10006": "40051"}
"""The classic register that a flag stands for."""


class Watched(Protocol):
    """What faults are forced on."""

    def display(self, resource_id: str) -> Display:
        """What the registers show now."""


@dataclass(frozen=True)
class Row:
    """A fault and how it is forced.

    Attributes:
        name: of the row, for tests.
        fault: in the words of the table.
        force: begins the fault, and ends it when it is left.
        settled: whether a display can be the last, for the one who records.
        happened: whether the fault has taken place although no register need show it.
        noticed: when what is neither stale nor over shows, in the words of the table.
        resource_id: whose registers are watched.
        quiet_intervals: for how many intervals no exceptional dispatch may come.
        over: when a DOT or a price is no longer there, in the words of the table.
        from_good: whether all is good before; else only what the fault is not about.
        early: whether it is forced just after an interval began, and not just after the next DOT came.
    """

    name: str
    fault: str
    force: Callable[..., AbstractContextManager[None]]
    settled: Callable[[Display], bool]
    happened: Callable[[float], bool] = lambda _elapsed_s: True
    noticed: str = "at once"
    resource_id: str = RESOURCES[0]
    quiet_intervals: int = 2
    early: bool = False
    over: str = "when its interval is over"
    from_good: bool = True


def has(column: str, *reasons: Reason) -> Callable[[Display], bool]:
    """A display in which a column has all of some reasons."""
    return lambda display: frozenset(reasons) <= display.reasons(column)


def is_good(display: Display) -> bool:
    """A display in which nothing is amiss."""
    return display.is_good


def after(seconds: float) -> Callable[[float], bool]:
    """A fault that took place once there was time for it: several questions to CAISO, or messages."""
    return lambda elapsed_s: elapsed_s >= seconds


def comparable(reasons: Iterable[str]) -> frozenset[str]:
    """Reasons without EXPIRED and INCOMPLETE where STALE is among them: which of them comes first is a matter of speed."""
    found = frozenset(reasons)
    return found - {Reason.EXPIRED.value, Reason.INCOMPLETE.value} if Reason.STALE.value in found else found


def is_as_recorded(display: Display, recorded: FaultSeen) -> bool:
    """Whether a display is what a record says that it came to."""
    shown = {name: what_shows(display, name) for name in COLUMNS}
    qualities = {name: (level, comparable(reasons), shows) for name, (level, reasons, shows) in shown.items()}
    flags = {name: flag_shows(display, name) for name in FLAGS}
    return (qualities, flags) == (recorded_qualities(recorded), recorded_flags(recorded))


def recorded_qualities(seen: FaultSeen) -> dict[str, tuple[str, frozenset[str], str]]:
    """What each quality came to, without the way there: how fast a machine is changes no rule."""
    return {name: (one.level, comparable(one.reasons), one.shows) for name, one in seen.qualities.items()}


def recorded_flags(seen: FaultSeen) -> dict[str, tuple[int, str]]:
    """What each flag came to, and the register beside it."""
    return {name: (flag.state, flag.register) for name, flag in seen.flags.items()}


def what_shows(display: Display, name: str) -> tuple[str, frozenset[str], str]:
    """A column's level, reasons, and what stands beside it where that is not simply the value."""
    column = display.columns[name]
    is_plain = column.level in ("good", SILENT) or not COLUMNS[name][1]
    return column.level, frozenset(reason.value for reason in column.reasons), "" if is_plain else column.shows


def flag_shows(display: Display, number: str) -> tuple[int, str]:
    """A flag, and what the classic register that it stands for shows while it is 0."""
    state = display.flags[number]
    if state != 0 or number not in BESIDE:
        return state, ""
    return state, f"{BESIDE[number]} no value" if display.held[BESIDE[number]] is None else f"{BESIDE[number]} shown"


def watch(row: Row, stack: Watched, recorded: FaultSeen | None) -> tuple[float, list[Display]]:
    """Look again and again until the row's end shows, or it is late. Returns when it began and what was seen."""
    began_s = time.monotonic()
    seen: list[Display] = []
    while time.monotonic() - began_s < WITHIN_S:
        display = stack.display(row.resource_id)
        seen.append(display)
        happened = row.happened(display.at_s - began_s)
        if happened and (is_as_recorded(display, recorded) if recorded else _is_steady(row, seen)):
            break
        time.sleep(EVERY_S)
    return began_s, seen


def _is_steady(row: Row, seen: Sequence[Display]) -> bool:
    last = seen[-1]
    if not row.settled(last):
        return False
    lately = [display for display in seen if last.at_s - display.at_s <= STEADY_S]
    same = all((_states(one), one.flags) == (_states(last), last.flags) for one in lately)
    return same and last.at_s - seen[0].at_s >= STEADY_S


def _states(display: Display) -> dict[str, tuple[str, frozenset[Reason]]]:
    return {name: (column.level, column.reasons) for name, column in display.columns.items()}


def as_row(row: Row, group: str, began_s: float, seen: Sequence[Display], limits_s: dict[str, float]) -> FaultSeen:
    """What was seen, in the words of the table."""
    words = _Words(row.noticed, row.over, limits_s)
    return FaultSeen(
        name=row.name,
        group=group,
        fault=row.fault,
        flags={number: _flag(number, seen, began_s, words) for number in FLAGS},
        qualities={name: _quality(name, seen, words, began_s, from_good=row.from_good) for name in COLUMNS},
    )


_CURVES = ("trajectory", "latest_dop")


@dataclass(frozen=True)
class _Words:
    """When a thing came, in words: by the reason that it came with, so that a slow machine writes the same."""

    noticed: str
    over: str
    limits_s: dict[str, float]

    def when(self, column: str, new: frozenset[Reason], elapsed_s: float) -> str:
        if elapsed_s < _SOONER_THAN_LIMITS_S:
            return self.noticed
        if Reason.STALE in new:
            if column.startswith("lmp"):
                return "after price_stale_after_s"
            is_old = column in _CURVES and elapsed_s > self.limits_s["trajectory_stale_after_s"] - 2
            return "after trajectory_stale_after_s" if is_old else "after stale_after_s"
        if Reason.EXPIRED in new:
            return "when it ends" if column in _CURVES else self.over
        return self.noticed


_RANK = {"good": 3, "uncertain": 2, "bad": 1, SILENT: 0}
"""A level that is worse than the last is on the way to nowhere: an ingest that starts anew."""


def _quality(name: str, seen: Sequence[Display], words: _Words, began_s: float, *, from_good: bool) -> Seen:
    level, reasons, shows = what_shows(seen[-1], name)
    ordered = tuple(reason.value for reason in Reason if reason.value in reasons)
    if level == "good":
        return Seen(level)
    steps: list[Step] = []
    before = Column("good")
    for display in seen:
        column = display.columns[name]
        if column.level not in (before.level, "good"):
            when = "" if name == "worst" else words.when(name, column.reasons - before.reasons, display.at_s - began_s)
            steps.append(Step(column.level, when))
        before = column
    kept = [step for step in steps if _RANK[step.level] >= _RANK[level]] if from_good else steps[-1:]
    first_of_each = {step.level: step for step in reversed(kept)}
    return Seen(level, ordered, shows, tuple(reversed(first_of_each.values())))


def _flag(number: str, seen: Sequence[Display], began_s: float, words: _Words) -> Flag:
    state, register = flag_shows(seen[-1], number)
    if state == 1:
        return Flag(state)
    first = next(index for index in range(len(seen)) if all(one.flags[number] == state for one in seen[index:]))
    return Flag(state, "" if state < 0 else _flag_when(number, seen[first:], began_s, words), register)


def _flag_when(number: str, lowered: Sequence[Display], began_s: float, words: _Words) -> str:
    """By what the value that the flag is about says at that moment, or just after: two registers need not turn as one."""
    column = {"10001": "dot", "10003": "trajectory", "10006": "lmp_published"}[number]
    limits = {Reason.STALE, Reason.EXPIRED} if number == "10003" else {Reason.STALE}
    soon = [display.reasons(column) for display in lowered if display.at_s - lowered[0].at_s < STEADY_S]
    against = limits & frozenset().union(*soon) & lowered[-1].reasons(column)
    return words.when(column, against, lowered[0].at_s - began_s)
