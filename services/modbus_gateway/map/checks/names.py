"""Names: whose line of the map a mistake is about, for whoever knows plants and not `modbus.point[214]`. Pure."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Final

from dotbus.runtime.installation.modbus import Block, BlockChange, Line
from dotbus.runtime.settings.mistakes import Mistake
from modbus_gateway.map.checks.file_facts import FileFacts

_PLACE: Final = re.compile(r"modbus\.(block|point|write|answer)\[(\d+)\](?:\.(change|add)\[(\d+)\])?")


def with_names(mistakes: Iterable[Mistake], facts: FileFacts) -> list[Mistake]:
    """Mistakes with the plant and the resource, or the node, that they are about."""
    owners = {resource.id: plant for plant, resources in facts.plants.items() for resource in resources}
    return [replace(mistake, whose=_whose(mistake.key, facts, owners)) for mistake in mistakes]


def _whose(key: str, facts: FileFacts, owners: Mapping[str, str]) -> str:
    place = _PLACE.match(key)
    if place is None:
        return ""
    kind, i, line, j = place.groups()
    modbus = facts.file.installation.modbus
    if kind in ("write", "answer"):
        resource = (modbus.writes if kind == "write" else modbus.answers)[int(i)].resource
        return f"plant {owners[resource]}, resource {resource}" if resource in owners else f"resource {resource}"
    if kind == "point":
        return _of_line(modbus.points[int(i)], owners)
    block = modbus.blocks[int(i)]
    if line is None:
        return _of_block(block, owners)
    of_line = _of_line((block.changes if line == "change" else block.additions)[int(j)], owners)
    return of_line or _of_block(block, owners)


def _of_block(block: Block, owners: Mapping[str, str]) -> str:
    plants = block.plants or tuple(dict.fromkeys(owners[name] for name in block.resources or () if name in owners))
    return f"plant {', '.join(plants)}" if plants else f"{block.profile} block of unit {block.unit_id}"


def _of_line(line: Line | BlockChange, owners: Mapping[str, str]) -> str:
    if line.resource is not None:
        plant = owners.get(line.resource)
        return f"plant {plant}, resource {line.resource}" if plant else f"resource {line.resource}"
    if isinstance(line, Line) and line.plant is not None:
        return f"plant {line.plant}"
    if isinstance(line, Line) and line.service is not None:
        return f"service {line.service}/{line.instance}"
    return f"node {line.node} in {line.market}" if isinstance(line, Line) and line.node is not None else ""
