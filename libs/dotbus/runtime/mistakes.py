"""Mistakes in a configuration: all of them at once, each with its place and reason."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError

T = TypeVar("T")


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


def mistakes_of(error: ValidationError, where: str, prefix: str = "") -> list[Mistake]:
    """The mistakes that pydantic found, without the values: one of them may be a secret."""
    entries = error.errors(include_url=False, include_input=False)
    places = [entry["loc"] for entry in entries]
    return [
        Mistake(where, prefix + _key(entry["loc"]), entry["msg"].removeprefix("Value error, "))
        for entry in entries
        if not (entry["type"] == "too_short" and any(_is_below(place, entry["loc"]) for place in places))
    ]


def _is_below(place: tuple[int | str, ...], above: tuple[int | str, ...]) -> bool:
    """A list is also called too short when its entries were refused: that is no mistake of its own."""
    return len(place) > len(above) and place[: len(above)] == above


def _key(location: tuple[int | str, ...]) -> str:
    key = ""
    for part in location:
        key += f"[{part}]" if isinstance(part, int) else f".{part}" if key else part
    return key


class Collector:
    """Loads one part after the other and remembers what was refused, so that all mistakes are told together."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []

    def load(self, load: Callable[[], T]) -> T | None:
        """What `load` returns, or None when it was refused."""
        try:
            return load()
        except ConfigurationRefused as refused:
            self.mistakes.extend(refused.mistakes)
            return None

    def finish(self) -> None:
        """Refuse the configuration when anything was wrong.

        Raises:
            ConfigurationRefused: with every mistake of every part.
        """
        if self.mistakes:
            raise ConfigurationRefused(self.mistakes)
