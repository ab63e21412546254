"""Doubts: whose states, and which DOTs, are made of something that is not known, and the reasons that this is to readers."""

from collections.abc import Mapping
from dataclasses import dataclass

from dotbus.contracts.quality import Reason
from dotbus.contracts.schedules import Schedule

Reasons = tuple[str, ...]
INCOMPLETE: Reasons = (Reason.INCOMPLETE.value,)
FAILING: Reasons = (Reason.SOURCE_FAILING.value,)
"""Said in a state where the source has several upstreams of one kind, so that its status does not tell."""


@dataclass(frozen=True)
class Doubts:
    """Whose states are made of something that is not known: of some resources, or of everyone."""

    resources: frozenset[str] = frozenset()
    everyone: bool = False

    def of(self, resource_id: str) -> Reasons:
        """The reasons that they are against a resource (`dotbus.contracts.quality`)."""
        return INCOMPLETE if self.everyone or resource_id in self.resources else ()


DoubtsOf = Mapping[Schedule, Doubts]
"""Doubts about the DOTs of each schedule: what is not known of one says nothing about the other."""


@dataclass(frozen=True)
class Spoken:
    """What speaks against a resource.

    Attributes:
        state: against the schedule that it follows, and so its state.
        other: against the other schedule's DOTs.
        past: batches that are over whose DOTs are in doubt.
    """

    state: Reasons = ()
    other: Reasons = ()
    past: frozenset[str] = frozenset()
