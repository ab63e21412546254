"""Connections, before one is a request: bounds on the head of a request and on its time, and a problem when it is none."""

import asyncio
from typing import Any, Final

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from historian.api.problems import MEDIA_TYPE, Problem, Sort

HEAD_MOST_BYTES: Final = 16 * 1024
"""Of a request's line and headers together."""
HEAD_WITHIN_S: Final = 10.0
"""Whoever needs longer to say them holds a connection that others could have."""
AT_ONCE_MOST: Final = 1000
"""Connections; one more is told to come again."""
_END: Final = b"\r\n\r\n"
_NO_HTTP: Final = Problem(Sort.NO_HTTP, "it is no HTTP/1.1; where the API has a certificate its address begins with https://")
_TOO_LARGE: Final = Problem(Sort.HEAD_TOO_LARGE, f"its line and headers together may be {HEAD_MOST_BYTES} bytes")
_TOO_MANY: Final = Problem(Sort.BUSY, "too many connections are open; ask again later", retry_after_s=1)


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 whose heads are bounded in size (by h11) and in time (here), and whose refusals are problems."""

    _too_late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to count the time for the first head."""
        super().connection_made(transport)
        if len(self.connections) > AT_ONCE_MOST:
            self._refuse(_TOO_MANY)
        else:
            self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Take what came; the time for a head begins with its first byte."""
        if self.transport.is_closing():
            return
        if self._is_head_too_large(data):
            self._refuse(_TOO_LARGE)
            return
        super().data_received(data)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count no more."""
        self._forget()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn says one thing of everything
        """Tell a problem and close."""
        self._refuse(_NO_HTTP)

    def _refuse(self, problem: Problem) -> None:
        body = msgspec.json.encode(problem.document())
        own = {"content-type": MEDIA_TYPE, "content-length": str(len(body)), "connection": "close"}
        response = h11.Response(status_code=problem.sort.status, headers=[*(problem.headers() | own).items()])
        events: list[Any] = [response, h11.Data(data=body), h11.EndOfMessage()]
        for event in events:
            if (sent := self.conn.send(event)) is not None:
                self.transport.write(sent)
        self.transport.close()

    def _is_head_too_large(self, data: bytes) -> bool:
        """Whether a head has no end within its bound. What comes whole in one piece h11 would take, however large it is."""
        if self.conn.their_state is not h11.IDLE:
            return False
        begun = self.conn.trailing_data[0] + data[: HEAD_MOST_BYTES + len(_END)]
        return len(begun) > HEAD_MOST_BYTES and _END not in begun[: HEAD_MOST_BYTES + len(_END)]

    def _expect_head(self) -> None:
        is_waited_for = self.conn.their_state is h11.IDLE and (self.conn.trailing_data[0] or self.cycle is None)
        if not is_waited_for:
            self._forget()
        elif self._too_late is None:
            self._too_late = asyncio.get_running_loop().call_later(HEAD_WITHIN_S, self._close)

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.abort()

    def _forget(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None
