"""Bounded HTTP: a request to its reply, of bounded size and time. It alone needs the package requests.

TLS with trust in one CA bundle, whose files are looked at before each request: a renewed certificate needs no restart. Nothing
is taken from the machine's environment: neither its proxies nor its .netrc nor REQUESTS_CA_BUNDLE are looked at, because a
plant's megawatts must not depend on a variable that somebody set for another program. A redirection is a reply like any other:
looking where it leads, requests would read its body without a bound.
"""

import math
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from caiso.clock_offset import AGREE_WITHIN_S
from caiso.deadline import Deadline, pools, tls_sockets
from caiso.tls import TlsFiles, TlsFileUnusable, TlsRefusal, is_hang_up

_PIECE_BYTES = 65536
_MB = 1024 * 1024
_PROMPT_S = 1.0
"""A Date that was under way for longer does not say what the difference of two clocks is, only how large it is at least."""
_DATE_RESOLUTION = timedelta(seconds=1)
"""Date names whole seconds."""
_YEARS = range(1970, 2201)
"""What the clock of a machine may show that was never set, or wrongly. A Date of another year is none: nothing can be added to
the last of the year 9999."""


class NoReply(Exception):
    """There is no whole reply. Equal causes read alike, so that each can be logged once.

    Attributes:
        content: the part of the body that came, None when none did.
        is_unsent: whether the server certainly never had the request: there was no connection to send it on, or none that both
            ends accepted.
    """

    def __init__(self, reason: str, content: bytes | None = None, *, is_unsent: bool = False) -> None:
        super().__init__(reason)
        self.content = content
        self.is_unsent = is_unsent


class Unreachable(NoReply):
    """No connection, or one that was lost before anything came."""


class TlsRefused(Unreachable):
    """One of the two ends does not accept the other's certificate.

    Attributes:
        refusal: whose, why, and which file it is about.
    """

    def __init__(self, refusal: TlsRefusal) -> None:
        super().__init__(refusal.text, is_unsent=True)
        self.refusal = refusal


class HungUp(Unreachable):
    """The server closed the connection without a word, as many do on a client's certificate that they do not accept.

    Whether it had the request by then is not known: in TLS 1.3 the client is the first to be done.

    Attributes:
        certificate: which was shown.
    """

    def __init__(self, cause: str, certificate: Path) -> None:
        may_be = "the server hung up, as many do on a certificate that they do not accept"
        super().__init__(f"{cause}; {may_be}: see that {certificate} was issued for it and has not ended")
        self.certificate = certificate


class TimedOut(NoReply):
    """No reply, or not all of it, in time."""


class CutShort(NoReply):
    """The connection closed inside the reply."""


class Oversized(NoReply):
    """More bytes than we are ready to hold."""


@dataclass(frozen=True)
class HttpReply:
    """A whole reply, whatever its status says.

    Attributes:
        status: of HTTP.
        content: its body.
        clock_offset_s: the server's clock minus ours, None when it did not tell.
        location: where a redirection leads, which is not followed.
    """

    status: int
    content: bytes
    clock_offset_s: float | None
    location: str | None = None


