"""Stories of the loop, closed when their test is over."""

from pathlib import Path

import pytest
from oasis_story import Story

from caiso.oasis import Market


@pytest.fixture
def story(tmp_path: Path):
    stories: list[Story] = []

    def begin(markets: tuple[Market, ...] = (Market.RTM,), nodes: tuple[str, ...] = ("N1",), **settings: object) -> Story:
        stories.append(Story(tmp_path, markets, nodes, **settings))
        return stories[-1]

    yield begin
    for one in stories:
        one.outbox.close()
