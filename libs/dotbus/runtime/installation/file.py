"""Reading `dotbus.toml`, and what is wrong with it: all of it at once.

One mistake must not hide another. So what is refused is left out, or has a stand-in where something must be, and what
remains is checked as a whole: an outline, which is never used for anything else.
"""

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from dotbus.contracts.alarms import INSTALLATION
from dotbus.contracts.messages import Environment
from dotbus.contracts.topics import UNASSIGNED
from dotbus.runtime.installation.alarm_receivers import FILE_NAME
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.lines import lines_of, nearest_of
from dotbus.runtime.installation.owners import owners_of
from dotbus.runtime.installation.resource_claims import overlap
from dotbus.runtime.settings.mistakes import (
    NO_TABLE,
    ConfigurationRefused,
    Location,
    Mistake,
    Refusal,
    key_of,
    mistakes_of,
    refusals_of,
)

_STAND_INS: Final[dict[str, object]] = {
    "environment": Environment.SIMULATOR,
    "profile": "plant",
    "unit_id": 0,
    "address": 0,
    "bad_value": 0.0,
    "resources": ["-"],
    "max_mw": 1e9,
    "from": "nobody@invalid",
    "to": ["nobody@invalid"],
}
_NO_RESOURCE: Final = "is missing: a plant has resources, or patterns of their names"
_MENDED_BY: Final = "; name the file with --config or the program's variable that ends in _CONFIG, and let its user read it"
_ROUNDS: Final = 8
"""A stand-in for a table lacks keys of its own in the next round: plant, its resources, their ids. Four rounds were seen."""


@dataclass(frozen=True)
class InstallationFile:
    """What a file says, as far as it can be understood.

    Attributes:
        installation: no more than an outline when anything was refused.
        where: the file.
        refused: the places where the outline is not what the file says.
        mistakes: what is wrong with the file's form and names.
        lines: at which line of the file each of its keys stands, by the key as it is written for people.
        owners: whose a table is, in words; by the same.
    """

    installation: Installation
    where: str
    refused: frozenset[Location] = frozenset()
    mistakes: tuple[Mistake, ...] = ()
    lines: Mapping[str, int] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)

    def located(self, mistakes: Iterable[Mistake]) -> list[Mistake]:
        """Mistakes of the file with their lines, and whose they are, as far as these are known."""
        return [_located(one, self.lines, self.owners) if one.where == self.where else one for one in mistakes]

    def is_as_given(self, *location: int | str | None) -> bool:
        """Whether nothing was refused at a place, above or below it. None in it is any entry of a list."""
        return not any(
            all(wanted in (None, part) for wanted, part in zip(location, place, strict=False)) for place in self.refused
        )


def load_installation(path: Path) -> Installation:
    """Read and check `dotbus.toml`, except for its register map.

    Raises:
        ConfigurationRefused: with every mistake in the file, or why it could not be read.
    """
    file = read_installation(path)
    if file.mistakes:
        raise ConfigurationRefused(file.mistakes)
    return file.installation


def read_installation(path: Path) -> InstallationFile:
    """Read `dotbus.toml` as far as it can be understood, for those who have more to check in it.

    Raises:
        ConfigurationRefused: it cannot be read, is not TOML, or no outline is left of it.
    """
    return understand_installation(read_text(path), path)


def understand_installation(text: str, path: Path) -> InstallationFile:
    """What a file's text says, as `read_installation`.

    Raises:
        ConfigurationRefused: it is not TOML, or no outline is left of it.
    """
    where = str(path)
    document, lines = _document(text, path), lines_of(text)
    owners = owners_of(document)  # before anything is taken out of it
    mistakes: list[Mistake] = []
    refused: set[Location] = set()
    for _ in range(_ROUNDS):
        try:
            installation = Installation.model_validate(document)
        except ValidationError as error:
            mistakes = mistakes or mistakes_of(error, where, Installation)  # later rounds speak of stand-ins only
            refused |= _mend(document, error)
        else:
            empty = _without_resources(installation, InstallationFile(installation, where, frozenset(refused)))
            mistakes += [Mistake(where, key_of(place), _NO_RESOURCE) for place in empty]
            mistakes += _check_names(installation, where)
            file = InstallationFile(installation, where, frozenset(refused | empty), lines=lines, owners=owners)
            return replace(file, mistakes=tuple(file.located(mistakes)))
    raise ConfigurationRefused([_located(mistake, lines, owners) for mistake in mistakes])