class BoundedHttp:
    """Asks one server, on one connection, one thing at a time.

    Args:
        ca_file: the only CAs to trust (PEM); None trusts the public ones.
        certificate: the client's certificate and key (PEM), the key None when it is in the same file.
        headers: sent with each request.
        timeout_s: the most that a request may take as a whole, from the name to the last byte of the body.
        max_bytes: the most that the body of a reply may be.
        clock: the wall clock, to be compared with the server's.

    Attributes:
        not_renewed: why a replaced certificate or CA bundle is not used yet, and the one before is; None when all is well.

    Raises:
        TlsFileUnusable: the certificate, its key or the CA bundle cannot be used.
    """

    def __init__(
        self,
        *,
        ca_file: Path | None,
        certificate: tuple[Path, Path | None] | None = None,
        headers: Mapping[str, str],
        timeout_s: float,
        max_bytes: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._files = TlsFiles(ca_file or Path(DEFAULT_CA_BUNDLE_PATH), *(certificate or ()))
        self._headers = headers
        self._timeout_s = timeout_s
        self._max_bytes = max_bytes
        self._clock = clock
        self._deadline = Deadline()
        self._of_versions = self._files.versions()
        self._session = self._new_session()
        self.not_renewed: str | None = None

    def fetch(self, method: str, url: str, body: bytes | None = None, within_s: float = math.inf) -> HttpReply:
        """The reply to a request.

        Args:
            method: of HTTP.
            url: of what is asked.
            body: what is sent.
            within_s: the most that this one may take as a whole, where that is less than any may.

        Raises:
            NoReply: Unreachable, TlsRefused, HungUp, TimedOut, CutShort or Oversized.
        """
        self._renew()
        began_at, began_s = self._clock(), time.monotonic()
        within_s = min(within_s, self._timeout_s)
        self._deadline.begin(within_s)
        try:
            with self._session.request(
                method, url, data=body, timeout=within_s, allow_redirects=False, stream=True
            ) as response:
                took_s = time.monotonic() - began_s
                offset_s = _clock_offset_s(response.headers.get("Date"), began_at, took_s)
                content, location = self._read(response, within_s), response.headers.get("Location")
                return HttpReply(response.status_code, content, offset_s, location)
        except requests.Timeout as error:
            is_unsent = isinstance(error, requests.ConnectTimeout)
            raise TimedOut(f"no reply within {within_s:g} s", is_unsent=is_unsent) from error
        except requests.RequestException as error:
            if refusal := self._files.refusal(error):
                raise TlsRefused(refusal) from error
            if self._files.certificate and is_hang_up(error):
                raise HungUp(_cause(error), self._files.certificate) from error
            raise Unreachable(_cause(error), is_unsent=_never_connected(error)) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def _renew(self) -> None:
        """Begin a new TLS session when one of the files was replaced.

        A certificate and its key are two files, replaced one after the other: until they fit each other the old ones serve.
        """
        versions = self._files.versions()
        if versions == self._of_versions:
            return
        try:
            session = self._new_session()
        except TlsFileUnusable as error:
            self.not_renewed = str(error)
            return
        self._session.close()
        self._session, self._of_versions, self.not_renewed = session, versions, None

    def _new_session(self) -> requests.Session:
        context = self._files.context()
        context.sslsocket_class = tls_sockets(self._deadline)
        session = _NoRedirects()
        session.trust_env = False  # verify stays True: anything else would be read for each connection
        session.headers.update(self._headers)
        adapter = _Bounded(context, self._deadline)
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        return session

    def _read(self, response: requests.Response, within_s: float) -> bytes:
        """The body, as it comes in: a server that drips is cut off at the deadline, one that pours at the bound."""
        body = bytearray()
        try:
            while piece := response.raw.read1(_PIECE_BYTES, decode_content=True):
                body += piece
                if len(body) > self._max_bytes:
                    raise Oversized(f"the reply exceeds {self._max_bytes / _MB:g} MB", bytes(body))
        except urllib3.exceptions.TimeoutError as error:
            raise TimedOut(f"the reply is not complete after {within_s:g} s", bytes(body)) from error
        except urllib3.exceptions.HTTPError as error:
            raise CutShort(f"the reply ends before its end: {type(error).__name__}", bytes(body)) from error
        return bytes(body)


class _NoRedirects(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere."""


class _Bounded(HTTPAdapter):
    """Connects with one TLS context, with nothing that requests would add to it, and within a deadline."""

    def __init__(self, context: ssl.SSLContext, deadline: Deadline) -> None:
        self._context = context
        self._deadline = deadline
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # the signature is requests'
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = pools(self._deadline)

    def cert_verify(self, *_args: Any) -> None:  # noqa: ANN401  # the signature is requests'
        """The context says whom to trust. Requests would add the public authorities, or read our bundle for each connection."""


def _clock_offset_s(date: str | None, began_at: datetime, took_s: float) -> float | None:
    """The server's clock minus ours, from a Date header that was written while the reply came.

    Of a reply that took long the least difference that explains its Date; None when that would show no disagreement, though
    the clocks may differ by more, or there is no Date.
    """
    try:
        theirs = parsedate_to_datetime(date) if date else None
    except ValueError:
        return None
    if theirs is None or theirs.tzinfo is None or theirs.year not in _YEARS:
        return None
    least_s = (theirs - began_at).total_seconds() - took_s
    most_s = (theirs + _DATE_RESOLUTION - began_at).total_seconds()
    if took_s <= _PROMPT_S:
        return (least_s + most_s) / 2
    return least_s if least_s > AGREE_WITHIN_S else most_s if most_s < -AGREE_WITHIN_S else None


def _never_connected(error: requests.RequestException) -> bool:
    failure = error.args[0] if error.args else None
    reason = getattr(failure, "reason", failure)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _cause(error: requests.RequestException) -> str:
    """The innermost reason, without the addresses of objects that requests puts around it."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return f"{type(error).__name__}: {cause}"
