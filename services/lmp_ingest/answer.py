"""Answer: what the bad rows of a reply cost. Pure.

A row that is right in all is believed whatever stands beside it. A bad one could have spoken for what nobody can read in it:
for any node of the question where its node cannot be read, for any interval where its interval cannot. Whatever of that no good
row fills is not had, and is asked for again; where both can be read, that price is refused though other rows of it are good.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from caiso.oasis import REPORTS, BadRow, Component, Question, floor, interval_starts
from dotbus.contracts.messages import NodePrice
from lmp_ingest.translate import Assembled, Holes, values_of

_About = tuple[datetime | None, str | None]
"""What a bad row could have spoken for: an interval's start and a node; None is any of the question's."""
_POSITIONS = {component: position for position, component in enumerate(Component)}
"""Of each component its place among a price's values (`values_of`)."""


def without_bad_rows(assembled: Assembled, bad: Iterable[BadRow], question: Question) -> Assembled:
    """An answer's prices when some of its rows cannot be believed."""
    bad = tuple(bad)
    told = tuple(dict.fromkeys(map(str, bad)))
    if not told:
        return assembled
    about = {_about(row, question) for row in bad}
    spoken_of = {_POSITIONS[row.component] for row in bad if row.component}
    prices: dict[datetime, dict[str, NodePrice]] = {}
    for start, of in assembled.prices.items():
        if left := {node: price for node, price in of.items() if (start, node) not in about}:
            prices[start] = left
    return replace(assembled, prices=prices, holes=_holes(assembled.holes, prices, about, spoken_of, question), bad_rows=told)


def _about(row: BadRow, question: Question) -> _About:
    """What a bad row could have spoken for, as far as that is the question's at all."""
    interval, start, end = REPORTS[question.market].interval, row.interval_start, row.interval_end
    is_sound = start is not None and end is not None and end - start == interval and floor(start, interval) == start
    is_asked = is_sound and start is not None and question.start <= start < question.end
    return start if is_asked else None, row.node if row.node in question.nodes else None


def _holes(
    known: Holes,
    prices: Mapping[datetime, Mapping[str, NodePrice]],
    about: set[_About],
    spoken_of: set[int],
    question: Question,
) -> Holes:
    """The holes of an answer and those that its bad rows may have made: of a price, or of a component.

    Components are those that any price has, and those that the bad rows are of.
    """
    every = spoken_of.union(position for of in prices.values() for price in of.values() for position in _present(price))
    found = dict(known)
    for start in interval_starts(question.start, question.end, REPORTS[question.market].interval):
        of = prices.get(start, {})
        lacking = (node for node in question.nodes if node not in of or not every <= _present(of[node]))
        if hidden := frozenset(node for node in lacking if about & _all_about(start, node)):
            found[start] = found.get(start, frozenset()) | hidden
    return found


def _all_about(start: datetime, node: str) -> set[_About]:
    """Everything that speaks of a node's interval."""
    return {(start, node), (start, None), (None, node), (None, None)}


def _present(price: NodePrice) -> set[int]:
    return {position for position, value in enumerate(values_of(price)) if value is not None}
