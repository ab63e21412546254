"""Streams: what each open page is told, in its order, in bounded memory.

A page is told the whole picture first and then, each second, what changed, be it nothing: by that it knows that it is live. For
one that does not read nothing is kept beyond a few changes; once it reads again it gets the newest whole picture.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Final

from console.picture.parts import Part
from console.picture.picture import View, encode, plants_in

WAITING_MOST: Final = 8
"""Changes that wait for a page; one more, and it gets the whole instead."""
RETRY_MS: Final = 1000
"""How soon a browser whose stream broke asks again."""


class TooManyPages(Exception):
    """As many are open as may be."""


class Stream:
    """What one page is told.

    Args:
        view: what it shows.
        session: of whoever has it open; None where nobody signs in.
    """

    def __init__(self, view: View, session: str | None) -> None:
        self.view = view
        self.session = session
        self.needs_whole = True
        self._waiting = deque[bytes]()
        self._told = asyncio.Event()
        self._is_over = False

    def push(self, event: bytes) -> None:
        """Tell it something after all that it was told before, unless it is to get the whole anyway."""
        if len(self._waiting) >= WAITING_MOST:
            self.needs_whole = True
        if self.needs_whole:
            self._waiting.clear()
        else:
            self._waiting.append(event)
        self._told.set()

    def end(self) -> None:
        """There will be no more."""
        self._is_over = True
        self._told.set()

    async def next(self) -> bytes | None:
        """What comes next, empty where the whole picture is due; None at the end."""
        while not self._is_over:
            if self.needs_whole:
                return b""
            if self._waiting:
                return self._waiting.popleft()
            self._told.clear()
            await self._told.wait()
        return None


class Streams:
    """The streams of all open pages, all in one event loop.

    Args:
        pages_most: how many may be open at once.
    """

    def __init__(self, pages_most: int) -> None:
        self._pages_most = pages_most
        self._open: set[Stream] = set()
        self._parts: Mapping[str, Part] = {}
        self._at: datetime | None = None
        self._wholes: dict[View, bytes] = {}

    def __len__(self) -> int:
        return len(self._open)

    def tell(self, parts: Mapping[str, Part], changed: Mapping[str, Part | None], at: datetime) -> None:
        """Tell every page what changed; `parts` is the whole."""
        self._parts, self._at = parts, at
        self._wholes.clear()
        encoded: dict[View, bytes] = {}
        for stream in self._open:
            if stream.view not in encoded:
                encoded[stream.view] = _event("changes", at, encode(changed, stream.view, plants_in(parts)))
            stream.push(encoded[stream.view])

    async def follow(self, view: View, session: str | None = None) -> AsyncIterator[bytes]:
        """The events for a page, until it goes, its session ends, or we do.

        Raises:
            TooManyPages: as many are open as may be.
        """
        if len(self._open) >= self._pages_most:
            raise TooManyPages
        stream = Stream(view, session)
        self._open.add(stream)
        try:
            yield f"retry: {RETRY_MS}\n\n".encode()
            while (event := await stream.next()) is not None:
                if event:
                    yield event
                elif self._at is None:
                    await asyncio.sleep(0.05)  # nothing was looked at yet: the first look takes less than that
                else:
                    stream.needs_whole = False
                    yield self._whole(view, self._at)
        finally:
            self._open.discard(stream)

    def end(self) -> None:
        """End them all: the process goes."""
        for stream in tuple(self._open):
            stream.end()

    def end_of(self, session: str) -> None:
        """End those of a session that is over: nobody sees another value by it."""
        for stream in tuple(self._open):
            if stream.session == session:
                stream.end()

    @property
    def sessions(self) -> set[str]:
        """Those of which a page is open."""
        return {stream.session for stream in self._open if stream.session}

    def _whole(self, view: View, at: datetime) -> bytes:
        if view not in self._wholes:
            self._wholes[view] = _event("picture", at, encode(self._parts, view, plants_in(self._parts)))
        return self._wholes[view]


def _event(kind: str, at: datetime, parts: bytes) -> bytes:
    """As a browser's EventSource reads it; JSON has no line break of its own."""
    return b'event: %s\ndata: {"at":%.3f,"parts":%s}\n\n' % (kind.encode(), at.timestamp(), parts)
