"""TLS: Modbus/TCP Security on its own port. Who is let in, and as whom; MODBUS/TCP Security V21.

TLS runs over bytes here, not over a socket: a connection has its place before its handshake begins, and so a crowd of
handshakes that never end is bounded, and leaves for others, as any other crowd.
"""

import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from dotbus.runtime.hanging import aside
from dotbus.runtime.logs import get_logger
from modbus_gateway.wire.admission import Reason
from modbus_gateway.wire.certificates import Credentials, Files, Unusable, holder_of, load_credentials
from modbus_gateway.wire.writing import Client

LOOK_EVERY_S: Final = 5.0
"""How often files are looked at for a renewed certificate, while connections come. Each look that hangs doubles it."""
LOOKS: Final = "looks at the certificates"
"""What the threads are called that do."""
_PART: Final = 16 * 1024
_State = tuple[tuple[int, int, int] | None, ...]
"""What tells that files were written or replaced; None of one that is not there."""


class Closed(Exception):
    """A TLS connection that cannot go on: refused for a reason, or closed by the client (None)."""

    def __init__(self, reason: Reason | None = None, detail: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Channel:
    """TLS of one connection, at the server's end. Pure but for the randomness of TLS.

    Attributes:
        is_open: whether the handshake is done.
    """

    def __init__(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.is_open = False

    @property
    def certificate(self) -> bytes:
        """The client's, verified, in DER. Only of an open one."""
        return self._tls.getpeercert(binary_form=True) or b""

    def receive(self, chunk: bytes) -> bytes:
        """What the client says in what came. `take` may have something for it afterwards, also when it is closed.

        Raises:
            Closed: it is not to be understood, has no certificate that we trust, or has ended.
        """
        self._incoming.write(chunk)
        plain = bytearray()
        try:
            if not self.is_open:
                self._tls.do_handshake()
                self.is_open = True
            while part := self._tls.read(_PART):
                plain += part
        except ssl.SSLWantReadError:
            return bytes(plain)
        except ssl.SSLError as error:
            raise _closed(error) from error
        if not plain:
            raise Closed  # its word that it ends; after its last requests the end of the stream says so too
        return bytes(plain)

    def send(self, plain: bytes) -> None:
        """Something for the client; `take` has it, encrypted."""
        self._tls.write(plain)

    def take(self) -> bytes:
        """What is to be sent."""
        return self._outgoing.read()


def _closed(error: ssl.SSLError) -> Closed:
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if isinstance(error, ssl.SSLCertVerificationError):
        return Closed(Reason.CERTIFICATE, error.verify_message)
    if "did not return a certificate" in reason:
        return Closed(Reason.CERTIFICATE, reason)
    return Closed(Reason.NO_TLS, reason)


@dataclass(frozen=True)
class Roles:
    """What roles may do, by their names in certificates.

    Attributes:
        read_write: may write what the map lets anybody write.
        read_only: may read.
        others_may_read: whether any other role, or none, may read; else it is not let in.
    """

    read_write: frozenset[str] = frozenset()
    read_only: frozenset[str] = frozenset()
    others_may_read: bool = True

    def lets_in(self, role: str | None) -> bool:
        """Whether a client with this role, or with none, may connect."""
        return self.others_may_read or role in self.read_only | self.read_write

    def may_write(self, role: str | None) -> bool:
        """Whether its writes are looked at."""
        return role in self.read_write


class Securing(Protocol):
    """What a port needs to speak TLS."""

    def channel(self) -> Channel:
        """TLS of a new connection."""
        ...

    def client(self, address: str, certificate: bytes) -> Client:
        """Who a certificate says that a client is.

        Raises:
            Closed: somebody who is not let in.
        """
        ...

    def has_ended(self, client: Client) -> bool:
        """Whether the certificate of a client that is let in has ended since."""
        ...


class Secured:
    """TLS with the certificate that its files hold: a renewed one counts soon after the next connection.

    Files may hang, as on a mount whose server is gone, and no client is to wait for them: who connects has them looked at
    aside, and is served with what was read before.

    Args:
        files: must be usable when it begins.
        roles: what clients may do.
        wall: the wall clock, for certificates.
        monotonic_s: seconds that never go back.
        look_aside: has an act done that may hang, and waits for nothing. Returns whether it was begun.

    Attributes:
        credentials: those in use. Replaced as a whole: any thread may read it.

    Raises:
        Unusable: the files are not.
    """

    def __init__(
        self,
        files: Files,
        roles: Roles,
        wall: Callable[[], datetime],
        monotonic_s: Callable[[], float],
        look_aside: Callable[[Callable[[], None]], bool] = lambda act: aside(act, LOOKS),
    ) -> None:
        self._files = files
        self._roles = roles
        self._wall = wall
        self._monotonic_s = monotonic_s
        self._look_aside = look_aside
        self._begun, self._ended, self._used = 0, 0, 0
        self._is_told = False
        self._lock = threading.Lock()
        self._seen = _state(files)
        self._looked_at_s = monotonic_s()
        self._log = get_logger("tls")
        self.credentials: Credentials = load_credentials(files, wall())

    def channel(self) -> Channel:
        """TLS of a new connection."""
        hang = self._begun - self._ended
        if self._monotonic_s() - self._looked_at_s >= LOOK_EVERY_S * 2**hang:
            self._looked_at_s = self._monotonic_s()
            self._tell(hang)
            number = self._begun + 1
            self._begun += self._look_aside(lambda: self._look(number))
        return Channel(self.credentials.context)

    def client(self, address: str, certificate: bytes) -> Client:
        """Who a certificate says that a client is.

        Raises:
            Closed: its role is not let in.
        """
        try:
            holder = holder_of(certificate)
        except ValueError as error:
            raise Closed(Reason.CERTIFICATE, str(error)) from error
        if not self._roles.lets_in(holder.role):
            raise Closed(Reason.ROLE, f"{holder.subject}: {holder.role or 'no role'}")
        may_write = self._roles.may_write(holder.role)
        return Client(address, holder.subject, holder.role, may_write, holder.ends_at)

    def has_ended(self, client: Client) -> bool:
        """Whether the certificate of a client that is let in has ended since."""
        return client.certificate_ends_at is not None and self._wall() >= client.certificate_ends_at

    def _tell(self, hang: int) -> None:
        if hang and not self._is_told:
            told = "the files of the certificates do not answer; what was read before stays in force"
            self._log.warning(told, certificate=str(self._files.certificate), client_ca=str(self._files.client_ca))
        self._is_told = hang > 0

    def _look(self, number: int) -> None:
        """Look at the files, in a thread of its own."""
        try:
            state = _state(self._files)
            if state != self._seen:
                self._renew(number, state)
        finally:
            with self._lock:
                self._ended += 1

    def _renew(self, number: int, state: _State) -> None:
        try:
            credentials = load_credentials(self._files, self._wall())
        except Unusable as unusable:
            if self._is_news(number, state, None):
                self._log.warning(
                    "changed certificate not used; the one before stays in force",
                    setting=f"MODBUS_GATEWAY_TLS_{unusable.setting.upper()}",
                    cause=str(unusable),
                )
        else:
            if self._is_news(number, state, credentials):
                self._log.info("certificate renewed", ends_at=credentials.certificate_ends_at.isoformat())

    def _is_news(self, number: int, state: _State, credentials: Credentials | None) -> bool:
        """Take what a look saw, unless a later one has seen something: one that hung may have read what was there before."""
        with self._lock:
            if number < self._used:
                return False
            self._used, self._seen = number, state
            self.credentials = credentials or self.credentials
            return True


def _state(files: Files) -> _State:
    """What tells that a file was written or replaced."""
    return tuple(_state_of(path) for path in (files.certificate, files.key, files.client_ca) if path)


def _state_of(path: Path) -> tuple[int, int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return (state.st_mtime_ns, state.st_size, state.st_ino)
