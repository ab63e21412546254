"""Ports of loopback for parts that are about to start."""

import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

LOOPBACK = "127.0.0.1"


class NoFreePort(Exception):
    """Nothing on loopback can be listened on."""


@contextmanager
def claimed_ports(preferred: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """TCP ports that nobody has, by the name of their part; they stay ours within the context.

    A port that was only found free may be taken by another demonstration before our part listens on it. So each is claimed by
    holding the UDP port of the same number: no part uses UDP, and the system gives it back however we end.

    Args:
        preferred: the port that each part would like; it gets any other when something has that one.

    Raises:
        NoFreePort: there is none.
    """
    with ExitStack() as claims:
        yield {name: _claim(claims, port) for name, port in preferred.items()}


def accepts(port: int) -> bool:
    """Whether something accepts connections on a port of loopback."""
    try:
        socket.create_connection((LOOPBACK, port), timeout=0.5).close()
    except OSError:
        return False
    return True


def free_port(preferred: int = 0) -> int:
    """The preferred port, or any free one when something has it.

    Raises:
        NoFreePort: there is none.
    """
    for candidate in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as listeners have it: past connections do not count
            try:
                probe.bind((LOOPBACK, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise NoFreePort(f"no free port on {LOOPBACK}")


def _claim(claims: ExitStack, preferred: int) -> int:
    candidate = preferred
    for _ in range(100):
        port = free_port(candidate)
        claim = claims.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        try:
            claim.bind((LOOPBACK, port))
        except OSError:  # another demonstration is about to use it
            candidate = 0
        else:
            return port
    raise NoFreePort(f"no free port on {LOOPBACK}")
