"""Answer: what the bad rows of a reply cost. Pure.

A row that is right in all is believed whatever stands beside it. A bad one could have spoken for what nobody can read in it:
for any node of the question where its node cannot be read, for any interval where its interval cannot. Whatever of that no good
row fills is not had, and is asked for again; where both can be read, that price is refused though other rows of it are good.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

import numpy as np

from caiso.oasis import REPORTS, BadRow, Component, Group, Question, floor, interval_starts
from lmp_ingest.known.price_block import Flags, PriceBlock, lacks_any, present_in

_About = tuple[datetime | None, str | None]
"""What a bad row could have spoken for: an interval's start and a node; None is any of the question's."""
_POSITIONS = {component: position for position, component in enumerate(Component)}
"""Of each component its place among a price's values (`price_block.COLUMNS`)."""


def without_bad_rows(block: PriceBlock, bad: Iterable[BadRow], question: Question) -> PriceBlock:
    """An answer's prices when some of its rows cannot be believed."""
    bad = tuple(bad)
    told = tuple(dict.fromkeys(map(str, bad)))
    if not told:
        return block
    whole = _widened(block, question)
    about = {_about(row, question, block) for row in bad}
    refused = {each for each in about if None not in each}
    values = np.where(_all_of(whole, refused)[:, :, None], np.nan, whole.values)
    spoken_of = {_POSITIONS[row.component] for row in bad if row.component}
    hidden = _all_of(whole, about) & lacks_any(values, present_in(values) | spoken_of)
    return replace(whole, values=values, holes=whole.holes | hidden, bad_rows=told)


def _about(row: BadRow, question: Question, block: PriceBlock) -> _About:
    """What a bad row could have spoken for, as far as that is the question's at all."""
    interval, start, end = REPORTS[question.market].interval, row.interval_start, row.interval_end
    is_sound = start is not None and end is not None and end - start == interval and floor(start, interval) == start
    is_asked = is_sound and start is not None and question.start <= start < question.end
    return start if is_asked else None, row.node if row.node in _nodes(question, block) else None


def _nodes(question: Question, block: PriceBlock) -> Sequence[str]:
    """The nodes that a question is about. Of a group they are those that the answer has."""
    return block.nodes if isinstance(question.nodes, Group) else question.nodes


def _widened(block: PriceBlock, question: Question) -> PriceBlock:
    """The block with a place for everything that was asked for."""
    asked = interval_starts(question.start, question.end, REPORTS[question.market].interval)
    starts = tuple(sorted({*block.starts, *asked}))
    nodes = tuple(sorted({*block.nodes, *_nodes(question, block)}))
    at_start = np.isin(np.array(starts), np.array(block.starts))
    at_node = np.isin(np.array(nodes), np.array(block.nodes))
    values = np.full((len(starts), len(nodes), block.values.shape[2]), np.nan)
    holes = np.zeros((len(starts), len(nodes)), dtype=np.bool_)
    places = np.ix_(at_start, at_node)
    values[places], holes[places] = block.values, block.holes
    return replace(block, starts=starts, nodes=nodes, values=values, holes=holes)


def _all_of(block: PriceBlock, about: Iterable[_About]) -> Flags:
    """By interval and node, whether any of some bad rows could have spoken for it."""
    found = np.zeros(block.holes.shape, dtype=np.bool_)
    starts = {start: number for number, start in enumerate(block.starts)}
    for start, node in about:
        at_start = slice(None) if start is None else starts[start]
        at_node = slice(None) if node is None else block.numbers[node]
        found[at_start, at_node] = True
    return found
