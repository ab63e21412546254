"""Subjects: what readings are about, a resource or the prices of a node. Pure."""

from dataclasses import dataclass

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
