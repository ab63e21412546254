"""Caller: who asks, and what of."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        name: of its key, for logs and limits; of its address where no keys are asked for.
        plant: the only one that it may see; None when it may see all. Prices and nodes are everybody's.
    """

    name: str
    plant: str | None = None

    def may_see(self, plant: str) -> bool:
        """Whether what is this plant's is for it. What is not is answered like what does not exist."""
        return self.plant is None or self.plant == plant
