"""Pair: of gateways that serve the same, which one is to be preferred. Pure.

All of them serve the same values at any time; which is active only tells SCADA which one to read. Each decides for itself by
what the others say, and so they agree as soon as they have heard each other: who is active stays so, and where nobody is, or
two are, the one that started first counts, then the name.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from typing import Final, Self

from dotbus.contracts.messages import Environment, ServiceStatus
from dotbus.contracts.quality import HEARTBEAT_S

LISTENS_S: Final = 1.5 * HEARTBEAT_S
"""So long a gateway listens before it says anything: by then it has heard whoever is there."""
GONE_AFTER_S: Final = 2.4 * HEARTBEAT_S
"""Two heartbeats are missing."""
OTHERS_MOST: Final = 64
"""So many are remembered, so that nobody can fill our memory."""


class State(IntEnum):
    """Whether a gateway is the one to prefer. Unknown is one that has just begun to listen, or does not hear the bus."""

    UNKNOWN = 0
    ACTIVE = 1
    STANDBY = 2

    @property
    def word(self) -> str | None:
        """As a status says it."""
        return None if self is State.UNKNOWN else self.name.lower()


@dataclass(frozen=True)
class Ours:
    """Who we are, and what we serve: the environment, and each unit's map hash by its id."""

    source: str
    started_at: datetime
    environment: Environment
    map_hashes: Mapping[str, int]


@dataclass(frozen=True)
class Pair:
    """What is known of the gateways beside us.

    Attributes:
        ours: this one.
        others: by source, what each said last, and when we heard it, by the clock that cannot be set.
        hears_since_s: since when this one hears the bus; None while it does not.
        state: what this one is.
    """

    ours: Ours
    others: Mapping[str, tuple[ServiceStatus, float]] = field(default_factory=dict)
    hears_since_s: float | None = None
    state: State = State.UNKNOWN

    def heard(self, status: ServiceStatus, now_s: float, *, is_live: bool) -> Self:
        """After a status of another one. What the broker kept shows that somebody went, but not that he is there."""
        others = {source: known for source, known in self.others.items() if source != status.source}
        if status.online and is_live and len(others) < OTHERS_MOST:
            others[status.source] = status, now_s
        return replace(self, others=others)

    def at(self, now_s: float, *, hears: bool) -> Self:
        """At a time, while this one hears the bus or not."""
        if not hears:
            return replace(self, others={}, hears_since_s=None, state=State.UNKNOWN)
        since_s = now_s if self.hears_since_s is None else self.hears_since_s
        others = {source: known for source, known in self.others.items() if now_s - known[1] <= GONE_AFTER_S}
        known = replace(self, others=others, hears_since_s=since_s)
        listens_s = LISTENS_S + (HEARTBEAT_S if known._gives_way() else 0.0)  # noqa: SLF001  # of the same
        return replace(known, state=known._decide()) if now_s - since_s >= listens_s else known  # noqa: SLF001  # the same

    def _gives_way(self) -> bool:
        """Whether one that began to listen with us goes before us: it says first what it is, so that never both are active."""
        beside = [status for status, _ in self.others.values() if self._serves_the_same(status)]
        own = self.ours.started_at, self.ours.source
        return self.state is State.UNKNOWN and any(one.redundancy is None and _order(one) < own for one in beside)

    def _decide(self) -> State:
        beside = [status for status, _ in self.others.values() if self._serves_the_same(status)]
        active = [_order(status) for status in beside if status.redundancy == State.ACTIVE.word]
        own = self.ours.started_at, self.ours.source
        if self.state is State.ACTIVE:
            return State.STANDBY if active and min(active) < own else State.ACTIVE
        waiting = [_order(status) for status in beside if status.redundancy == State.STANDBY.word]
        return State.STANDBY if active or (waiting and min(waiting) < own) else State.ACTIVE

    def _serves_the_same(self, status: ServiceStatus) -> bool:
        return status.environment == self.ours.environment and status.map_hashes == self.ours.map_hashes


def _order(status: ServiceStatus) -> tuple[datetime, str]:
    return status.started_at, status.source
