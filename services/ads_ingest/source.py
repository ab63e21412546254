"""Source: the only I/O with CAISO, a question to the bytes of its reply. The only importer of requests.

HTTPS with the participant's client certificate, TLS 1.2 or later, and no trust but in the configured CA bundle: neither the
machine's store nor its proxy and .netrc settings are looked at. What is read is bounded in bytes and, as a whole, in time.
"""

import ssl
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter

from ads_ingest.envelope import wrap
from ads_ingest.faults import CutShort, Oversized, TimedOut, Unreachable
from ads_ingest.records import Question, Reply
from ads_ingest.settings import AdsSettings

_PIECE_BYTES = 65536
_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', "Accept": "text/xml", "Accept-Encoding": "identity"}
_PROMPT_S = 1.0
"""A Date that was under way for longer says too little about the time now."""
_DATE_RESOLUTION = timedelta(seconds=0.5)
"""Date names whole seconds: on average the time is half of one later."""


class AdsSource:
    """Asks the ADS web service.

    Args:
        settings: where it is, and who we are there.
        clock: the wall clock, to be compared with CAISO's.

    Raises:
        ssl.SSLError, OSError: the certificate, its key or the CA bundle cannot be used.
    """

    def __init__(self, settings: AdsSettings, clock: Callable[[], datetime]) -> None:
        self._settings = settings
        self._clock = clock
        self._session = _NoRedirects()
        self._session.trust_env = False
        self._session.verify = str(settings.ca_file)
        self._session.mount("https://", _ClientTls(_tls_context(settings)))

    def fetch(self, question: Question) -> Reply:
        """The reply to a question, whatever its status says.

        Raises:
            Unreachable, TimedOut, CutShort, Oversized: why there is none.
        """
        began_at, began_s = self._clock(), time.monotonic()
        try:
            with self._post(question) as response:
                took_s = time.monotonic() - began_s
                offset_s = _clock_offset_s(response.headers.get("Date"), began_at, took_s)
                body = self._read(response, question, began_s + self._settings.timeout_s)
                return Reply(question, response.status_code, body, offset_s)
        except requests.Timeout as error:
            raise TimedOut(question, f"no reply within {self._settings.timeout_s:g} s") from error
        except requests.RequestException as error:
            raise Unreachable(question, _cause(error)) from error

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def _post(self, question: Question) -> requests.Response:
        return self._session.post(
            self._settings.url,
            data=wrap(question, self._settings.namespace),
            headers=_HEADERS,
            timeout=self._settings.timeout_s,
            allow_redirects=False,
            stream=True,
        )

    def _read(self, response: requests.Response, question: Question, deadline_s: float) -> bytes:
        """The body, as it comes in: a server that drips is cut off at the deadline, one that pours at the bound."""
        body = bytearray()
        try:
            while piece := response.raw.read1(_PIECE_BYTES, decode_content=True):
                body += piece
                if len(body) > self._settings.max_reply_bytes:
                    raise Oversized(question, f"the reply exceeds {self._settings.max_reply_mb:g} MB", bytes(body))
                if time.monotonic() > deadline_s:
                    raise TimedOut(question, f"the reply is not complete after {self._settings.timeout_s:g} s", bytes(body))
        except urllib3.exceptions.TimeoutError as error:
            raise TimedOut(question, f"the reply stopped after {len(body)} bytes", bytes(body)) from error
        except urllib3.exceptions.HTTPError as error:
            raise CutShort(question, f"the reply ends after {len(body)} bytes: {error}", bytes(body)) from error
        return bytes(body)


class _NoRedirects(requests.Session):
    """A redirection is a reply like any other. Looking where it leads, requests would read its body without a bound."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Nowhere."""


class _ClientTls(HTTPAdapter):
    """Connects with one TLS context, and with nothing that requests would add to it."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_connections=1, pool_maxsize=1)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401  # the signature is requests'
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)


def _tls_context(settings: AdsSettings) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(settings.ca_file))
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # Without a password of ours OpenSSL would ask for one on the terminal, and wait.
    context.load_cert_chain(settings.certificate_file, settings.key_file, password="")
    return context


def _clock_offset_s(date: str | None, began_at: datetime, took_s: float) -> float | None:
    """CAISO's clock minus ours, from a Date header and the middle of the time that it took to come."""
    if date is None or took_s > _PROMPT_S:
        return None
    try:
        theirs = parsedate_to_datetime(date)
    except ValueError:
        return None
    if theirs.tzinfo is None:
        return None
    return (theirs + _DATE_RESOLUTION - began_at).total_seconds() - took_s / 2


def _cause(error: requests.RequestException) -> str:
    """The innermost reason, without the addresses of objects that requests puts around it: equal causes must read alike."""
    cause: BaseException = error
    while (inner := cause.__cause__ or cause.__context__) is not None:
        cause = inner
    return f"{type(error).__name__}: {cause}"
