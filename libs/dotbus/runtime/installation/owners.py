"""Owners: whose a table of `dotbus.toml` is, for whoever knows plants and not `modbus.point[214]`. Pure.

It reads the document as it stands in the file: what is wrong there must not keep a mistake from being told with its plant.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Table = Mapping[str, Any]
_LINES: Final = ("point", "write", "answer")
_LINES_OF_BLOCK: Final = ("change", "add")


def owners_of(document: Table) -> Mapping[str, str]:
    """What tables are about, in words, by their place as it is written for people: `plant[0].resource[1]`."""
    plants: dict[str, str] = {}
    found: dict[str, str] = {}
    for at, plant in _tables(document, "plant"):
        name = plant.get("name")
        found[at] = f"plant {name}" if isinstance(name, str) else ""
        for its, resource in _tables(plant, "resource", f"{at}."):
            if isinstance(resource_id := resource.get("id"), str):
                plants.setdefault(resource_id, found[at])
                found[its] = _joined(found[at], f"resource {resource_id}")
    for at, rule in _tables(document, "automatic_acceptance"):
        found[at] = f"rule {rule['name']}" if isinstance(rule.get("name"), str) else ""
    modbus = document.get("modbus")
    found |= _of_map(modbus, plants) if isinstance(modbus, dict) else {}
    return {place: whose for place, whose in found.items() if whose}


def _of_map(modbus: Table, plants: Mapping[str, str]) -> dict[str, str]:
    found = {at: _of_line(line, plants) for key in _LINES for at, line in _tables(modbus, key, "modbus.")}
    for at, block in _tables(modbus, "block", "modbus."):
        found[at] = _of_block(block, plants)
        found |= {its: _of_line(line, plants) for key in _LINES_OF_BLOCK for its, line in _tables(block, key, f"{at}.")}
    return found


def _of_block(block: Table, plants: Mapping[str, str]) -> str:
    if named := _texts(block, "plants"):
        return f"plant {', '.join(named)}"
    owners = dict.fromkeys(plants[name] for name in _texts(block, "resources") if name in plants)
    return ", ".join(owner for owner in owners if owner) or f"{block.get('profile')} block of unit {block.get('unit_id')}"


def _of_line(line: Table, plants: Mapping[str, str]) -> str:
    match line:
        case {"resource": str(resource)}:
            return _joined(plants.get(resource, ""), f"resource {resource}")
        case {"resources": [*_]}:
            return f"resources {', '.join(_texts(line, 'resources'))}"
        case {"plant": str(plant)}:
            return f"plant {plant}"
        case {"service": str(service)}:
            return f"service {service}/{line.get('instance')}"
        case {"node": str(node)}:
            return f"node {node} in {line.get('market', 'RTM')}"
        case _:
            return ""


def _joined(*parts: str) -> str:
    return ", ".join(part for part in parts if part)


def _tables(table: Table, key: str, above: str = "") -> Iterator[tuple[str, Table]]:
    """Each table of a list of tables, with its place."""
    entries = table.get(key)
    for i, entry in enumerate(entries if isinstance(entries, list) else ()):
        if isinstance(entry, dict):
            yield f"{above}{key}[{i}]", entry


def _texts(table: Table, key: str) -> list[str]:
    entries = table.get(key)
    return [entry for entry in entries if isinstance(entry, str)] if isinstance(entries, list) else []
