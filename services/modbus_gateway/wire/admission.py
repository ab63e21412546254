"""Admission: who may have one of the places at the server, who leaves for it, and the log that does not grow with the crowd.

Pure. A client that has just asked keeps its place whatever comes. Else one goes from the address that has the most places,
first one that never asked, then the one that is idle longest, and nobody takes a place from an address that has fewer: so a
crowd from one address takes from itself, and a SCADA that comes anew finds room beside any number of clients that say nothing.
"""

import ipaddress
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol, TypeVar

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ACTIVE_S: Final = 10.0
"""Whoever asked within this time is at work: twice the slowest polling that is common for set-points."""
FINISHES_WITHIN_S: Final = 10.0
"""Whoever began a request or a TLS handshake has ended it by then, on the slowest line that SCADA uses."""
ASKS_WITHIN_S: Final = 1.0
"""A client that has connected asks at once. One that has not by then has no more claim to its place than who comes."""
TOLD_EVERY_S: Final = 60.0
_ADDRESSES_TOLD: Final = 5
_ADDRESSES_COUNTED: Final = 1000
_DETAIL_MOST: Final = 200


class Reason(StrEnum):
    """Why the server closed a connection."""

    NOT_ALLOWED = "not allowed"
    FULL = "all places taken"
    ADDRESS_FULL = "too many from one address"
    MADE_ROOM = "idle longest when a place was needed"
    IDLE = "idle too long"
    UNFINISHED = "request not finished"
    NOT_MODBUS = "not Modbus"
    HANDSHAKE = "TLS handshake not finished"
    NO_TLS = "TLS not agreed on"
    CERTIFICATE = "client certificate refused"
    ROLE = "role not let in"


@dataclass(frozen=True)
class Limits:
    """Who may connect, how many at once and from one address, and for how long without a request. No `allow` means all."""

    allow: tuple[Network, ...] = ()
    connections: int = 64
    idle_s: float = 300.0
    per_address: int = 32

    def allows(self, address: str) -> bool:
        """Whether an address may connect."""
        if not self.allow:
            return True
        try:
            known = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in self.allow)


class Client(Protocol):
    """What is judged of a connection."""

    @property
    def address(self) -> str:
        """Where it comes from."""
        ...

    @property
    def idle_since_s(self) -> float:
        """When it asked last; when it connected, while it never did."""
        ...

    @property
    def has_asked(self) -> bool:
        """Whether it ever asked anything."""
        ...


C = TypeVar("C", bound=Client)


def plain_address(peer: str) -> str:
    """An address in its one spelling: without a scope, and IPv4 as such on a socket that takes both."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    return str(getattr(address, "ipv4_mapped", None) or address)


def place_for(address: str, present: Collection[C], limits: Limits, now_s: float) -> C | Reason | None:
    """What it takes to admit one more client.

    Returns:
        None when there is room, the client that has to leave for it, or why it must be turned away.
    """
    if not limits.allows(address):
        return Reason.NOT_ALLOWED
    if len(present) < limits.connections and sum(one.address == address for one in present) < limits.per_address:
        return None
    counts = Counter(one.address for one in present)
    full_address = counts[address] >= limits.per_address
    rivals = [one for one in present if one.address == address] if full_address else present
    leaving = [one for one in rivals if _may_leave(one, counts[one.address] - counts[address], now_s - one.idle_since_s)]
    if not leaving:
        return Reason.ADDRESS_FULL if full_address else Reason.FULL
    return max(leaving, key=lambda one: (counts[one.address], not one.has_asked, now_s - one.idle_since_s))


def _may_leave(client: Client, more: int, idle_s: float) -> bool:
    """Whether a client may have to leave for one whose address has so many places fewer than its own."""
    if more < 0:
        return False
    return idle_s >= ACTIVE_S or (not client.has_asked and (more > 0 or idle_s >= ASKS_WITHIN_S))


class Closings:
    """Counts the connections that were closed, to tell of all of them in a line a minute."""

    def __init__(self) -> None:
        self._reasons: Counter[str] = Counter()
        self._addresses: Counter[str] = Counter()
        self._details: dict[str, str] = {}
        self._told_at_s: float | None = None

    def note(self, reason: Reason, address: str, detail: str = "") -> None:
        """One was closed. Of the details of a reason the last one is told."""
        self._reasons[str(reason)] += 1
        if detail:
            self._details[str(reason)] = f"{address}: {detail}"[:_DETAIL_MOST]
        if address in self._addresses or len(self._addresses) < _ADDRESSES_COUNTED:
            self._addresses[address] += 1

    def take(self, now_s: float, *, last: bool = False) -> dict[str, dict[str, int] | dict[str, str]] | None:
        """What came together since it was last told, unless that is less than a minute ago (but for the `last`) or nothing."""
        early = self._told_at_s is not None and now_s - self._told_at_s < TOLD_EVERY_S
        if not self._reasons or (early and not last):
            return None
        told: dict[str, dict[str, int] | dict[str, str]] = {
            "reasons": dict(self._reasons),
            "busiest": dict(self._addresses.most_common(_ADDRESSES_TOLD)),
        }
        if self._details:
            told["details"] = dict(self._details)
        self._reasons.clear()
        self._addresses.clear()
        self._details.clear()
        self._told_at_s = now_s
        return told
