"""Subjects: what readings are about, a resource, the prices of a node or an operator's alarms. Pure."""

from dataclasses import dataclass, field

from dotbus.runtime.installation.installation import Resource
from dotbus.runtime.installation.toml_values import Market


@dataclass(frozen=True)
class Member:
    """A resource and the plant that it belongs to; where a stale time of its own counts, with that."""

    plant: str
    resource: Resource
    stale_after_s: float | None = None

    @property
    def key(self) -> str:
        """What its readings are known by, its id: those with a stale time of their own are others."""
        return self.resource.id if self.stale_after_s is None else f"{self.resource.id}\tstale after {self.stale_after_s} s"


@dataclass(frozen=True)
class PriceAt:
    """The prices of one node in one market; where a stale time of its own counts, with that."""

    market: Market
    node: str
    stale_after_s: float | None = None


@dataclass(frozen=True)
class AlarmsOf:
    """The alarms that a plant's operator has before him; those of no plant alone by the name `INSTALLATION`.

    Attributes:
        plant: its name.
        resources: the ids of its resources where they tell which plant is meant, whatever it is called.
    """

    plant: str
    resources: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return ", ".join(sorted(self.resources)) or self.plant
