"""Rows: which rows of a reply are of what was asked for, as numbers of nodes and times. Pure.

A row that cannot be read, or is of something else, is left out and told; the others hold. It cannot speak for anybody else.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

import numpy as np

from caiso.oasis.columns import (
    MOST_BAD_ROWS,
    NO_TIME,
    BadRow,
    BadRows,
    Flags,
    Floats,
    Integers,
    Known,
    Numbers,
    RawColumns,
    Texts,
    seconds_of,
    time_of,
)
from caiso.oasis.errors import Malformed, Oversized
from caiso.oasis.questions import Group, Question
from caiso.oasis.reports import REPORTS, Component, Market

_COMPONENTS = tuple(Component)
_OTHER = len(_COMPONENTS)
_KINDS = {component.value.encode(): number for number, component in enumerate(_COMPONENTS)}


@dataclass(frozen=True)
class Rows:
    """Rows of one component.

    Attributes:
        node: the number of its node.
        start_s: when its interval begins, seconds since 1970.
        usd_per_mwh: the price, NaN where there is none.
        unreadable: by row, what stands where it belongs.
    """

    node: Numbers
    start_s: Integers
    usd_per_mwh: Floats
    unreadable: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Scope:
    """What rows may be of.

    Attributes:
        market: of each row.
        nodes: that may be named; None are all.
        start_s: of the first interval, `end_s` of the last; None is any time.
    """

    market: Market
    nodes: frozenset[str] | None = None
    start_s: int | None = None
    end_s: int | None = None

    @classmethod
    def of(cls, asked: Question) -> "Scope":
        """That of a question. A group is answered by whole hours or days, and the current report by what is current."""
        nodes = None if isinstance(asked.nodes, Group) else frozenset(asked.nodes)
        if asked.is_current:
            return cls(asked.market, nodes)
        return cls(asked.market, nodes, int(asked.start.timestamp()), int(asked.end.timestamp()))


class Reading:
    """Takes the rows of a reply's members, and keeps those that are of what was asked for.

    Args:
        scope: what they may be of; None until the first row says of which market they are.
        most_rows: that all members may have together.

    Attributes:
        nodes: every node that a row is of, by its number.
        bad_rows: what was left out.
        others: the LMP_TYPEs that have no name here, whose rows are left out and no fault.
    """

    def __init__(self, scope: Scope | None, most_rows: int) -> None:
        self.scope = scope
        self._most_rows = most_rows
        self._rows = 0
        self.nodes = Texts("nodes")
        self._markets, self._times, self._kinds = Texts("markets"), Texts("times"), Texts("LMP_TYPEs")
        self._seconds = Known(self._times, seconds_of, np.int64)
        self._kind = Known(self._kinds, lambda text: _KINDS.get(text, _OTHER), np.int8)
        self._is_kind = Known(self._kinds, bool, np.bool_)
        self._is_market = Known(self._markets, self._is_of_market, np.bool_)
        self._is_node = Known(self.nodes, self._is_of_nodes, np.bool_)
        self.bad_rows = BadRows()
        self._found: dict[Component, list[Rows]] = {component: [] for component in Component}

    @property
    def others(self) -> tuple[str, ...]:
        """In the order in which they came."""
        return tuple(text.decode(errors="replace")[:40] for text in self._kinds.all() if text and text not in _KINDS)

    @property
    def has_rows(self) -> bool:
        """Whether any row is of what was asked for."""
        return any(self._found.values())

    def rows(self, component: Component) -> Sequence[Rows]:
        """Those of one component."""
        return self._found[component]

    def add(self, raw: RawColumns) -> None:
        """Take some rows of a member.

        Raises:
            Malformed: one of them says that the reply is no answer, or nobody asked for a market and that of the first row is
                none that is known.
            Oversized: there are too many rows, or too many different texts in them.
        """
        count = len(raw.usd_per_mwh)
        self._rows += count
        if self._rows > self._most_rows:
            raise Oversized(f"more than {self._most_rows:,} rows")
        if not count:
            return
        node, market = self.nodes.numbers_of(raw.node), self._markets.numbers_of(raw.market)
        start, end = self._times.numbers_of(raw.start), self._times.numbers_of(raw.end)
        kind_text = self._kinds.numbers_of(raw.kind)
        self.scope = self.scope or _scope_said(self._markets.text(market[0]))
        holds = self._checked(Numbered(kind_text, market, node, start, end))
        kind, start_s = self._kind.of(kind_text), self._seconds.of(start)
        for number in np.unique(kind[holds]):
            if number != _OTHER:
                self._keep(_COMPONENTS[number], (kind == number) & holds, node, start_s, raw)

    def _keep(self, component: Component, wanted: Flags, node: Numbers, start_s: Integers, raw: RawColumns) -> None:
        if wanted.all():
            self._found[component].append(Rows(node, start_s, raw.usd_per_mwh, raw.unreadable))
            return
        at = np.flatnonzero(wanted)
        places = {int(row): place for place, row in enumerate(at)} if raw.unreadable else {}
        unreadable = {places[row]: text for row, text in raw.unreadable.items() if row in places}
        self._found[component].append(Rows(node[at], start_s[at], raw.usd_per_mwh[at], unreadable))

    def _checked(self, rows: "Numbered") -> Flags:
        """Which rows are of what was asked for; those that are not are told.

        Raises:
            Malformed: one is of another time than was asked for. Then all of the reply may answer another question, of which
                some prices happen to lie within what was asked for.
        """
        scope, interval = self._scope, REPORTS[self._scope.market].interval
        start_s, end_s = self._seconds.of(rows.start), self._seconds.of(rows.end)
        is_long = (end_s - start_s == interval.total_seconds()) & (start_s % int(interval.total_seconds()) == 0)
        odd = f"an interval of {scope.market} that is not {interval} long or begins between two"
        holds = np.ones(len(start_s), dtype=np.bool_)
        for is_right, cause in (
            ((start_s != NO_TIME) & (end_s != NO_TIME), self._tell_time),
            (self._is_kind.of(rows.kind), lambda _row: "a row without LMP_TYPE"),
            (self._is_market.of(rows.market), self._tell_market),
            (self._is_node.of(rows.node), self._tell_node),
            (is_long, lambda _row: odd),
        ):
            self._leave_out(rows, holds & ~is_right, cause)
            holds &= is_right
        if scope.start_s is not None and scope.end_s is not None:
            self._require_time(rows, holds & ((start_s < scope.start_s) | (start_s >= scope.end_s)))
        return holds

    def _leave_out(self, rows: "Numbered", wrong: Flags, cause: Callable[["RowTexts"], str]) -> None:
        if not wrong.any():
            return
        at = np.flatnonzero(wrong)
        for row in at[:MOST_BAD_ROWS]:
            texts = self._texts(rows, int(row))
            self.bad_rows.note(
                BadRow(cause(texts), ",".join(texts), texts.node or None, *_times(texts), component_in([texts.kind]))
            )
        self.bad_rows.count(max(0, len(at) - MOST_BAD_ROWS))

    def _require_time(self, rows: "Numbered", wrong: Flags) -> None:
        if wrong.any():
            texts = self._texts(rows, int(np.flatnonzero(wrong)[0]))
            where = f"{texts.node[:60]} from {texts.start} to {texts.end}"
            raise Malformed("prices of another time than was asked for", where=where)

    def _texts(self, rows: "Numbered", row: int) -> "RowTexts":
        return RowTexts(
            self._times.text(rows.start[row]),
            self._times.text(rows.end[row]),
            self.nodes.text(rows.node[row]),
            self._markets.text(rows.market[row]),
            self._kinds.text(rows.kind[row]),
        )

    @property
    def _scope(self) -> Scope:
        if self.scope is None:
            raise AssertionError("no row was taken")
        return self.scope

    def _is_of_market(self, text: bytes) -> bool:
        return text == self._scope.market.value.encode()

    def _is_of_nodes(self, text: bytes) -> bool:
        name = text.decode(errors="replace")
        return bool(name) and "?" not in name and (self._scope.nodes is None or name in self._scope.nodes)

    def _tell_market(self, row: "RowTexts") -> str:
        return f"prices of market {row.market[:40]!r} in the answer for {self._scope.market}"

    def _tell_time(self, row: "RowTexts") -> str:
        """What is no row at all stands in place of something that nobody knows, such as an error.

        Raises:
            Malformed: it is none.
        """
        text = next(each for each in (row.start, row.end) if seconds_of(each.encode()) == NO_TIME)
        cause = f"{text[:40]!r} is not a time"
        if not is_row(row):
            raise Malformed(cause, where=",".join(row)[:120])
        return cause

    def _tell_node(self, row: "RowTexts") -> str:
        return f"prices of node {row.node[:60]!r}, which was not asked for"


class RowTexts(NamedTuple):
    """What stands in one row."""

    start: str
    end: str
    node: str
    market: str
    kind: str


def is_row(cells: Iterable[str]) -> bool:
    """Whether a line that cannot be read was a row all the same: somewhere it has a time, or the name of a price."""
    return any(cell.encode() in _KINDS or seconds_of(cell.encode()) != NO_TIME for cell in cells)


def component_in(cells: Iterable[str]) -> Component | None:
    """The first of the cells that names one."""
    return next((_COMPONENTS[_KINDS[name]] for cell in cells if (name := cell.encode()) in _KINDS), None)


def _times(row: RowTexts) -> tuple[datetime | None, datetime | None]:
    seconds = (seconds_of(text.encode()) for text in (row.start, row.end))
    start, end = (None if each == NO_TIME else time_of(each) for each in seconds)
    return start, end


class Numbered(NamedTuple):
    """The texts of some rows, by their numbers."""

    kind: Numbers
    market: Numbers
    node: Numbers
    start: Numbers
    end: Numbers


def _scope_said(market: str) -> Scope:
    try:
        return Scope(Market(market))
    except ValueError as error:
        raise Malformed(f"prices of market {market[:40]!r}, which is none that is known") from error
