"""Connection: the only I/O with ADS, a question to the bytes of its reply.

HTTPS with the participant's client certificate, and no trust but in one CA bundle. What is read is bounded in bytes and, as a
whole, in time.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final

from caiso import http
from caiso.ads.addresses import AdsAddress
from caiso.ads.errors import AdsFailure, CutShort, HungUp, Oversized, TimedOut, TlsRefused, Unreachable
from caiso.ads.records import Question, Reply
from caiso.ads.soap import wrap
from caiso.http import BoundedHttp, NoReply

_HEADERS: Final = MappingProxyType(
    {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', "Accept": "text/xml", "Accept-Encoding": "identity"}
)
_RESPONSES: Final = frozenset({"acceptInstruction", "declineInstruction", "partialAcceptInstruction"})
"""The operations of APIResponseWebService (specification, section 3); all others are APIWebService's."""
_FAILURES: Final[Mapping[type[NoReply], type[AdsFailure]]] = MappingProxyType(
    {http.Unreachable: Unreachable, http.TimedOut: TimedOut, http.CutShort: CutShort, http.Oversized: Oversized}
)


class AdsConnection:
    """Asks both web services of ADS, on one connection that is kept open, one thing at a time.

    Args:
        address: where they are.
        certificate_file: the participant's certificate, PEM, its key beside it or in `key_file`, not encrypted.
        key_file: the key, PEM.
        ca_file: CAISO's root and issuing CA, PEM; nothing else is trusted.
        timeout_s: the most that one question may take as a whole, seconds.
        max_reply_bytes: the most that one reply may be.
        clock: the wall clock, to be compared with CAISO's.

    Raises:
        TlsFileUnusable: the certificate, its key or the CA bundle cannot be used; it says which file, and what to do.
    """

    def __init__(
        self,
        address: AdsAddress,
        *,
        certificate_file: Path,
        key_file: Path | None = None,
        ca_file: Path,
        timeout_s: float,
        max_reply_bytes: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._address = address
        self._http = BoundedHttp(
            ca_file=ca_file,
            certificate=(certificate_file, key_file),
            headers=_HEADERS,
            timeout_s=timeout_s,
            max_bytes=max_reply_bytes,
            clock=clock,
        )

    @property
    def not_renewed(self) -> str | None:
        """Why a replaced certificate or CA bundle is not used yet, and the one before still is; None when all is well."""
        return self._http.not_renewed

    def fetch(self, question: Question) -> Reply:
        """The reply to a question, whatever its status says.

        Raises:
            Unreachable, TlsRefused, HungUp, TimedOut, CutShort, Oversized: why there is none.
        """
        url = self._address.response_url if question.operation in _RESPONSES else self._address.url
        try:
            reply = self._http.fetch("POST", url, wrap(question, self._address.namespace), question.within_s)
        except http.TlsRefused as failure:
            refusal = failure.refusal
            raise TlsRefused(question, refusal.text, refusal.problem, refusal.file) from failure
        except http.HungUp as failure:
            raise HungUp(question, str(failure), failure.certificate) from failure
        except NoReply as failure:
            kind = _FAILURES[type(failure)]
            raise kind(question, str(failure), failure.content, is_unsent=failure.is_unsent) from failure
        return Reply(question, reply.status, reply.content, reply.clock_offset_s)

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()
