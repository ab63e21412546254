"""Replies that a network or an overloaded server gives: cut short, never coming, without end.

They are ASGI responses; a connection is dropped through the transport, which `server` puts in the request's state.
"""

import asyncio
import struct
import zlib
from collections.abc import Awaitable, Callable
from typing import cast

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

_CHUNK = b" " * 65536
_DRIP_EVERY_S = 1.0
_GZIP_HEADER = b"\x1f\x8b\x08" + bytes(6) + b"\xff"


class CutReply:
    """Announces a whole reply, sends half of it and drops the connection."""

    def __init__(self, whole: Response) -> None:
        self._whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send half of the reply."""
        await send({"type": "http.response.start", "status": self._whole.status_code, "headers": self._whole.raw_headers})
        half = bytes(self._whole.body)[: len(self._whole.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        _drop(scope)
        await _until_disconnected(receive)


class HeldReply:
    """Says nothing, until the client gives up, the simulator stops or `hold_s` are over; then drops the connection."""

    def __init__(self, hold_s: float, stopping: asyncio.Event) -> None:
        self._hold_s = hold_s
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """Keep the client waiting."""
        ends = [asyncio.create_task(_until_disconnected(receive)), asyncio.create_task(_until(self._stopping))]
        await asyncio.wait(ends, timeout=self._hold_s, return_when=asyncio.FIRST_COMPLETED)
        ends[1].cancel()
        _drop(scope)
        await ends[0]


class DripReply:
    """Sends the reply a byte a second, and never comes to its end while anybody listens."""

    def __init__(self, whole: Response, stopping: asyncio.Event) -> None:
        self._whole = whole
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the client is gone or the simulator stops."""
        await send({"type": "http.response.start", "status": self._whole.status_code, "headers": self._whole.raw_headers})

        async def drop(byte: bytes) -> None:
            await send({"type": "http.response.body", "body": byte, "more_body": True})

        await _drip(bytes(self._whole.body), drop, scope, receive, self._stopping)


class DripHeadersReply:
    """Sends the status line and the headers a byte a second, past the server's own writing of HTTP."""

    def __init__(self, whole: Response, stopping: asyncio.Event) -> None:
        self._whole = whole
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        """Send until the client is gone or the simulator stops."""
        write = cast("Callable[[bytes], None]", scope["state"]["write_raw"])
        headers = b"".join(name + b": " + text + b"\r\n" for name, text in self._whole.raw_headers)

        async def drop(byte: bytes) -> None:
            write(byte)

        head = f"HTTP/1.1 {self._whole.status_code} OK\r\n".encode() + headers + b"\r\n"
        await _drip(head, drop, scope, receive, self._stopping)


async def _drip(
    message: bytes, drop: Callable[[bytes], Awaitable[None]], scope: Scope, receive: Receive, stopping: asyncio.Event
) -> None:
    ends = [asyncio.create_task(_until_disconnected(receive)), asyncio.create_task(_until(stopping))]
    for byte in message:
        await drop(bytes([byte]))
        done, _ = await asyncio.wait(ends, timeout=_DRIP_EVERY_S, return_when=asyncio.FIRST_COMPLETED)
        if done:
            break
    ends[1].cancel()
    _drop(scope)
    await ends[0]


class OversizedReply:
    """Sends blanks after the reply, up to `size` bytes in all, which no reply of this kind ever has."""

    def __init__(self, whole: Response, size: int, stopping: asyncio.Event) -> None:
        self._whole = whole
        self._size = size
        self._stopping = stopping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until the size is reached, the client is gone or the simulator stops."""
        headers = [header for header in self._whole.raw_headers if header[0] != b"content-length"]
        await send({"type": "http.response.start", "status": self._whole.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": bytes(self._whole.body), "more_body": True})
        gone = asyncio.create_task(_until_disconnected(receive))
        sent = len(self._whole.body)
        while sent < self._size and not gone.done() and not self._stopping.is_set():
            await send({"type": "http.response.body", "body": _CHUNK, "more_body": True})
            sent += len(_CHUNK)
            await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        if self._stopping.is_set():
            _drop(scope)
        gone.cancel()


def gzip_bomb(size_mb: int) -> bytes:
    """A gzip of so many megabytes of zeros, put together from the same megabyte so that it is made in no time."""
    megabyte = bytes(1_000_000)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    block = packer.compress(megabyte) + packer.flush(zlib.Z_FULL_FLUSH)
    check = 0
    for _ in range(size_mb):
        check = zlib.crc32(megabyte, check)
    trailer = struct.pack("<II", check, size_mb * len(megabyte))
    return _GZIP_HEADER + block * size_mb + packer.flush() + trailer


def _drop(scope: Scope) -> None:
    cast("Callable[[], None]", scope["state"]["drop_connection"])()


async def _until(event: asyncio.Event) -> None:
    await event.wait()


async def _until_disconnected(receive: Receive) -> None:
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()
