"""Reading `dotbus.toml`, and what is wrong with it: all of it at once.

One mistake must not hide another. So what is refused is left out, or has a stand-in where something must be, and what
remains is checked as a whole: an outline, which is never used for anything else.
"""

import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from dotbus.contracts.messages import Environment
from dotbus.runtime.installation import Installation
from dotbus.runtime.mistakes import ConfigurationRefused, Location, Mistake, entries_of, key_of, mistakes_of

_STAND_INS: Final[dict[str, object]] = {
    "environment": Environment.SIMULATOR,
    "profile": "plant",
    "unit_id": 0,
    "address": 0,
    "bad_value": 0.0,
}
_ROUNDS: Final = 6
"""What stands in for a table lacks its own keys, and so on: plant, its resources, their ids."""


@dataclass(frozen=True)
class InstallationFile:
    """What a file says, as far as it can be understood.

    Attributes:
        installation: no more than an outline when anything was refused.
        where: the file.
        refused: the places where the outline is not what the file says.
        mistakes: what is wrong with the file's form and names.
    """

    installation: Installation
    where: str = "dotbus.toml"
    refused: frozenset[Location] = frozenset()
    mistakes: tuple[Mistake, ...] = ()

    def is_as_given(self, *location: int | str | None) -> bool:
        """Whether nothing was refused at a place, above or below it. None in it is any entry of a list."""
        return not any(
            all(wanted in (None, part) for wanted, part in zip(location, place, strict=False)) for place in self.refused
        )

    def untold(self, mistakes: Iterable[Mistake]) -> list[Mistake]:
        """Mistakes found later, without those at keys that were refused already."""
        told = {key_of(place) for place in self.refused}
        return [mistake for mistake in mistakes if mistake.key not in told]


def load_installation(path: Path) -> Installation:
    """Read and check `dotbus.toml`, except for its register map.

    Raises:
        ConfigurationRefused: with every mistake in the file, or why it could not be read.
    """
    read = read_installation(path)
    if read.mistakes:
        raise ConfigurationRefused(read.mistakes)
    return read.installation


def read_installation(path: Path) -> InstallationFile:
    """Read `dotbus.toml` as far as it can be understood, for those who have more to check in it.

    Raises:
        ConfigurationRefused: it cannot be read, is not TOML, or no outline is left.
    """
    where = str(path)
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationRefused([Mistake(where, "", f"cannot be read: {error.strerror}")]) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationRefused([Mistake(where, "", f"is not TOML: {error}")]) from error
    mistakes: list[Mistake] = []
    refused: set[Location] = set()
    for _ in range(_ROUNDS):
        try:
            installation = Installation.model_validate(document)
        except ValidationError as error:
            mistakes = mistakes or mistakes_of(error, where, Installation)
            refused |= set(_mend(document, error))
        else:
            mistakes += _names_given_twice(installation, where)
            return InstallationFile(installation, where, frozenset(refused), tuple(mistakes))
    raise ConfigurationRefused(mistakes)


def _mend(document: dict[str, Any], error: ValidationError) -> Iterator[Location]:
    """Leave out what was refused, the last entry of a list first, and put a stand-in where something is missing."""
    for kind, location, _ in reversed(entries_of(error)):
        table: Any = document
        for part in location[:-1]:
            table = table[part]
        last = location[-1]
        if isinstance(table, dict) and last not in table:
            table[last] = _stand_in(location)
        elif kind == "model_type":
            table[last] = {}
        else:
            del table[last]
        yield location


def _stand_in(location: Location) -> object:
    """Lists get one table; a name is its own place, so that it is nobody else's."""
    last = str(location[-1])
    return [{}] if last in ("plant", "resource") else _STAND_INS.get(last, f"({key_of(location)})")


def _names_given_twice(installation: Installation, where: str) -> Iterator[Mistake]:
    plants = {f"plant[{i}].name": plant.name for i, plant in enumerate(installation.plants)}
    resources = {
        f"plant[{i}].resource[{j}].id": resource.id
        for i, plant in enumerate(installation.plants)
        for j, resource in enumerate(plant.resources)
    }
    for names in (plants, resources):
        first: dict[str, str] = {}
        for key, name in names.items():
            if first.setdefault(name, key) != key:
                yield Mistake(where, key, f"{name!r} is given twice, first as {first[name]}")
