"""Register map: what stands at which register, as typed cells at addresses. `map_draft` makes it of a configuration."""

from dataclasses import dataclass, field

from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.installation import Resource
from dotbus.runtime.installation_modbus import Modbus, Table
from dotbus.runtime.toml_values import Market
from modbus_gateway.encode import Form
from modbus_gateway.quantities import Quantity


@dataclass(frozen=True)
class Member:
    """A resource and the plant that it belongs to."""

    plant: str
    resource: Resource


@dataclass(frozen=True)
class PriceAt:
    """The prices of one node in one market."""

    market: Market
    node: str


@dataclass(frozen=True)
class About:
    """What a cell speaks of: the resources and the prices that its quantity is read from."""

    members: tuple[Member, ...] = ()
    prices: tuple[PriceAt, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One value at one address."""

    address: int
    quantity: Quantity
    about: About
    form: Form


@dataclass(frozen=True)
class Span:
    """Registers (or bits) of one unit without a hole. Those that no cell fills are reserved."""

    unit_id: int
    table: Table
    start: int
    length: int
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class RegisterMap:
    """Everything that the gateway serves, and how it judges it."""

    spans: tuple[Span, ...]
    judging: Modbus
    members: tuple[Member, ...] = field(init=False)
    prices: tuple[PriceAt, ...] = field(init=False)

    def __post_init__(self) -> None:
        abouts = [cell.about for span in self.spans for cell in span.cells]
        object.__setattr__(self, "members", tuple(dict.fromkeys(member for about in abouts for member in about.members)))
        object.__setattr__(self, "prices", tuple(dict.fromkeys(price for about in abouts for price in about.prices)))

    @property
    def units(self) -> frozenset[int]:
        """The unit ids that are served."""
        return frozenset(span.unit_id for span in self.spans)

    def filters(self, topics: Topics) -> list[str]:
        """The topics to follow. Services come last: a heartbeat confirms the states that came before it."""
        of_members = [say(m.plant, m.resource.id) for m in self.members for say in (topics.dot, topics.trajectory)]
        return [*of_members, *(topics.lmp(price.market, price.node) for price in self.prices), topics.every(Subject.SERVICE)]
