"""Local access: on this machine nobody proves who they are. Pure."""

import ipaddress
import secrets
from dataclasses import dataclass, field
from typing import Final

from console.access.people import Asking, Person, Role, Visit
from dotbus.runtime.settings.addresses import is_this_machine

_BY_PROXY: Final = ("forwarded", "x-forwarded-for")


@dataclass(frozen=True)
class LocalAccess:
    """Whoever connects from this machine has one role, everyone else looks.

    A page of another site could make a browser on this machine ask here by a name of its own (DNS rebinding), so from this
    machine the console is asked by this machine's name. Who comes through a proxy is not at this machine.
    """

    local_role: Role
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    signs_in: bool = field(default=False, init=False)

    def who(self, asking: Asking) -> Visit | None:
        """See `Access`."""
        if not _is_loopback(asking.address) or any(name in asking.headers for name in _BY_PROXY):
            return Visit(Person(f"somebody at {asking.address}", Role.VIEWER), self.csrf)
        if not is_this_machine(_host_of(asking.headers.get("host", ""))):
            return None
        return Visit(Person("somebody at this machine", self.local_role), self.csrf)


def _host_of(host: str) -> str:
    """The name of a Host header, without its port."""
    return host.partition("]")[0].removeprefix("[") if host.startswith("[") else host.partition(":")[0]


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
