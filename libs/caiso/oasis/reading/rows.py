"""Rows: which rows of a reply are of what was asked for, as numbers of nodes and times. Pure.

A row that cannot be read, or is of something else, is left out and told; the others hold. It cannot speak for anybody else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from caiso.oasis.asking.questions import Group, Question
from caiso.oasis.errors import Malformed, Oversized, quoted, shown
from caiso.oasis.reading.columns import (
    MOST_BAD_ROWS,
    NO_TIME,
    BadRow,
    BadRows,
    Coded,
    Flags,
    Floats,
    Integers,
    Known,
    Numbers,
    RawColumns,
    Texts,
    seconds_of,
)
from caiso.oasis.reading.row_texts import KINDS, RowTexts, component_in, is_row
from caiso.oasis.reports import REPORTS, Component, Market

_COMPONENTS = tuple(Component)
_OTHER = len(_COMPONENTS)


@dataclass(frozen=True)
class Rows:
    """Rows of one component.

    Attributes:
        node: the number of its node.
        start: the number of the text that says when its interval begins (`Reading.seconds`).
        usd_per_mwh: the price, NaN where there is none.
        unreadable: by row, what stands where it belongs.
    """

    node: Numbers
    start: Numbers
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
        has_rows: whether any row is of what was asked for.
    """

    def __init__(self, scope: Scope | None, most_rows: int) -> None:
        self.scope = scope
        self._most_rows = most_rows
        self._rows = 0
        self.nodes = Texts("nodes")
        self._markets, self._times, self._kinds = Texts("markets"), Texts("times"), Texts("LMP_TYPEs")
        self._seconds = Known(self._times, seconds_of, np.int64)
        self._kind = Known(self._kinds, lambda text: KINDS.get(text, _OTHER), np.int8)
        self._is_kind = Known(self._kinds, bool, np.bool_)
        self._is_market = Known(self._markets, self._is_of_market, np.bool_)
        self._is_node = Known(self.nodes, self._is_of_nodes, np.bool_)
        self.bad_rows = BadRows()
        self.has_rows = False
        self._found: dict[Component, list[Rows]] = {component: [] for component in Component}

    @property
    def others(self) -> tuple[str, ...]:
        """In the order in which they came."""
        return tuple(text.decode(errors="replace")[:40] for text in self._kinds.all() if text and text not in KINDS)

    @property
    def seconds(self) -> Integers:
        """What each text of a time means, by its number: seconds since 1970."""
        return self._seconds.all()

    def rows(self, component: Component) -> Sequence[Rows]:
        """Those of one component."""
        return self._found[component]

    def take(self, component: Component) -> Sequence[Rows]:
        """Those of one component, which are let go of."""
        return self._found.pop(component)

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
        rows = Numbered(
            self._kinds.coded(raw.kind),
            self._markets.coded(raw.market),
            self.nodes.coded(raw.node),
            self._times.coded(raw.start),
            self._times.coded(raw.end),
        )
        self.scope = self.scope or _scope_said(self._markets.text(rows.market.number_in(0)))
        holds, kinds = self._checked(rows), self._kind.of_texts(rows.kind)
        for number in sorted({*kinds.tolist()} - {_OTHER}):
            is_of_kind = kinds == number
            self._keep(_COMPONENTS[number], holds if is_of_kind.all() else is_of_kind[rows.kind.places] & holds, rows, raw)

    def _keep(self, component: Component, wanted: Flags, rows: "Numbered", raw: RawColumns) -> None:
        self.has_rows |= bool(wanted.any())
        if wanted.all():
            self._found[component].append(Rows(rows.node.numbers, rows.start.numbers, raw.usd_per_mwh, raw.unreadable))
        elif wanted.any():
            at = np.flatnonzero(wanted)
            places = {int(row): place for place, row in enumerate(at)} if raw.unreadable else {}
            unreadable = {places[row]: text for row, text in raw.unreadable.items() if row in places}
            kept = Rows(rows.node.numbers_in(at), rows.start.numbers_in(at), raw.usd_per_mwh[at], unreadable)
            self._found[component].append(kept)

    def _checked(self, rows: "Numbered") -> Flags:
        """Which rows are of what was asked for; those that are not are told.

        Raises:
            Malformed: one is of another time than was asked for. Then all of the reply may answer another question, of which
                some prices happen to lie within what was asked for.
        """
        holds = np.ones(len(rows.node.places), dtype=np.bool_)
        for is_right_in, columns, cause in (
            (self._is_time_in, (rows.start, rows.end), self._tell_time),
            (self._is_kind.of_texts, (rows.kind,), lambda _row: "a row without LMP_TYPE"),
            (self._is_market.of_texts, (rows.market,), self._tell_market),
            (self._is_node.of_texts, (rows.node,), self._tell_node),
        ):
            is_right = [is_right_in(column) for column in columns]
            if not all(of_texts.all() for of_texts in is_right):
                of_rows = [of_texts[column.places] for of_texts, column in zip(is_right, columns, strict=True)]
                self._leave_out(rows, holds, np.logical_and.reduce(of_rows), cause)
        self._leave_out(rows, holds, self._is_interval(rows), self._tell_interval)
        self._require_time(rows, holds)
        return holds

    def _is_time_in(self, column: Coded) -> Flags:
        is_time: Flags = self._seconds.of_texts(column) != NO_TIME
        return is_time

    def _is_interval(self, rows: "Numbered") -> Flags:
        length_s = int(REPORTS[self._scope.market].interval.total_seconds())
        is_long: Flags = self._seconds.of(rows.end) - self._seconds.of(rows.start) == length_s
        begins = self._seconds.of_texts(rows.start) % length_s == 0
        return is_long if begins.all() else is_long & begins[rows.start.places]

    def _leave_out(self, rows: "Numbered", holds: Flags, is_right: Flags, cause: Callable[[RowTexts], str]) -> None:
        """Of the rows that hold, tell those that are not right, which hold no more."""
        if is_right.all():
            return
        at = np.flatnonzero(holds & ~is_right)
        holds &= is_right
        for row in at[:MOST_BAD_ROWS]:
            texts = self._texts(rows, int(row))
            self.bad_rows.note(
                BadRow(cause(texts), ",".join(texts), texts.node or None, *texts.times(), component_in([texts.kind]))
            )
        self.bad_rows.count(max(0, len(at) - MOST_BAD_ROWS))

    def _require_time(self, rows: "Numbered", holds: Flags) -> None:
        start_s, (begin_s, end_s) = self._seconds.of_texts(rows.start), (self._scope.start_s, self._scope.end_s)
        if begin_s is None or end_s is None or ((start_s >= begin_s) & (start_s < end_s)).all():
            return
        wrong = holds & ((start_s < begin_s) | (start_s >= end_s))[rows.start.places]
        if wrong.any():
            texts = self._texts(rows, int(np.flatnonzero(wrong)[0]))
            where = f"{shown(texts.node, 60)} from {texts.start} to {texts.end}"
            raise Malformed("prices of another time than was asked for", where=where)

    def _texts(self, rows: "Numbered", row: int) -> RowTexts:
        return RowTexts(
            self._times.text(rows.start.number_in(row)),
            self._times.text(rows.end.number_in(row)),
            self.nodes.text(rows.node.number_in(row)),
            self._markets.text(rows.market.number_in(row)),
            self._kinds.text(rows.kind.number_in(row)),
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

    def _tell_market(self, row: RowTexts) -> str:
        return f"prices of market {quoted(row.market)} in the answer for {self._scope.market}"

    def _tell_time(self, row: RowTexts) -> str:
        """What is no row at all stands in place of something that nobody knows, such as an error.

        Raises:
            Malformed: it is none.
        """
        text = next(each for each in (row.start, row.end) if seconds_of(each.encode()) == NO_TIME)
        cause = f"{quoted(text)} is not a time"
        if not is_row(row):
            raise Malformed(cause, where=shown(",".join(row), 120))
        return cause

    def _tell_interval(self, _row: RowTexts) -> str:
        interval = REPORTS[self._scope.market].interval
        return f"an interval of {self._scope.market} that is not {interval} long or begins between two"

    def _tell_node(self, row: RowTexts) -> str:
        return f"prices of node {quoted(row.node, 60)}, which was not asked for"


class Numbered(NamedTuple):
    """The texts of some rows, by their numbers."""

    kind: Coded
    market: Coded
    node: Coded
    start: Coded
    end: Coded


def _scope_said(market: str) -> Scope:
    try:
        return Scope(Market(market))
    except ValueError as error:
        raise Malformed(f"prices of market {quoted(market)}, which is none that is known") from error