def read_text(path: Path) -> str:
    """A file's text.

    Raises:
        ConfigurationRefused: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigurationRefused([Mistake(str(path), "", f"cannot be read: {error.strerror}{_MENDED_BY}")]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationRefused([Mistake(str(path), "", f"is not TOML: {error}")]) from error


def _located(mistake: Mistake, lines: Mapping[str, int], owners: Mapping[str, str]) -> Mistake:
    return replace(mistake, line=nearest_of(mistake.key, lines), whose=nearest_of(mistake.key, owners) or "")


def _document(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # tomllib's own error, or a number or a depth that Python refuses
        raise ConfigurationRefused([Mistake(str(path), "", f"is not TOML: {error}")]) from error


def _mend(document: dict[str, Any], error: ValidationError) -> set[Location]:
    """Take out of a document what was refused, the last entry of a list first, and put a stand-in where something is missing.

    Returns the places of which the document does not say any more what the file says.
    """
    refused: set[Location] = set()
    for one in reversed(refusals_of(error, Installation)):
        _mend_one(document, one)
        refused.update(one.refused)
    return refused


def _mend_one(document: dict[str, Any], one: Refusal) -> None:
    table: Any = document
    for part in one.location[:-1]:
        table = table[part]
    last = one.location[-1]
    if isinstance(table, dict) and last not in table:
        table[last] = _stand_in(one.location)
    elif one.type == NO_TABLE:
        table[last] = {}
    else:
        del table[last]


def _stand_in(location: Location) -> object:
    """Lists get one table; a name is its own place, so that it is nobody else's."""
    last = str(location[-1])
    return [{}] if last == "plant" else _STAND_INS.get(last, f"({key_of(location)})")


def _without_resources(outline: Installation, file: InstallationFile) -> set[Location]:
    """The places of resources that should be there."""
    return {
        ("plant", i, "resource")
        for i, plant in enumerate(outline.plants)
        if not (plant.resources or plant.patterns)
        and all(file.is_as_given("plant", i, key) for key in ("resource", "patterns"))
    }


def _check_names(outline: Installation, where: str) -> Iterator[Mistake]:
    plants = {f"plant[{i}].name": plant.name for i, plant in enumerate(outline.plants)}
    resources = {
        f"plant[{i}].resource[{j}].id": resource.id
        for i, plant in enumerate(outline.plants)
        for j, resource in enumerate(plant.resources)
    }
    rules = {f"automatic_acceptance[{i}].name": rule.name for i, rule in enumerate(outline.acceptance_rules)}
    receivers = {
        f"alarms.{kind}[{i}].name": one.name
        for kind, ones in (("email", outline.alarms.emails), ("webhook", outline.alarms.webhooks))
        for i, one in enumerate(ones)
    }
    for names in (plants, resources, rules, receivers):
        first: dict[str, str] = {}
        for key, name in names.items():
            if first.setdefault(name, key) != key:
                yield Mistake(where, key, f"{name!r} is given twice, first as {first[name]}")
    for key in (key for key, name in plants.items() if name == UNASSIGNED):
        yield Mistake(where, key, f"{UNASSIGNED!r} is the plant of resources that nobody claims; choose another name")
    for key in (key for key, name in plants.items() if name == INSTALLATION):
        yield Mistake(where, key, f"{INSTALLATION!r} is the plant of alarms that are of none; choose another name")
    yield from _check_patterns(outline, where)
    yield from _check_receivers(outline, where)


def _check_receivers(outline: Installation, where: str) -> Iterator[Mistake]:
    known = {plant.name for plant in outline.plants} | {INSTALLATION}
    for kind, ones in (("email", outline.alarms.emails), ("webhook", outline.alarms.webhooks)):
        for i, one in enumerate(ones):
            if not FILE_NAME.fullmatch(one.name) and not one.name.startswith("("):  # a stand-in
                reason = "names files of secrets: letters, digits, `_`, `.` and `-` alone"
                yield Mistake(where, f"alarms.{kind}[{i}].name", reason)
            for j, plant in enumerate(one.plants or ()):
                if plant not in known:
                    yield Mistake(where, f"alarms.{kind}[{i}].plants[{j}]", f"{plant!r} is no plant of this file")


def _check_patterns(outline: Installation, where: str) -> Iterator[Mistake]:
    """A name that patterns of two plants match would be whose? Within one plant it does not matter."""
    patterns = [
        (f"plant[{i}].patterns[{j}]", plant.name, pattern)
        for i, plant in enumerate(outline.plants)
        for j, pattern in enumerate(plant.patterns)
    ]
    for (first, owner, pattern), (key, plant, other) in combinations(patterns, 2):
        if owner != plant and overlap(pattern, other):
            reason = f"{other!r} and {pattern!r} ({first}) may match one resource, and it cannot be of both plants"
            yield Mistake(where, key, reason)
