"""What this installation is: `dotbus.toml`, the plants, their resources, the prices wanted and the register map.

Where things run and their secrets are not here but in each service's environment, see `dotbus.runtime.settings.settings`.
"""

from functools import cached_property
from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from dotbus.contracts.messages import Environment
from dotbus.contracts.schedules import Schedule
from dotbus.contracts.topics import DEFAULT_ROOT, UNASSIGNED, Topics
from dotbus.runtime.installation.alarms import Alarms, ResourceAlarms
from dotbus.runtime.installation.answers import AcceptanceRule
from dotbus.runtime.installation.modbus_writes import WritableModbus
from dotbus.runtime.installation.resource_claims import Claims, Pattern
from dotbus.runtime.installation.toml_values import Flag, Market, Name, NodeGroup, NodeName, Number, Section


class Resource(Section):
    """A generating unit as CAISO's Master File names it. Limits mark a DOT that is outside them; they change nothing.

    A limit is held against those that are declared before it.
    """

    id: Name
    node: NodeName | None = None
    variable: Flag = False
    schedule: Schedule = Schedule.FIVE_MINUTE
    pmin_mw: Number | None = None
    pmax_mw: Number | None = None
    ramp_mw_per_min: Annotated[Number, Field(gt=0)] | None = None
    alarms: ResourceAlarms = ResourceAlarms()

    @field_validator("pmax_mw")
    @classmethod
    def _limits_in_order(cls, pmax_mw: float | None, others: ValidationInfo) -> float | None:
        pmin_mw = others.data.get("pmin_mw")
        if pmin_mw is not None and pmax_mw is not None and pmin_mw > pmax_mw:
            raise ValueError(f"{pmax_mw} is below pmin_mw {pmin_mw}")
        return pmax_mw


class Plant(Section):
    """A site with its own SCADA. Its resources have their registers in this order, unless a block of the map lists them.

    What a pattern of names claims is published as this plant's, and has no registers: nobody knows how many there will be.
    """

    name: Name
    patterns: tuple[Pattern, ...] = ()
    alarms: ResourceAlarms = ResourceAlarms()
    resources: Annotated[tuple[Resource, ...], Field(alias="resource")] = ()


class Prices(Section):
    """Which prices to follow: every resource's node, and these besides.

    `ALL` or `ALL_APNODES` among the nodes asks for every node, or every aggregated one, in one request an interval. Their
    prices are events; only a node that is named, here or by a resource, has a state.
    """

    markets: tuple[Market, ...] = (Market.DAM, Market.RTPD, Market.RTM)
    nodes: tuple[NodeName, ...] = ()

    @property
    def group(self) -> NodeGroup | None:
        """The nodes that are asked for together, the larger group of two; None where all are named."""
        return next((group for group in NodeGroup if group in self.nodes), None)


class Installation(Section):
    """The whole of `dotbus.toml`.

    Names that cannot be are found by `dotbus.runtime.installation.file`; the register map is checked where it is laid out, by
    `modbus_gateway.map.draft`.
    """

    environment: Environment
    topic_root: str = DEFAULT_ROOT
    plants: Annotated[tuple[Plant, ...], Field(alias="plant", min_length=1)]
    prices: Prices = Prices()
    modbus: WritableModbus = WritableModbus()
    alarms: Alarms = Alarms()
    acceptance_rules: Annotated[tuple[AcceptanceRule, ...], Field(alias="automatic_acceptance")] = ()

    @field_validator("topic_root")
    @classmethod
    def _is_root(cls, topic_root: str) -> str:
        return Topics.rooted(topic_root).root

    @property
    def topics(self) -> Topics:
        """The topics of this installation."""
        return Topics(self.topic_root)

    @property
    def price_nodes(self) -> tuple[str, ...]:
        """Every node by name whose prices are wanted, each once, in the file's order."""
        nodes = [resource.node for plant in self.plants for resource in plant.resources if resource.node]
        return tuple(dict.fromkeys([*nodes, *(node for node in self.prices.nodes if node not in set(NodeGroup))]))

    @cached_property
    def _claims(self) -> Claims:
        names = {resource.id: plant.name for plant in reversed(self.plants) for resource in plant.resources}
        return Claims(names, [(pattern, plant.name) for plant in self.plants for pattern in plant.patterns])

    def plant_of(self, resource_id: str) -> str:
        """The plant that claims a resource by name, else by a pattern; `unassigned` when none does."""
        return self._claims.plant_of(resource_id) or UNASSIGNED
