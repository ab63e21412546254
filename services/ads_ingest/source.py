"""Source: the only I/O with CAISO, a question to the bytes of its reply.

HTTPS with the participant's client certificate, and no trust but in the configured CA bundle. What is read is bounded in bytes
and, as a whole, in time.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType

from ads_ingest.envelope import wrap
from ads_ingest.faults import AdsFailure, CutShort, Oversized, TimedOut, Unreachable
from ads_ingest.records import Question, Reply
from ads_ingest.settings import AdsSettings
from caiso import http
from caiso.http import BoundedHttp, NoReply

_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""', "Accept": "text/xml", "Accept-Encoding": "identity"}
_FAILURES: Mapping[type[NoReply], type[AdsFailure]] = MappingProxyType(
    {
        http.Unreachable: Unreachable,
        http.TimedOut: TimedOut,
        http.CutShort: CutShort,
        http.Oversized: Oversized,
    }
)


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
        self._http = BoundedHttp(
            ca_file=settings.ca_file,
            certificate=(settings.certificate_file, settings.key_file),
            headers=_HEADERS,
            timeout_s=settings.timeout_s,
            max_bytes=settings.max_reply_bytes,
            clock=clock,
        )

    def fetch(self, question: Question) -> Reply:
        """The reply to a question, whatever its status says.

        Raises:
            Unreachable, TimedOut, CutShort, Oversized: why there is none.
        """
        try:
            reply = self._http.fetch("POST", self._settings.url, wrap(question, self._settings.namespace))
        except NoReply as failure:
            raise _FAILURES[type(failure)](question, str(failure), failure.content) from failure
        return Reply(question, reply.status, reply.content, reply.clock_offset_s)

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()
