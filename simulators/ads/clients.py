"""Who asks: what the certificate of a client lets it see and do, by the certificate's common name.

Each certificate has a cache of its own: of a batch it has what is viewable, and a batch of which nothing is viewable is not
there. That the list leaves such a batch out is our reading of "viewable by the requestor" (section 2.3).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TypeVar

from simulators.ads.records import Compliance, DispatchBatch, Dop, Instruction, TrajectoryBatch

R = TypeVar("R", Instruction, Dop, Compliance)


@dataclass(frozen=True)
class Rights:
    """What a client sees, by patterns of resource names, and whether it may answer for it."""

    resources: tuple[str, ...] = ("*",)
    may_respond: bool = True

    def sees(self, resource_id: str) -> bool:
        """Whether a resource is viewable."""
        return any(fnmatchcase(resource_id, pattern) for pattern in self.resources)

    def dispatch(self, batch: DispatchBatch) -> DispatchBatch | None:
        """A dispatch batch as it is viewable; None when nothing of it is."""
        if self._sees_all:
            return batch
        instructions = self._viewable(batch.instructions)
        if batch.instructions and not instructions:
            return None
        return replace(batch, instructions=instructions)

    def trajectory(self, batch: TrajectoryBatch) -> TrajectoryBatch | None:
        """A trajectory batch as it is viewable; None when nothing of it is."""
        if self._sees_all:
            return batch
        dops, compliance = self._viewable(batch.dops), self._viewable(batch.compliance)
        if (batch.dops or batch.compliance) and not (dops or compliance):
            return None
        return replace(batch, dops=dops, compliance=compliance)

    def _viewable(self, records: tuple[R, ...]) -> tuple[R, ...]:
        return tuple(each for each in records if self.sees(each.resource_id))

    @property
    def _sees_all(self) -> bool:
        return "*" in self.resources


class Clients:
    """The rights of every certificate. One that nobody named sees everything and may answer."""

    def __init__(self, named: Mapping[str, Rights] | None = None) -> None:
        self._named = dict(named or {})
        self._lost: set[tuple[str, str]] = set()

    def rights(self, client: str) -> Rights:
        """The rights of a client by its common name."""
        return self._named.get(client, Rights())

    def grant(self, client: str, rights: Rights) -> None:
        """From now on a client has these rights."""
        self._named[client] = rights

    def named(self) -> dict[str, Rights]:
        """Those that have rights of their own."""
        return dict(self._named)

    def lose(self, client: str, batch_uid: str) -> None:
        """The cache of one client loses a batch; the others have it still."""
        self._lost.add((client, batch_uid))

    def has_lost(self, client: str, batch_uid: str) -> bool:
        """Whether it did."""
        return (client, batch_uid) in self._lost


def rights_named(sees: Collection[str], read_only: Collection[str]) -> dict[str, Rights]:
    """The rights that settings name: `NAME=PATTERN,PATTERN` for what a client sees, names of those that may not answer.

    Raises:
        ValueError: one of `sees` has no name or no pattern.
    """
    named = {name: Rights(may_respond=False) for name in read_only}
    for text in sees:
        name, _, patterns = text.rpartition("=")
        resources = tuple(pattern.strip() for pattern in patterns.split(",") if pattern.strip())
        if not name or not resources:
            raise ValueError(f"{text!r} is not NAME=PATTERN,PATTERN")
        named[name] = replace(named.get(name, Rights()), resources=resources)
    return named
