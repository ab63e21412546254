"""Source: the only I/O with CAISO, a question to the bytes of its reply.

Anonymous, over HTTPS. What is read is bounded in bytes and, as a whole, in time.
"""

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from types import MappingProxyType
from urllib.parse import urlencode

from caiso import http
from caiso.clock_offset import ClockOffset
from caiso.http import BoundedHttp, NoReply
from lmp_ingest.faults import CutShort, OasisFailure, Oversized, TimedOut, Unreachable
from lmp_ingest.records import Question, Reply
from lmp_ingest.reports import REPORTS
from lmp_ingest.settings import OasisSettings

_CSV = "6"
_FAILURES: Mapping[type[NoReply], type[OasisFailure]] = MappingProxyType(
    {
        http.Unreachable: Unreachable,
        http.TlsRefused: Unreachable,
        http.TimedOut: TimedOut,
        http.CutShort: CutShort,
        http.Oversized: Oversized,
    }
)


class OasisSource:
    """Asks the OASIS web service.

    Args:
        settings: where it is.
        clock: the wall clock, to be compared with CAISO's.
        monotonic_s: seconds of a clock that nobody sets.

    Raises:
        TlsFileUnusable: the CA bundle cannot be used.
    """

    def __init__(
        self, settings: OasisSettings, clock: Callable[[], datetime], monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._clock_offset = ClockOffset(clock, monotonic_s)
        self._http = BoundedHttp(
            ca_file=settings.ca_file,
            headers={"User-Agent": f"dotbus/{version('dotbus')}", "Accept-Encoding": "identity"},
            timeout_s=settings.timeout_s,
            max_bytes=settings.max_reply_bytes,
            clock=clock,
        )

    def fetch(self, question: Question) -> Reply:
        """The reply to a question, whatever its status says.

        Raises:
            Unreachable, TimedOut, CutShort, Oversized: why there is none.
        """
        asked_at = self._clock()
        try:
            reply = self._http.fetch("GET", f"{self._settings.url}/SingleZip?{self._query(question)}")
        except NoReply as failure:
            raise _FAILURES[type(failure)](str(failure), failure.content) from failure
        if reply.clock_offset_s is not None:
            self._clock_offset.note(reply.clock_offset_s)
        received_at = self._clock()
        return Reply(reply.status, reply.content, min(asked_at, received_at), received_at)

    @property
    def clock_offset_said_s(self) -> float | None:
        """CAISO's clock minus ours at this moment, as its last reply said; None before one did."""
        return self._clock_offset.last_said_s

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()

    def _query(self, question: Question) -> str:
        """The parameters as the specification writes them: times in UTC, commas and colons as they are."""
        return urlencode(
            {
                "queryname": REPORTS[question.market].query_name,
                "startdatetime": _minute(question.start),
                "enddatetime": _minute(question.end),
                "version": self._settings.versions[question.market],
                "market_run_id": question.market.value,
                "node": ",".join(question.nodes),
                "resultformat": _CSV,
            },
            safe=",:",
        )


def _minute(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y%m%dT%H:%M-0000")
