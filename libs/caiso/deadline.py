"""Deadline: connections on which everything that is waited for has to be over at one time.

The time-outs of sockets count each wait by itself: a server that sends one byte of a header each second keeps a client waiting
for minutes. Here each wait gets what is left of the whole: for the name, the connection, the handshake, the request, the header
and the body.
"""

import math
import queue
import socket
import ssl
import threading
import time
from contextlib import suppress
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NameResolutionError, NewConnectionError

Addresses = list[tuple[Any, ...]]


class Deadline:
    """When the request that is under way has to be over. Without one there is no end."""

    def __init__(self) -> None:
        self._at_s = math.inf

    def begin(self, timeout_s: float) -> None:
        """A request begins and may take so long, seconds."""
        self._at_s = time.monotonic() + timeout_s

    def left_s(self) -> float:
        """How long may still be waited, seconds.

        Raises:
            TimeoutError: no longer.
        """
        left_s = self._at_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError("the time for the whole request is over")
        return left_s


def tls_sockets(deadline: Deadline) -> type[ssl.SSLSocket]:
    """Sockets of TLS that keep a deadline."""

    class Bounded(ssl.SSLSocket):
        def do_handshake(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # the signature is Python's
            """Shake hands within what is left."""
            self.settimeout(deadline.left_s())
            super().do_handshake(*args, **kwargs)

        def recv_into(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401  # the signature is Python's
            """Receive within what is left."""
            self.settimeout(deadline.left_s())
            return super().recv_into(*args, **kwargs)

        def send(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401  # the signature is Python's
            """Send within what is left."""
            self.settimeout(deadline.left_s())
            try:
                return super().send(*args, **kwargs)
            except TimeoutError:
                raise
            except OSError:
                self._hear_why()
                raise

        def _hear_why(self) -> None:
            """With TLS 1.3 a server that does not accept our certificate says so and hangs up while we write already."""
            self.settimeout(deadline.left_s())
            with suppress(TimeoutError, ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionError):
                self.read(1)

    return Bounded


def pools(deadline: Deadline) -> dict[str, type[HTTPConnectionPool]]:
    """What urllib3 connects with, by the scheme of the address."""

    class Plain(HTTPConnection):
        def _new_conn(self) -> socket.socket:
            return _opened(self, self._dns_host, deadline)

    class Secure(HTTPSConnection):
        def _new_conn(self) -> socket.socket:
            return _opened(self, self._dns_host, deadline)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}


def _opened(connection: HTTPConnection, host: str, deadline: Deadline) -> socket.socket:
    """A connected socket, or the exception by which urllib3 tells why there is none."""
    try:
        return _connect(_resolve(host, connection.port or connection.default_port, deadline), deadline)
    except socket.gaierror as error:
        raise NameResolutionError(host, connection, error) from error
    except TimeoutError as error:
        raise ConnectTimeoutError(connection, f"no connection to {host} in time") from error
    except OSError as error:
        raise NewConnectionError(connection, f"no connection to {host}: {error}") from error


def _resolve(host: str, port: int, deadline: Deadline) -> Addresses:
    """The addresses of a host. The system's resolver has no time-out of ours, so it is asked in a thread of its own."""
    answers: queue.SimpleQueue[Addresses | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put([tuple(each) for each in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)])
        except OSError as error:
            answers.put(error)

    threading.Thread(target=ask, name="resolver", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left_s())
    except queue.Empty:
        raise TimeoutError(f"the name {host} was not resolved in time") from None
    if isinstance(answer, OSError):
        raise answer
    return answer


def _connect(addresses: Addresses, deadline: Deadline) -> socket.socket:
    """To the first address that answers; one that is silent leaves time for those behind it."""
    failure: OSError = OSError("the name has no address")
    for behind, (family, kind, protocol, _name, address) in enumerate(addresses):
        made = _bounded_socket(deadline, family, kind, protocol)
        try:
            made.settimeout(deadline.left_s() / (len(addresses) - behind))
            made.connect(address)
        except OSError as error:
            made.close()
            failure = error
        else:
            made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return made
    raise failure


def _bounded_socket(deadline: Deadline, family: int, kind: int, protocol: int) -> socket.socket:
    class Bounded(socket.socket):
        def recv_into(self, *args: Any, **kwargs: Any) -> int:  # noqa: ANN401  # the signature is Python's
            """Receive within what is left."""
            self.settimeout(deadline.left_s())
            return super().recv_into(*args, **kwargs)

        def sendall(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # the signature is Python's
            """Send all within what is left."""
            self.settimeout(deadline.left_s())
            super().sendall(*args, **kwargs)

    return Bounded(family, kind, protocol)
