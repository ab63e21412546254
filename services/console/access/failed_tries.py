"""Failed tries: how long somebody has to wait before they may try a password again. Pure: time is an argument.

Counted for each user at each address, for each address, and for each user. Whoever guesses waits, ever longer; who signs in
elsewhere does not: where a user was not tried before, the first try is always taken. At one address, which many may share (a
proxy's, or that of a container's bridge), nobody waits for longer than a minute for what others did.
"""

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

COUNTED_MOST: Final = 20_000
FORGOTTEN_AFTER_S: Final = 900.0
OF_USER_HERE, OF_ADDRESS, OF_USER = 5, 20, 20
"""So many failures are free: of a user at an address, of an address, and of a user anywhere."""
WAIT_MOST_S, WAIT_MOST_AT_ADDRESS_S = 900.0, 60.0
_IPV6_OF_ONE: Final = 64
"""A network of one household has so many leading bits in common, and may choose the others."""

Key = tuple[str, str]


@dataclass
class Failures:
    """How many, and when the last of them was."""

    many: int = 0
    last_s: float = 0.0


class FailedTries:
    """What failed of late."""

    def __init__(self) -> None:
        self._failures: OrderedDict[Key, Failures] = OrderedDict()

    def wait_s(self, user: str, address: str, now_s: float) -> float:
        """How long this user has to wait at this address; 0 when they may try now."""
        place = place_of(address)
        here, there, everywhere = (self._of(key, now_s) for key in _keys(user, place))
        free_here = 1 if everywhere.many >= OF_USER else OF_USER_HERE
        waits = (
            _until(here, free_here, WAIT_MOST_S),
            _until(there, OF_ADDRESS, WAIT_MOST_AT_ADDRESS_S),
        )
        return max(0.0, *(until - now_s for until in waits))

    def begin(self, user: str, address: str, now_s: float) -> None:
        """A try counts as failed until it has succeeded: many at once are not taken for one."""
        for key in _keys(user, place_of(address)):
            found = self._of(key, now_s)
            self._failures[key] = Failures(found.many + 1, now_s)
            self._failures.move_to_end(key)
        while len(self._failures) > COUNTED_MOST:
            self._failures.popitem(last=False)

    def succeeded(self, user: str, address: str) -> None:
        """It was the right password: this user is forgiven what failed here before, and of the other counts goes this try."""
        here, *others = _keys(user, place_of(address))
        self._failures.pop(here, None)
        for key in others:
            if (found := self._failures.get(key)) and found.many:
                found.many -= 1

    def _of(self, key: Key, now_s: float) -> Failures:
        found = self._failures.get(key)
        return found if found and now_s - found.last_s < FORGOTTEN_AFTER_S else Failures()


def place_of(address: str) -> str:
    """An address, or the network that one household has."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv6Address):
        return str(known.ipv4_mapped or ipaddress.ip_network((known, _IPV6_OF_ONE), strict=False))
    return str(known)


def _keys(user: str, place: str) -> tuple[Key, Key, Key]:
    return (user, place), ("", place), (user, "")


def _until(failures: Failures, free: int, most_s: float) -> float:
    """Until when it is to be waited: twice as long after each failure."""
    over = failures.many - free
    return failures.last_s + min(2.0 ** min(over, 20), most_s) if over >= 0 else 0.0
