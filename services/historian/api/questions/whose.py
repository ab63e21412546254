"""Whose: the part of a question that says of which plant and resources, and who may see them (pure)."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Whose:
    """Of which CAISO, plant and resources.

    Attributes:
        environment: which CAISO.
        plant: rows that this plant claimed; None is every plant.
        resources: by name; None is all.
    """

    environment: str
    plant: str | None = None
    resources: tuple[str, ...] | None = None

    def condition(self, of: str = "") -> str:
        """As a condition of SQL on the columns of a table, or of one by its alias (`of` is `b.`)."""
        plant = f" AND {of}plant = %(plant)s" if self.plant is not None else ""
        return f"{of}environment = %(environment)s::environment{plant}{self.of_resources(of)}"

    def of_resources(self, of: str = "") -> str:
        """The part of it that a table has which knows resources alone; it begins with AND, or is empty."""
        return f" AND {of}resource_id = ANY(%(resources)s::text[])" if self.resources is not None else ""

    @property
    def parameters(self) -> dict[str, object]:
        """What is bound to the condition."""
        plant = {} if self.plant is None else {"plant": self.plant}
        resources = {} if self.resources is None else {"resources": list(self.resources)}
        return {"environment": self.environment, **plant, **resources}
