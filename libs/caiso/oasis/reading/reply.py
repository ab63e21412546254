"""Reply: a status and its bytes to prices, or to a typed failure. Pure.

A reply is a zip of CSV or XML members, or an error that comes as a zip with one XML member, as a page of HTML, or as an HTTP
status. Nothing is recognised by its size or its name, only by what it is.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from caiso.oasis.asking.questions import Group, Question
from caiso.oasis.errors import NO_DATA, ErrorReply, Incomplete, Malformed, NoPrices, OasisFailure, shown
from caiso.oasis.prices import Prices
from caiso.oasis.reading.assembly import assemble
from caiso.oasis.reading.report_xml import read_report
from caiso.oasis.reading.rows import Reading, Scope
from caiso.oasis.reading.tables import Table, read_table
from caiso.oasis.reading.unpack import OF_GROUP, Bounds, Budget, Entry, entries_of

SIDE_BY_SIDE: Final = 2
"""Members that are read at once: pyarrow and zlib take a core each, and what is read ahead takes memory."""


def parse_reply(status: int, content: bytes, asked: Question | None = None, bounds: Bounds | None = None) -> Prices:
    """The prices in a reply; at least one.

    Args:
        status: of HTTP.
        content: the body.
        asked: what it answers; None takes prices of any node and time, of the market that the first row names.
        bounds: how much it may unpack to. Of a group it is `OF_GROUP` where that is more.

    Raises:
        Throttled, HttpRefused, ErrorReply, Malformed, Incomplete, Oversized: see `errors`.
    """
    return _Members(asked, _bounds(asked, bounds)).read(status, content)


def _bounds(asked: Question | None, bounds: Bounds | None) -> Bounds:
    if asked is None:
        return bounds or OF_GROUP
    wanted = bounds or Bounds()
    return wanted.at_least(OF_GROUP) if isinstance(asked.nodes, Group) else wanted


@dataclass
class _Members:
    """The members of one reply, one after the other."""

    asked: Question | None
    bounds: Bounds
    tables: int = 0
    errors: list[ErrorReply] = field(default_factory=list)
    strays: list[tuple[str, NoPrices]] = field(default_factory=list)

    def read(self, status: int, content: bytes) -> Prices:
        reading = Reading(Scope.of(self.asked) if self.asked else None, self.bounds.rows)
        entries, read = [*entries_of(status, content, self.bounds)], self._table_in(Budget(self.bounds.total_bytes))
        with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
            for entry, table in ahead(threads, entries, read):
                self._take(entry, table, reading)
        self._require_table()
        scope = reading.scope
        if scope is None:
            raise _no_row(reading)
        prices = assemble(reading, scope.market, [f"{shown(name, 80)}: {error}" for name, error in self.strays])
        if not len(prices):
            raise _no_price(prices) if reading.has_rows else _no_row(reading)
        return prices

    def _table_in(self, budget: Budget) -> Callable[[Entry], Table]:
        def read(entry: Entry) -> Table:
            member = entry.open(budget)
            if not member.is_xml:
                member.forget()
                return read_table(partial(entry.open, budget))
            return Table([read_report(member, self.asked.query_name if self.asked else None)])

        return read

    def _take(self, entry: Entry, table: Callable[[], Table], reading: Reading) -> None:
        try:
            read = table()
        except ErrorReply as error:
            self.errors.append(error)
        except NoPrices as error:
            self.strays.append((entry.file_name, error))
        else:
            self.tables += 1
            reading.bad_rows.add(read.left_out)
            for piece in read.pieces:
                reading.add(piece)

    def _require_table(self) -> None:
        """A whole error is that error; one beside tables stands for a member that is missing."""
        if self.errors and not self.tables:
            raise next((error for error in self.errors if error.code != NO_DATA), self.errors[0])
        if not self.tables:
            raise self.strays[0][1]
        if self.errors:
            raise Incomplete(f"a table and an error in one reply: {self.errors[0]}")


def ahead(
    threads: ThreadPoolExecutor, entries: Sequence[Entry], read: Callable[[Entry], Table]
) -> Iterator[tuple[Entry, Callable[[], Table]]]:
    """Each entry, in order, with what is read in it, while the next ones are read already. One alone needs no thread."""
    if len(entries) == 1:
        yield entries[0], partial(read, entries[0])
        return
    waiting: deque[tuple[Entry, Callable[[], Table]]] = deque()
    for entry in entries:
        waiting.append((entry, threads.submit(read, entry).result))
        if len(waiting) >= SIDE_BY_SIDE:
            yield waiting.popleft()
    yield from waiting


def _no_row(reading: Reading) -> OasisFailure:
    """Why a table of which no row can be used is no answer, and not "not yet" either."""
    if bad := reading.bad_rows.named:
        return Malformed(bad[0].cause, where=bad[0].where)
    kinds = ", ".join(sorted(reading.others)[:5])
    return Incomplete(f"no row of a price that is known here, but of {shown(kinds, 80)}" if kinds else "a table without rows")


def _no_price(prices: Prices) -> OasisFailure:
    """The same of rows without a single LMP."""
    told = [*prices.bad_rows, *(f"{place}: {text}" for place, text in prices.unreadable.items()), *prices.contradictions]
    return Incomplete("rows without an LMP that can be used", where=str(told[0]) if told else "")
