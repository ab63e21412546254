"""Connection: the only I/O with OASIS, a question to the bytes of its reply.

Anonymous, over HTTPS. What is read is bounded in bytes and, as a whole, in time.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, Protocol
from urllib.parse import urlencode

from caiso import http
from caiso.clock_offset import ClockOffset
from caiso.http import BoundedHttp, NoReply
from caiso.oasis.errors import CutShort, HttpRefused, OasisFailure, Oversized, TimedOut, Unreachable

CAISO_URL: Final = "https://oasis.caiso.com/oasisapi"
"""CAISO's own; its market simulation has oasismap.caiso.com."""
_REDIRECTION: Final = 3
"""The hundreds of its status."""
_FAILURES: Final[Mapping[type[NoReply], type[OasisFailure]]] = MappingProxyType(
    {
        http.Unreachable: Unreachable,
        http.TlsRefused: Unreachable,
        http.TimedOut: TimedOut,
        http.CutShort: CutShort,
        http.Oversized: Oversized,
    }
)


@dataclass(frozen=True)
class Reply:
    """What an HTTP request brought. CAISO may have looked as early as at `asked_at`."""

    status: int
    content: bytes
    asked_at: datetime
    received_at: datetime


class Request(Protocol):
    """What can be asked: a part of the service, and its parameters."""

    @property
    def servlet(self) -> str:
        """SingleZip or GroupZip."""
        ...

    def parameters(self) -> Mapping[str, str]:
        """By CAISO's names."""
        ...


class OasisConnection:
    """Asks the OASIS web service, one thing at a time.

    Args:
        url: the address that ends before /SingleZip.
        ca_file: trust these CAs (PEM) in place of the public ones.
        user_agent: who asks.
        timeout_s: the most that one request may take as a whole, seconds.
        max_reply_bytes: the most that one reply may be.
        clock: the wall clock, to be compared with CAISO's.
        monotonic_s: seconds of a clock that nobody sets.

    Raises:
        TlsFileUnusable: the CA bundle cannot be used.
    """

    def __init__(
        self,
        url: str = CAISO_URL,
        *,
        ca_file: Path | None = None,
        user_agent: str = "caiso-oasis",
        timeout_s: float = 120.0,
        max_reply_bytes: int = 64 * 1024 * 1024,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._clock = clock
        self._clock_offset = ClockOffset(clock, monotonic_s)
        self._http = BoundedHttp(
            ca_file=ca_file,
            headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
            timeout_s=timeout_s,
            max_bytes=max_reply_bytes,
            clock=clock,
        )

    def fetch(self, request: Request) -> Reply:
        """The reply to a question, whatever its status says, but for a redirection, which is none.

        Raises:
            HttpRefused: it leads elsewhere, and where.
            Unreachable, TimedOut, CutShort, Oversized: why there is none.
        """
        asked_at = self._clock()
        # Commas and colons are written as they are, as in the specification.
        query = urlencode(request.parameters(), safe=",:")
        try:
            reply = self._http.fetch("GET", f"{self._url}/{request.servlet}?{query}")
        except NoReply as failure:
            raise _FAILURES[type(failure)](str(failure), failure.content) from failure
        if reply.clock_offset_s is not None:
            self._clock_offset.note(reply.clock_offset_s)
        if reply.location is not None and reply.status // 100 == _REDIRECTION:
            raise HttpRefused(reply.status, reply.location, reply.content)
        received_at = self._clock()
        return Reply(reply.status, reply.content, min(asked_at, received_at), received_at)

    @property
    def clock_offset_said_s(self) -> float | None:
        """CAISO's clock minus ours at this moment, as its last reply said; None before one did."""
        return self._clock_offset.last_said_s

    def close(self) -> None:
        """Let go of the connection."""
        self._http.close()
