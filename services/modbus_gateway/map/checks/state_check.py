"""State check: what can be wrong with a line that names a field of a state."""

from collections.abc import Iterator
from typing import Final

from dotbus.runtime.installation.modbus import Line, StateTopic
from dotbus.runtime.settings.mistakes import Location, Mistake
from modbus_gateway.map.checks.file_facts import NODES, FileFacts

SERVICES: Final = ("ads_ingest", "lmp_ingest")
"""Those whose status the gateway knows, because it judges by it."""
_NEEDS: Final = {
    StateTopic.DOT: ("resource",),
    StateTopic.TRAJECTORY: ("resource",),
    StateTopic.INSTRUCTIONS: ("resource",),
    StateTopic.SERVICE: ("service", "instance"),
}
_TAKES: Final = {
    StateTopic.LMP: frozenset({"plant", "resource", "node", "market"}),
    StateTopic.SERVICE: frozenset({"service", "instance"}),
}
_OF_RESOURCE: Final = frozenset({"plant", "resource"})
_WHOSE: Final = ("plant", "resource", "resources", "node", "market", "service", "instance")


def check_source(line: Line, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """A line names a quantity, or a field of a state by topic and path."""
    if line.quantity is None and line.topic is None and line.path is None:
        yield from facts.tell(at, "quantity", "is missing: give a quantity, or a topic and a path into its state")
    for key, other in (("path", "topic"), ("topic", "path")):
        if getattr(line, other) is not None and getattr(line, key) is None:
            yield from facts.tell(at, key, f"is missing: it goes together with {other}", other)
    if line.quantity is not None and (line.topic or line.path):
        yield from facts.tell(at, "quantity", "goes in place of topic and path: give one or the other", "topic", "path")
    if line.topic is None:
        for key in {"shows", "service", "instance"} & line.model_fields_set:
            yield from facts.tell(at, key, "is for a topic and a path", "topic", "quantity")


def check_whose(line: Line, topic: StateTopic, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """Whose state it is."""
    takes = _TAKES.get(topic, _OF_RESOURCE)
    for key in _WHOSE:
        if key in line.model_fields_set and key not in takes:
            yield from facts.tell(at, key, f"a state of topic {topic} takes no {key}", "topic")
    for key in _NEEDS.get(topic, ()):
        if getattr(line, key) is None:
            yield from facts.tell(at, key, f"is missing: whose {topic} state?", "topic")
    if topic is StateTopic.LMP:
        yield from _check_node(line, facts, at)
    if topic is StateTopic.SERVICE and line.service is not None and line.service not in SERVICES:
        yield from facts.tell(at, "service", f"{line.service!r} is none of {', '.join(SERVICES)}", "topic")


def _check_node(line: Line, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    yield from facts.without_market(line.market, at, "market", "topic")
    resource = facts.resources.get(line.resource or "")
    if line.node is None and line.resource is None:
        yield from facts.tell(at, "node", "is missing: the price of a node, or of a resource's node", "topic", "resource")
    if line.node:
        yield from facts.without_node(line.node, at, "node")
    elif resource and resource.node is None and facts.file.is_as_given(*NODES):
        yield from facts.tell(at, "resource", f"{line.resource!r} has no node: give node, here or at the resource", "topic")
