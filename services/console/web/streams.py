"""Streams: what each open page is told, in its order, in bounded memory.

A page is told the whole picture first and then, each second, what changed, be it nothing: by that it knows that it is live. For
one that does not read nothing is kept beyond a few changes; once it reads again it gets the newest whole picture.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Final

from console.picture.parts import Part
from console.picture.picture import View, encode, plants_in
from dotbus.judging.clock_steps import Moment

WAITING_MOST: Final = 8
"""Changes that wait for a page; one more, and it gets the whole instead."""
RETRY_MS: Final = 1000
"""How soon a browser whose stream broke asks again."""
EACH_ONE_OF: Final = 4
"""Whoever has signed in may have one of so many of all pages open: nobody keeps the others out."""


class TooManyPages(Exception):
    """As many are open as may be, of all or of whoever asks for one more."""


class Stream:
    """What one page is told.

    Args:
        view: what it shows.
        session: of whoever has it open; None where nobody signs in.
        name: who that is.

    Attributes:
        told_as: the view that it was told last. Once that is another, what it was not told before is missing.
        needs_whole: whether it is to get the whole picture next.
    """

    def __init__(self, view: View, session: str | None, name: str) -> None:
        self.view = view
        self.session = session
        self.name = name
        self.told_as: View | None = None
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
        self._at: Moment | None = None
        self._wholes: dict[View, bytes] = {}

    def __len__(self) -> int:
        return len(self._open)

    def tell(self, parts: Mapping[str, Part], changed: Mapping[str, Part | None], at: Moment) -> None:
        """Tell every page what changed; `parts` is the whole."""
        self._parts, self._at = parts, at
        self._wholes.clear()
        plants, encoded = plants_in(parts), dict[View, bytes]()
        for stream in self._open:
            view = stream.view.told(plants)
            stream.needs_whole = stream.needs_whole or view != stream.told_as
            if view not in encoded:
                encoded[view] = _event("changes", at, encode(changed, view, plants))
            stream.push(encoded[view])

    async def follow(self, view: View, session: str | None = None, name: str = "") -> AsyncIterator[bytes]:
        """The events for a page of somebody by this name, until it goes, its session ends, or we do.

        Raises:
            TooManyPages: as many are open as may be.
        """
        of_theirs = sum(stream.name == name for stream in self._open) if session else 0
        if len(self._open) >= self._pages_most or of_theirs >= max(self._pages_most // EACH_ONE_OF, 1):
            raise TooManyPages
        stream = Stream(view, session, name)
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
                    yield self._whole(stream, self._at)
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

    def _whole(self, stream: Stream, at: Moment) -> bytes:
        plants = plants_in(self._parts)
        stream.told_as = view = stream.view.told(plants)
        if view not in self._wholes:
            self._wholes[view] = _event("picture", at, encode(self._parts, view, plants))
        return self._wholes[view]


def _event(kind: str, at: Moment, parts: bytes) -> bytes:
    """As a browser's EventSource reads it; JSON has no line break of its own."""
    head = b'event: %s\ndata: {"at":%.3f,"lasting":%.3f,"parts":' % (kind.encode(), at.wall.timestamp(), at.monotonic_s)
    return b"%s%s}\n\n" % (head, parts)
