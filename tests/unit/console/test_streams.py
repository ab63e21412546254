"""What an open page is told: the whole first, then changes, and never more than it takes."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from gateway_story import at

from console.picture.parts import ShownConsole
from console.picture.picture import View
from console.web.streams import WAITING_MOST, Streams, TooManyPages


def console(*plants: str) -> ShownConsole:
    return ShownConsole(hears_broker=True, environment="simulator", plants=plants, version="1")


def read(event: bytes) -> tuple[str, Any]:
    kind, data = event.decode().strip().split("\n")
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def begun(streams: Streams, session: str | None = None) -> AsyncIterator[bytes]:
    events = streams.follow(View(), session)
    assert (await anext(events)).startswith(b"retry: ")
    return events


def test_the_whole_comes_first_then_what_changed_be_it_nothing():
    async def story() -> None:
        streams, parts = Streams(1), {"console": console("a")}
        streams.tell(parts, parts, at(0))
        events = await begun(streams)
        kind, told = read(await anext(events))
        assert (kind, told["at"], told["parts"]["console"]["plants"]) == ("picture", at(0).timestamp(), ["a"])
        streams.tell(parts, {}, at(1))
        assert read(await anext(events)) == ("changes", {"at": at(1).timestamp(), "parts": {}})
        streams.tell(parts, {"gone": None}, at(2))
        assert read(await anext(events))[1]["parts"] == {"gone": None}

    asyncio.run(story())


def test_who_does_not_read_gets_the_newest_whole_and_nothing_older():
    async def story() -> None:
        streams = Streams(1)
        streams.tell({"console": console()}, {}, at(0))
        events = await begun(streams)
        await anext(events)
        for second in range(1, 1000):
            streams.tell({"console": console(str(second))}, {"console": console(str(second))}, at(second))
        (stream,) = streams._open
        assert len(stream._waiting) <= WAITING_MOST
        kind, told = read(await anext(events))
        assert (kind, told["parts"]["console"]["plants"]) == ("picture", ["999"])
        streams.tell({}, {}, at(1000))
        assert read(await anext(events))[0] == "changes"

    asyncio.run(story())


def test_one_page_too_many_is_refused_and_one_that_went_leaves_its_place():
    async def story() -> None:
        streams = Streams(1)
        events = await begun(streams)
        with pytest.raises(TooManyPages):
            await begun(streams)
        await events.aclose()  # type: ignore[attr-defined]
        await begun(streams)

    asyncio.run(story())


def test_at_the_end_every_stream_ends():
    async def story() -> None:
        streams = Streams(1)
        streams.tell({}, {}, at(0))
        events = await begun(streams)
        await anext(events)
        streams.end()
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        assert len(streams) == 0

    asyncio.run(story())


def test_with_a_session_its_streams_end_and_no_others():
    async def story() -> None:
        streams = Streams(3)
        streams.tell({}, {}, at(0))
        ended, others = await begun(streams, "one"), await begun(streams, "other")
        await anext(ended), await anext(others)
        assert streams.sessions == {"one", "other"}
        streams.tell({}, {}, at(1))  # already on its way to both
        streams.end_of("one")
        with pytest.raises(StopAsyncIteration):
            await anext(ended)
        assert read(await anext(others))[0] == "changes"
        assert streams.sessions == {"other"}

    asyncio.run(story())
