"""Connections: bounds on what somebody can hold of them without asking anything, and a problem when what comes is no request.

A request's head is bounded in size, and all of it in time; so is an answer that nobody takes. Whoever has not asked a question
that is answered is a stranger. Where strangers of one address or connections of all are too many, the stranger that came first
and waits for no answer makes room, so that silent ones lock nobody out; where there is none the new one is refused.
"""

import asyncio
from typing import Any, ClassVar, Final

import h11
import msgspec
from uvicorn.protocols.http.h11_impl import H11Protocol

from historian.api.exchange.streamed import CUT
from historian.api.keys.caller import ANSWERED
from historian.api.problems import MEDIA_TYPE, Problem, Sort

HEAD_MOST_BYTES: Final = 16 * 1024
"""Of a request's line and headers together."""
REQUEST_WITHIN_S: Final = 10.0
"""Of a request and its body. Whoever needs longer to say them holds a connection that others could have."""
TAKES_NOTHING_S: Final = 30.0
"""Whoever takes nothing of an answer for so long likewise."""
AT_ONCE_MOST: Final = 1000
"""Connections, of all processes together."""
STRANGERS_EACH_MOST: Final = 100
"""Of them strangers of one address."""
_END: Final = b"\r\n\r\n"
_NO_HTTP: Final = Problem(Sort.NO_HTTP, "it is no HTTP/1.1; where the API has a certificate its address begins with https://")
_TOO_LARGE: Final = Problem(Sort.HEAD_TOO_LARGE, f"its line and headers together may be {HEAD_MOST_BYTES} bytes")
_TOO_MANY: Final = Problem(Sort.BUSY, "too many connections are open; ask again later", retry_after_s=1)


def bounded(processes: int) -> type["BoundedProtocol"]:
    """The protocol of one of so many processes, each of which has its part of the connections that there may be."""
    most = {"at_once_most": AT_ONCE_MOST // processes, "strangers_each_most": max(1, STRANGERS_EACH_MOST // processes)}
    return type("BoundedPart", (BoundedProtocol,), {**most, "strangers": Strangers()})


class Strangers:
    """Connections of those who have not asked anything yet that is answered, by their address, the oldest first."""

    def __init__(self) -> None:
        self._here: dict[BoundedProtocol, str] = {}

    def come(self, one: "BoundedProtocol", address: str) -> None:
        """One more."""
        self._here[one] = address

    def leave(self, one: "BoundedProtocol") -> None:
        """It is closed, or no stranger any more."""
        self._here.pop(one, None)

    def of(self, address: str) -> int:
        """How many are of an address."""
        return sum(its == address for its in self._here.values())

    def make_room(self, newest: "BoundedProtocol", address: str | None) -> bool:
        """Close the oldest that waits for no answer, of one address or of any. Returns whether there was one."""
        may_go = (one for one, its in self._here.items() if address in {None, its} and not one.is_answered)
        if one := next((one for one in may_go if one is not newest), None):
            self.leave(one)
            one.abort()
        return one is not None


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 whose heads are bounded in size (by h11), and everything in number and time (here); refusals are problems."""

    at_once_most: ClassVar[int] = AT_ONCE_MOST
    strangers_each_most: ClassVar[int] = STRANGERS_EACH_MOST
    strangers: ClassVar[Strangers]
    _too_late: asyncio.TimerHandle | None = None
    _looks: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to count the time for the first request."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, CUT: self.cut}
        if self._has_room():
            self._expect_request()
        else:
            self._refuse(_TOO_MANY)

    def data_received(self, data: bytes) -> None:
        """Take what came; the time for a request begins with its first byte."""
        if self.transport.is_closing():
            return
        if self._is_head_too_large(data):
            self._refuse(_TOO_LARGE)
            return
        super().data_received(data)
        self._expect_request()

    def on_response_complete(self) -> None:
        """Who was answered is no stranger; and see that it takes the answer."""
        if self.scope["state"].get(ANSWERED):
            self.strangers.leave(self)
        super().on_response_complete()
        self._look_whether_taken(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Count no more."""
        self.strangers.leave(self)
        self._forget()
        if self._looks is not None:
            self._looks.cancel()
        super().connection_lost(exc)

    @property
    def is_answered(self) -> bool:
        """Whether a question was asked whose answer is not whole yet."""
        return self.cycle is not None and not self.cycle.response_complete

    def abort(self) -> None:
        """End it at once, whatever is on its way."""
        self.transport.abort()

    def cut(self, *, at_once: bool) -> None:
        """End an answer before its end: once what is on its way is taken, or at once."""
        if at_once:
            self.abort()
        else:
            self.transport.close()
            self._look_whether_taken(None)

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

    def _has_room(self) -> bool:
        """Whether there is room for one more, if need be that of a stranger."""
        address = self.client[0] if self.client else ""
        self.strangers.come(self, address)
        is_one_too_many = self.strangers.of(address) > self.strangers_each_most
        if is_one_too_many and not self.strangers.make_room(self, address):
            return False
        return len(self.connections) <= self.at_once_most or self.strangers.make_room(self, None)

    def _expect_request(self) -> None:
        theirs = self.conn.their_state
        is_head_due = theirs is h11.IDLE and (self.conn.trailing_data[0] or self.cycle is None)
        if not is_head_due and theirs is not h11.SEND_BODY:
            self._forget()
        elif self._too_late is None:
            self._too_late = asyncio.get_running_loop().call_later(REQUEST_WITHIN_S, self.abort)

    def _forget(self) -> None:
        if self._too_late is not None:
            self._too_late.cancel()
            self._too_late = None

    def _look_whether_taken(self, before: int | None) -> None:
        """Again and again while something of an answer is not taken; end it where nothing was since the last time."""
        self._looks, left = None, self.transport.get_write_buffer_size()
        if left and left == before:
            self.abort()
        elif left:
            self._looks = asyncio.get_running_loop().call_later(TAKES_NOTHING_S, self._look_whether_taken, left)
