"""Mistakes in a configuration: all of them at once, each with its place and reason."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ValidationError

T = TypeVar("T")
Location = tuple[int | str, ...]
MISSING: Final = "missing"
MISPLACED: Final = "extra_forbidden"
NO_TABLE: Final = "model_type"
_NO_LIST: Final = "tuple_type"
_TOO_SHORT: Final = "too_short"
_REASONS: Final = {
    MISSING: "is missing",
    NO_TABLE: "must be a table",
    _NO_LIST: "must be a list",
    _TOO_SHORT: "must have at least one entry",
}
"""For those of pydantic's types of error that it words for programmers."""


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong: in which file (or the environment), at which key, and why.

    Attributes:
        line: of the file, from 1, where it is known.
        whose: what the key is about, in words, where its place alone does not tell.
    """

    where: str
    key: str
    reason: str
    line: int | None = field(default=None, compare=False)
    whose: str = field(default="", compare=False)

    def __str__(self) -> str:
        place = ", ".join(part for part in (f"line {self.line}" if self.line else "", self.whose) if part)
        told = ": ".join(part for part in (self.where, self.key, self.reason) if part)
        return f"{told} ({place})" if place else told


class ConfigurationRefused(Exception):
    """A configuration that a service will not start with.

    Attributes:
        mistakes: every one that was found.
    """

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("; ".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)


class Refusal(NamedTuple):
    """One error of pydantic. `meant` is the key that a misspelt one is near to, beside it in the same table."""

    type: str
    location: Location
    message: str
    meant: str | None

    @property
    def refused(self) -> tuple[Location, ...]:
        """The places of which nothing is known now: a misspelt key leaves the one that was meant unsaid."""
        return (self.location, (*self.location[:-1], self.meant)) if self.meant else (self.location,)


def refusals_of(error: ValidationError, kind: type[BaseModel]) -> list[Refusal]:
    """What pydantic found in a `kind`, less what only follows from something else in it.

    A list is also called too short when its entries were refused, and a key is also missing when it is there misspelt.
    """
    entries = error.errors(include_url=False, include_input=False)
    found = [Refusal(entry["type"], entry["loc"], entry["msg"], _meant(entry["type"], entry["loc"], kind)) for entry in entries]
    places = [one.location for one in found]
    meant = {place for one in found for place in one.refused[1:]}
    return [
        one
        for one in found
        if not (one.type == _TOO_SHORT and any(_is_below(place, one.location) for place in places))
        and not (one.type == MISSING and one.location in meant)
    ]


def mistakes_of(error: ValidationError, where: str, kind: type[BaseModel]) -> list[Mistake]:
    """The mistakes that pydantic found in a `kind`, without the values: one of them may be a secret."""
    return [Mistake(where, key_of(one.location), _reason(one, kind)) for one in refusals_of(error, kind)]


def key_of(location: Location) -> str:
    """A place as it is written for people: plant[0].resource[1].id."""
    key = ""
    for part in location:
        name = part if isinstance(part, int) or re.fullmatch(r"[\w-]+", part) else json.dumps(part)
        key += f"[{name}]" if isinstance(part, int) else f".{name}" if key else str(name)
    return key


def nearest(name: str, known: Iterable[str], likeness: float = 0.6) -> str | None:
    """The known name that is nearest to a wrong one; None when none is as like as that (0 to 1)."""
    folded = {one.casefold(): one for one in known}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=likeness)
    return folded[close[0]] if close else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that is nearest to a wrong one; empty when none is near."""
    meant = nearest(name, known)
    return f"; did you mean {meant!r}?" if meant else ""


def _meant(error_type: str, location: Location, kind: type[BaseModel]) -> str | None:
    if error_type != MISPLACED:
        return None
    table = _table_at(location[:-1], kind)
    return nearest(str(location[-1]), _keys(table)) if table else None


def _reason(one: Refusal, kind: type[BaseModel]) -> str:
    if one.type == MISPLACED:
        return "is no key of this table" + (f"; did you mean {one.meant!r}?" if one.meant else "")
    if one.type == _NO_LIST and _table_at(one.location, kind):
        return f"must be a list of tables: [[{'.'.join(part for part in one.location if isinstance(part, str))}]]"
    return _REASONS.get(one.type) or re.sub(r"^(Input|String) should", "must", one.message.removeprefix("Value error, "))


def _table_at(location: Location, kind: type[BaseModel]) -> type[BaseModel] | None:
    """The model of the table (or of each table in the list) at a location of a `kind`."""
    table: type[BaseModel] | None = kind
    for part in location:
        if isinstance(part, str) and table:
            field = next(field for name, field in table.model_fields.items() if (field.alias or name) == part)
            table = next((one for one in (field.annotation, *get_args(field.annotation)) if _is_model(one)), None)
    return table


def _keys(kind: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in kind.model_fields.items()]


def _is_model(kind: object) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _is_below(place: Location, above: Location) -> bool:
    return len(place) > len(above) and place[: len(above)] == above


class Collector:
    """Loads one part after the other and remembers what was refused, so that all mistakes are told together, each once."""

    def __init__(self) -> None:
        self._mistakes: dict[Mistake, None] = {}

    @property
    def mistakes(self) -> list[Mistake]:
        """Those found so far."""
        return list(self._mistakes)

    def add(self, mistakes: Iterable[Mistake]) -> None:
        """Remember these, too."""
        self._mistakes.update(dict.fromkeys(mistakes))

    def load(self, load: Callable[[], T]) -> T | None:
        """What `load` returns, or None when it was refused."""
        try:
            return load()
        except ConfigurationRefused as refused:
            self.add(refused.mistakes)
            return None

    def finish(self) -> None:
        """Refuse the configuration when anything was wrong.

        Raises:
            ConfigurationRefused: with every mistake of every part.
        """
        if self._mistakes:
            raise ConfigurationRefused(self.mistakes)
