"""Mistakes in a configuration: all of them at once, each with its place and reason."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, TypeVar, get_args

from pydantic import BaseModel, ValidationError

T = TypeVar("T")
Location = tuple[int | str, ...]
_REASONS: Final = {
    "missing": "is missing",
    "model_type": "must be a table",
    "tuple_type": "must be a list",
    "too_short": "must have at least one entry",
}
"""Of pydantic's types of error, those that it words for programmers."""


@dataclass(frozen=True)
class Mistake:
    """One thing that is wrong: in which file (or the environment), at which key, and why."""

    where: str
    key: str
    reason: str

    def __str__(self) -> str:
        return ": ".join(part for part in (self.where, self.key, self.reason) if part)


class ConfigurationRefused(Exception):
    """A configuration that a service will not start with.

    Attributes:
        mistakes: every one that was found.
    """

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__("; ".join(str(mistake) for mistake in mistakes))
        self.mistakes = tuple(mistakes)


def mistakes_of(error: ValidationError, where: str, kind: type[BaseModel]) -> list[Mistake]:
    """The mistakes that pydantic found in a `kind`, without the values: one of them may be a secret."""
    return [
        Mistake(where, key_of(location), _reason(name, message, location, kind))
        for name, location, message in entries_of(error)
    ]


def entries_of(error: ValidationError) -> list[tuple[str, Location, str]]:
    """Name, place and message of each error.

    A list is also called too short when its entries were refused: that is no error of its own and is left out.
    """
    entries = [(entry["type"], entry["loc"], entry["msg"]) for entry in error.errors(include_url=False, include_input=False)]
    places = [location for _, location, _ in entries]
    return [entry for entry in entries if entry[0] != "too_short" or not any(_is_below(place, entry[1]) for place in places)]


def key_of(location: Location) -> str:
    """A place as it is written for people: plant[0].resource[1].id."""
    key = ""
    for part in location:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return key


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the known name that is nearest to a wrong one; empty when none is near."""
    close = get_close_matches(name, list(known), n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def _reason(name: str, message: str, location: Location, kind: type[BaseModel]) -> str:
    if name == "extra_forbidden":
        return f"is no key of this table{did_you_mean(str(location[-1]), _keys_at(location[:-1], kind))}"
    plain = re.sub(r"^(Input|String) should", "must", message.removeprefix("Value error, "))
    return _REASONS.get(name, plain)


def _keys_at(location: Location, kind: type[BaseModel]) -> list[str]:
    """The keys that the table at a location of a `kind` can have."""
    for part in location:
        if isinstance(part, str):
            field = next(field for name, field in kind.model_fields.items() if (field.alias or name) == part)
            kind = next(table for table in (field.annotation, *get_args(field.annotation)) if _is_model(table))
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
