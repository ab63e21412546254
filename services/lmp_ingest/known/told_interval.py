"""Told interval: what was told of one interval of one market, node by node, by the nodes' numbers. Pure.

Its values are kept while they may be needed for an answer that lacks a component. After that a digest of each is enough to know
a correction: five values of 16,600 nodes take 664 kB, their digests 133 kB.
"""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

from lmp_ingest.known.price_block import COLUMNS, LMP, Flags, Floats, Numbers

Digests = npt.NDArray[np.uint64]
K = TypeVar("K", np.float64, np.uint64)

_NONE = np.uint64(0)
_PRESENT = np.uint64(2 ** len(COLUMNS) - 1)
_OF_LMP, _OF_PARTS = np.uint64(0xFFFFFFFF00000000), np.uint64(0xFFFFFFE0)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


def digests_of(values: Floats) -> Digests:
    """Of each node's values 64 bits: 32 of the LMP's hash, 27 of the other values', and which of them are there. None is 0."""
    is_there = ~np.isnan(values)
    bits = np.where(is_there, values + 0.0, 0.0).view(np.uint64)  # -0.0 is 0.0
    present = (is_there << np.arange(len(COLUMNS))).sum(axis=1).astype(np.uint64)
    parts = present
    for component in range(len(COLUMNS)):
        if component != LMP:
            parts = _mixed(parts ^ _mixed(bits[:, component]))
    found: Digests = (_mixed(bits[:, LMP]) & _OF_LMP) | (parts & _OF_PARTS) | present
    return np.where(is_there[:, LMP], found, _NONE)


def _mixed(bits: Digests) -> Digests:
    """Each bit of a number spread over all of it (the finish of splitmix64)."""
    bits = bits + _MULTIPLIER
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Digests = bits ^ (bits >> np.uint64(31))
    return mixed


class ToldInterval:
    """The values of an interval's nodes, as last told. A node is told when it has an LMP."""

    def __init__(self) -> None:
        self._values: Floats | None = np.empty((0, len(COLUMNS)))
        self._digests: Digests = np.empty(0, dtype=np.uint64)

    @property
    def size_bytes(self) -> int:
        """What it takes."""
        return self._digests.nbytes + (0 if self._values is None else self._values.nbytes)

    @property
    def is_whole(self) -> bool:
        """Whether the values themselves are kept."""
        return self._values is not None

    def is_told(self, numbers: Numbers) -> Flags:
        """Of which nodes a price was told."""
        if self._values is None:
            told: Flags = _at(self._digests, numbers, _NONE) != _NONE
        else:
            told = ~np.isnan(_at(self._values, numbers, np.nan)[:, LMP])
        return told

    def completed(self, numbers: Numbers, values: Floats) -> Floats:
        """Values with the components that were told before and that they lack: the same LMP is made of the same parts."""
        if self._values is None:
            return values
        known = _at(self._values, numbers, np.nan)
        is_same = known[:, LMP] == values[:, LMP]
        return np.where(np.isnan(values) & is_same[:, None], known, values)

    def is_news(self, numbers: Numbers, values: Floats) -> Flags:
        """Which prices differ from what was last told.

        Of a digest nobody can fill what a price lacks: it is no news while its LMP is the same and it has nothing that the
        price told before had not.
        """
        is_priced = ~np.isnan(values[:, LMP])
        if self._values is not None:
            known = _at(self._values, numbers, np.nan)
            is_same = ((known == values) | (np.isnan(known) & np.isnan(values))).all(axis=1)
        else:
            told, new = _at(self._digests, numbers, _NONE), digests_of(values)
            lacks = ((new & _PRESENT) & ~(told & _PRESENT) == _NONE) & ((new & _PRESENT) != (told & _PRESENT))
            is_same = (told == new) | (((told ^ new) & _OF_LMP == _NONE) & lacks)
        found: Flags = is_priced & ~is_same
        return found

    def note(self, numbers: Numbers, values: Floats) -> int:
        """Note prices as told. Returns how many of the nodes had been told of."""
        corrected = int(self.is_told(numbers).sum())
        if self._values is None:
            self._digests = _grown(self._digests, numbers, _NONE)
            self._digests[numbers] = digests_of(values)
        else:
            self._values = _grown(self._values, numbers, np.nan)
            self._values[numbers] = values
        return corrected

    def condense(self) -> None:
        """Keep digests in place of values from now on."""
        if self._values is not None:
            self._digests, self._values = digests_of(self._values), None


def _at(kept: npt.NDArray[K], numbers: Numbers, absent: object) -> npt.NDArray[K]:
    """What is kept of some nodes; those with larger numbers came later."""
    if not len(numbers) or numbers.max() < len(kept):
        return kept[numbers]
    found = np.full((len(numbers), *kept.shape[1:]), absent, dtype=kept.dtype)
    is_kept = numbers < len(kept)
    found[is_kept] = kept[numbers[is_kept]]
    return found


def _grown(kept: npt.NDArray[K], numbers: Numbers, absent: object) -> npt.NDArray[K]:
    """What is kept, with room for some nodes; a little more when it grows, so that chunk after chunk costs no copy each."""
    needed = int(numbers.max(initial=-1)) + 1
    if needed <= len(kept):
        return kept
    room = np.full((_with_room(needed) - len(kept), *kept.shape[1:]), absent, dtype=kept.dtype)
    return np.concatenate([kept, room])


def _with_room(nodes: int) -> int:
    return nodes + nodes // 8


def most_bytes(nodes: int) -> int:
    """What an interval takes at most when there are so many nodes."""
    return _with_room(nodes) * 8 * len(COLUMNS)
