"""Others: processes that are the service of alarms of one installation, of which one keeps them. Pure but for what it knows.

Two that kept alarms would raise each of them twice, and say other things of one alarm on one topic. So a process listens before
it begins. While another one is there that keeps them it stands by, and begins once that is gone. Where two have begun, because
they started at once or could not hear each other, the later one steps back until it is restarted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from dotbus.contracts.messages import ServiceStatus
from dotbus.contracts.quality import HEARTBEAT_S
from dotbus.runtime.namesake import Namesake
from dotbus.runtime.presence import Identity

STANDBY: Final = "standby"
LISTENS_S: Final = 1.0
"""So long after a connection the broker has said what it keeps."""
ALONE_AFTER_S: Final = 5.0
"""Without a broker nobody can be heard, and that it is lost has to be told to people."""
GONE_AFTER_S: Final = 2.4 * HEARTBEAT_S
"""Two heartbeats are missing."""
SIBLINGS_MOST: Final = 64
"""So many are remembered, so that nobody can fill our memory."""


@dataclass(frozen=True)
class _Sibling:
    """Another instance by what it said last, when we heard that, and whether it said it then."""

    status: ServiceStatus
    heard_s: float
    is_live: bool


class Others:
    """Who else is there.

    Args:
        identity: who we are.
        now_s: when we began to listen, in seconds that never go back.

    Attributes:
        has_begun: whether we keep alarms.
        has_stepped_back: whether we do no more, since another one did before us.
    """

    def __init__(self, identity: Identity, now_s: float) -> None:
        self._identity = identity
        self._namesake = Namesake(identity.started_at)
        self._siblings: Mapping[str, _Sibling] = {}
        self._began_s = now_s
        self._connected_s: float | None = None
        self.has_begun = False
        self.has_stepped_back = False

    @property
    def keeps(self) -> bool:
        """Whether it is us who keep alarms."""
        return self.has_begun and not self.has_stepped_back

    @property
    def is_taken_over(self) -> bool:
        """Whether it is by our own name at the broker that another one keeps them: then we are not heard there."""
        return self._namesake.steps_back

    def turn(self, now_s: float, *, connected: bool) -> None:
        """The connection to the broker came or went."""
        self._connected_s = now_s if connected else None

    def dropped(self) -> None:
        """The broker let another one in by our name, or it looks so."""
        self._namesake = self._namesake.dropped()
        self._look()

    def heard(self, status: ServiceStatus, now: datetime, now_s: float, *, is_live: bool) -> bool:
        """A status of a service of alarms came. Returns whether it tells of one that was not known to keep them, too."""
        if status.instance == self._identity.instance:
            before, self._namesake = self._namesake, self._namesake.heard(status, now)
            self._look()
            return before.seen_at is not self._namesake.seen_at
        known = {source: one for source, one in self._siblings.items() if source != status.source}
        is_new = not self._counts(self._siblings.get(status.source), now_s)
        keeps = status.online and status.redundancy != STANDBY and status.environment is self._identity.environment
        if keeps and len(known) < SIBLINGS_MOST:
            known[status.source] = _Sibling(status, now_s, is_live)
        self._siblings = known
        self._look()
        return is_new and status.source in known and is_live

    def may_begin(self, now_s: float) -> bool:
        """Whether nobody else keeps alarms, as far as can be heard."""
        if any(self._counts(one, now_s) for one in self._siblings.values()):
            return False
        if self._connected_s is not None and now_s - self._connected_s >= LISTENS_S:
            return True
        return now_s - self._began_s >= ALONE_AFTER_S

    def begin(self) -> None:
        """From now on we keep them."""
        self.has_begun = True

    def stands_by(self, now_s: float) -> bool:
        """Whether another one keeps alarms, so that we say nothing of them."""
        return self.has_stepped_back or (
            not self.has_begun and any(self._counts(one, now_s) for one in self._siblings.values())
        )

    def complaint(self, now: datetime, now_s: float) -> str | None:
        """What is wrong with who else is there, in words; None where nothing is."""
        there = sorted(source for source, one in self._siblings.items() if self._counts(one, now_s))
        if self.has_stepped_back:
            other = ", ".join(there) or self._identity.source
            return f"{other} keeps alarms, too, and started before this one, which steps back until it is restarted"
        if there and self.has_begun:
            return f"{', '.join(there)} keeps alarms, too; it started later and steps back: run one service of alarms"
        if there:
            return f"{', '.join(there)} keeps the alarms; this one stands by"
        return self._namesake.complaint(self._identity.source, now) or None

    def _counts(self, one: _Sibling | None, now_s: float) -> bool:
        return one is not None and now_s - one.heard_s <= GONE_AFTER_S

    def _look(self) -> None:
        """Step back from who was before us, once he is heard. What the broker keeps shows that somebody was there, no more."""
        ours = self._identity.started_at, self._identity.source
        before = [one for one in self._siblings.values() if one.is_live and (one.status.started_at, one.status.source) < ours]
        if self.has_begun and (before or self._namesake.steps_back):
            self.has_stepped_back = True
