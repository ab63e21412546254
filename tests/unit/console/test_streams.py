"""What an open page is told: the whole first, then changes, and never more than it takes."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from gateway_story import at

from console.picture.parts import ShownConsole
from console.picture.picture import View
from console.web import streams as streams_module
from console.web.streams import EACH_ONE_OF, WAITING_MOST, Streams, TooManyPages
from dotbus.judging.clock_steps import Moment

ALL = View()


def moment(now_s: float) -> Moment:
    return Moment(at(now_s), 1000.0 + now_s)


def console(*plants: str) -> ShownConsole:
    return ShownConsole(hears_broker=True, environment="simulator", plants=plants, version="1")


def read(event: bytes) -> tuple[str, Any]:
    kind, data = event.decode().strip().split("\n")
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def begun(streams: Streams, session: str | None = None, name: str = "", view: View = ALL) -> AsyncIterator[bytes]:
    events = streams.follow(view, session, name)
    assert (await anext(events)).startswith(b"retry: ")
    return events


def test_the_whole_comes_first_then_what_changed_be_it_nothing():
    async def story() -> None:
        streams, parts = Streams(1), {"console": console("a")}
        streams.tell(parts, parts, moment(0))
        events = await begun(streams)
        kind, told = read(await anext(events))
        assert (kind, told["at"], told["parts"]["console"]["plants"]) == ("picture", at(0).timestamp(), ["a"])
        streams.tell(parts, {}, moment(1))
        assert read(await anext(events)) == ("changes", {"at": at(1).timestamp(), "lasting": 1001.0, "parts": {}})
        streams.tell(parts, {"gone": None}, moment(2))
        assert read(await anext(events))[1]["parts"] == {"gone": None}

    asyncio.run(story())


def test_who_does_not_read_gets_the_newest_whole_and_nothing_older():
    async def story() -> None:
        streams = Streams(1)
        streams.tell({"console": console()}, {}, moment(0))
        events = await begun(streams)
        await anext(events)
        for second in range(1, 1000):
            streams.tell({"console": console(str(second))}, {"console": console(str(second))}, moment(second))
        (stream,) = streams._open
        assert len(stream._waiting) <= WAITING_MOST
        kind, told = read(await anext(events))
        assert (kind, told["parts"]["console"]["plants"]) == ("picture", ["999"])
        streams.tell({}, {}, moment(1000))
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
        streams.tell({}, {}, moment(0))
        events = await begun(streams)
        await anext(events)
        streams.end()
        with pytest.raises(StopAsyncIteration):
            await anext(events)
        assert len(streams) == 0

    asyncio.run(story())


def test_with_a_session_its_streams_end_and_no_others():
    async def story() -> None:
        streams = Streams(3 * EACH_ONE_OF)
        streams.tell({}, {}, moment(0))
        ended, others = await begun(streams, "one"), await begun(streams, "other")
        await anext(ended), await anext(others)
        assert streams.sessions == {"one", "other"}
        streams.tell({}, {}, moment(1))  # already on its way to both
        streams.end_of("one")
        with pytest.raises(StopAsyncIteration):
            await anext(ended)
        assert read(await anext(others))[0] == "changes"
        assert streams.sessions == {"other"}

    asyncio.run(story())


def test_who_has_signed_in_keeps_nobody_out_however_often_they_do():
    async def story() -> None:
        streams = Streams(2 * EACH_ONE_OF)
        of_anna = [await begun(streams, session, "anna") for session in ("one", "other")]
        with pytest.raises(TooManyPages):
            await begun(streams, "a third", "anna")
        await begun(streams, "hers", "eve")
        await of_anna[0].aclose()  # type: ignore[attr-defined]
        await begun(streams, "a third", "anna")

    asyncio.run(story())


def test_pages_of_plants_that_there_are_not_are_told_one_thing_made_once(monkeypatch: pytest.MonkeyPatch):
    made: list[View] = []
    encode = streams_module.encode
    monkeypatch.setattr(streams_module, "encode", lambda parts, view, plants: made.append(view) or encode(parts, view, plants))

    async def story() -> None:
        streams, parts = Streams(100), {"console": console("a")}
        streams.tell(parts, parts, moment(0))
        pages = [await begun(streams, view=View(name)) for name in ("a", *(f"made up {number}" for number in range(50)))]
        for one in pages:
            await anext(one)
        assert len(made) == 2
        streams.tell(parts, {}, moment(1))
        assert len(made) == 4

    asyncio.run(story())


def test_whoever_may_see_one_plant_alone_is_told_no_other_name_where_theirs_is_gone():
    async def story() -> None:
        streams, parts = Streams(1), {"console": console("a")}
        streams.tell(parts, parts, moment(0))
        events = await begun(streams, view=View("gone", is_alone=True))
        assert read(await anext(events))[1]["parts"]["console"]["plants"] == ["gone"]

    asyncio.run(story())


def test_a_page_that_was_opened_before_its_plant_was_known_gets_the_whole_once_it_is():
    async def story() -> None:
        streams, before, after = Streams(1), {"console": console("a")}, {"console": console("a", "new")}
        streams.tell(before, before, moment(0))
        events = await begun(streams, view=View("new"))
        assert read(await anext(events))[0] == "picture"
        streams.tell(before, {}, moment(1))
        assert read(await anext(events))[0] == "changes"
        streams.tell(after, after, moment(2))
        assert read(await anext(events))[0] == "picture"

    asyncio.run(story())
