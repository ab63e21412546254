"""Resource claims: which plant a resource belongs to, by its name or by a pattern of names. Pure.

A name counts before a pattern. Two patterns of different plants that one name could match would leave it open whose it is, so
such a pair is a mistake (`overlap`), whether or not CAISO ever names such a resource.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Annotated

from pydantic import AfterValidator

from dotbus.runtime.installation.toml_values import Name


def _has_a_wildcard(pattern: str) -> str:
    if "[" in pattern or "]" in pattern:
        raise ValueError("knows * (any text) and ? (one character) only")
    if not any(wildcard in pattern for wildcard in "*?"):
        raise ValueError("has neither * nor ?: one resource goes into [[plant.resource]]")
    return pattern


Pattern = Annotated[Name, AfterValidator(_has_a_wildcard)]
"""Names of resources: `*` is any text, also none, and `?` one character. Capital and small letters differ."""


class Claims:
    """Finds the plant of a resource: in one step by its name, in one match of all patterns else.

    Args:
        names: each resource that is named, and its plant.
        patterns: each pattern and its plant, none of which overlaps another plant's.
    """

    def __init__(self, names: Mapping[str, str], patterns: Iterable[tuple[str, str]]) -> None:
        self._names = dict(names)
        listed = tuple(patterns)
        self._plants = tuple(plant for _pattern, plant in listed)
        self._patterns = re.compile("|".join(f"({_expression(pattern)})" for pattern, _plant in listed)) if listed else None

    def plant_of(self, resource_id: str) -> str | None:
        """The plant that claims a resource, None when none does."""
        if named := self._names.get(resource_id):
            return named
        match = self._patterns.fullmatch(resource_id) if self._patterns else None
        return self._plants[match.lastindex - 1] if match and match.lastindex else None


def _expression(pattern: str) -> str:
    """A regular expression. It knows no group, so that a claim's number is that of its own."""
    texts = re.escape(re.sub(r"\*+", "*", pattern))
    return texts.replace(r"\*", ".*").replace(r"\?", ".")


def overlap(one: str, other: str) -> bool:
    """Whether there is a name that both patterns match."""

    @cache
    def meet(i: int, j: int) -> bool:
        rest, rest_of_other = one[i:], other[j:]
        if not rest or not rest_of_other:
            return not (rest + rest_of_other).strip("*")
        if rest[0] == "*":
            return meet(i + 1, j) or meet(i, j + 1)
        if rest_of_other[0] == "*":
            return meet(i, j + 1) or meet(i + 1, j)
        return (rest[0] == rest_of_other[0] or "?" in (rest[0], rest_of_other[0])) and meet(i + 1, j + 1)

    return meet(0, 0)
