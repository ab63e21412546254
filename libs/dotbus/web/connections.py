"""Connections: bounds on what somebody can hold of them without asking anything, and a refusal when what comes is no request.

A request's head is bounded in size, and all of it in time; so is an answer that nobody takes. Whoever has not asked a question
that is answered is a stranger. Where strangers of one address or connections of all are too many, the stranger that came first
and waits for no answer makes room, so that silent ones lock nobody out; where there is none the new one is refused.
"""

import asyncio
from enum import Enum
from typing import Any, ClassVar, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_MOST_BYTES: Final = 16 * 1024
"""Of a request's line and headers together."""
REQUEST_WITHIN_S: Final = 10.0
"""Of a request and its body. Whoever needs longer to say them holds a connection that others could have."""
TAKES_NOTHING_S: Final = 30.0
"""Whoever takes nothing of an answer for so long likewise."""
ANSWERED: Final = "is_answered"
"""In the state of a request: set where it is answered to somebody who may ask."""
_END: Final = b"\r\n\r\n"


class Refused(Enum):
    """Why a connection is refused: the HTTP status, and the same in words."""

    NO_HTTP = 400, "it is no HTTP/1.1; where there is a certificate the address begins with https://"
    HEAD_TOO_LARGE = 431, f"its line and headers together may be {HEAD_MOST_BYTES} bytes"
    TOO_MANY = 503, "too many connections are open; ask again later"


def bounded(
    at_once_most: int, strangers_each_most: int, protocol: type["BoundedProtocol"] | None = None
) -> type["BoundedProtocol"]:
    """The protocol of one process.

    Args:
        at_once_most: how many connections there may be.
        strangers_each_most: how many of them may be strangers of one address.
        protocol: how it refuses, where that is not in plain text.
    """
    own = {"at_once_most": at_once_most, "strangers_each_most": strangers_each_most, "strangers": Strangers()}
    return type("BoundedPart", (protocol or BoundedProtocol,), own)


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
    """HTTP/1.1 whose heads are bounded in size (by h11 and here), and everything in number and time (here)."""

    at_once_most: ClassVar[int]
    strangers_each_most: ClassVar[int]
    strangers: ClassVar[Strangers]
    _too_late: asyncio.TimerHandle | None = None
    _looks: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Begin to count the time for the first request."""
        super().connection_made(transport)
        if self._has_room():
            self._expect_request()
        else:
            self._refuse(Refused.TOO_MANY)

    def data_received(self, data: bytes) -> None:
        """Take what came; the time for a request begins with its first byte."""
        if self.transport.is_closing():
            return
        if self._is_head_too_large(data):
            self._refuse(Refused.HEAD_TOO_LARGE)
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
        """Whether a question was asked, all of it, whose answer is not whole yet."""
        is_asked = self.cycle is not None and self.conn.their_state is not h11.SEND_BODY
        return is_asked and not self.cycle.response_complete

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
        """Tell why and close."""
        self._refuse(Refused.NO_HTTP)

    def refusal(self, why: Refused) -> tuple[dict[str, str], bytes]:
        """The header and the body that tell why; another protocol may say it otherwise."""
        return {"content-type": "text/plain; charset=utf-8", "cache-control": "no-store"}, f"{why.value[1]}\n".encode()

    def _refuse(self, why: Refused) -> None:
        headers, body = self.refusal(why)
        own = {"content-length": str(len(body)), "connection": "close"}
        response = h11.Response(status_code=why.value[0], headers=[*(headers | own).items()])
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
