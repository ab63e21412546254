"""Gathering: which writes are told as an event of their own, and which in one with those alike. Pure, but for the ids.

The first of writes alike (one point, one client, one outcome, one reason; of commands one detail) is told at once. Those that
follow within a minute are told in one event at its end: a measurement that is written each second, or a client that is
refused ten times a second, fills nothing.
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from dotbus.contracts.messages import PointWritten
from dotbus.runtime.presence import Identity
from modbus_gateway.writes.unit import Now, Written, identity_of

TOLD_EVERY_S: Final = 60.0
KINDS_MOST: Final = 1000
"""Of writes that are gathered at a time. Beyond it those that are refused are counted by the metrics alone: a crowd of
addresses fills nothing either."""
_Kind = tuple[str, str, str, str | None, str]


@dataclass(frozen=True)
class Gathered:
    """Writes alike that were not told yet: how many, since when, and the first and the last of them."""

    since_s: float
    writes: int = 0
    first: Written | None = None
    last: Written | None = None
    at: Now | None = None


class Gathering:
    """What was told and what is to be told of writes.

    Args:
        identity: who tells it.
        new_id: of an event.
    """

    def __init__(self, identity: Identity, new_id: Callable[[], str] = lambda: uuid.uuid4().hex) -> None:
        self._identity = identity
        self._new_id = new_id
        self._kinds: dict[_Kind, Gathered] = {}

    def untold(self, written: Sequence[Written]) -> list[Written]:
        """Those of which the like was not told within a minute: they are to be told at once."""
        has_room = len(self._kinds) < KINDS_MOST
        return [
            one
            for one in written
            if one.is_command or (kind_of(one) not in self._kinds and (has_room or one.refused_by is None))
        ]

    def note(self, written: Sequence[Written], told: Sequence[Written], now: Now) -> None:
        """What happened, and what of it is told by now."""
        for one in written:
            if one.is_command:
                continue
            kind = kind_of(one)
            if any(one is each for each in told):
                self._kinds.setdefault(kind, Gathered(now.seconds))
            elif known := self._kinds.get(kind):
                first = known.first or one
                self._kinds[kind] = replace(known, writes=known.writes + 1, first=first, last=one, at=now)

    def due(self, now: Now, *, all_of_it: bool = False) -> list[PointWritten]:
        """Events of what was gathered for a minute, or of all. They are due again until `tell` says that they are kept."""
        return [self._event_of(known, now) for _kind, known in self._ended(now, all_of_it=all_of_it) if known.writes]

    def tell(self, now: Now, *, all_of_it: bool = False) -> None:
        """What is due is told: it is gathered anew from now, and no more where nothing came."""
        for kind, known in self._ended(now, all_of_it=all_of_it):
            if known.writes:
                self._kinds[kind] = Gathered(now.seconds)
            else:
                del self._kinds[kind]

    def event(
        self, one: Written, now: Now, *, old: Written | None = None, writes: int = 1, at: Now | None = None
    ) -> PointWritten:
        """The event of a write, or of several alike of which it is the last and `old` the first."""
        point = one.point
        return PointWritten(
            environment=self._identity.environment,
            source=self._identity.source,
            time=now.wall,
            id=f"write/{self._new_id()}",
            plant=point.plant,
            resource_id=point.resource_id,
            point=point.point,
            unit=point.unit,
            old_value=(old or one).old_value,
            new_value=one.new_value,
            writes=writes,
            written_at=(at or now).wall,
            outcome="refused" if one.refused_by else "taken",
            refused_by=one.refused_by,
            detail=one.detail,
            written_by=one.client.subject or None,
            written_from=one.client.address or None,
        )

    def _ended(self, now: Now, *, all_of_it: bool) -> list[tuple[_Kind, Gathered]]:
        return [(kind, one) for kind, one in self._kinds.items() if all_of_it or now.seconds - one.since_s >= TOLD_EVERY_S]

    def _event_of(self, known: Gathered, now: Now) -> PointWritten:
        if known.last is None:
            raise LookupError("nothing was gathered")
        return self.event(known.last, now, old=known.first, writes=known.writes, at=known.at)


def kind_of(one: Written) -> _Kind:
    """What makes writes alike."""
    return one.point.resource_id, one.point.point, identity_of(one.client), one.refused_by, one.about
