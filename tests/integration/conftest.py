"""What several integration tests start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from real_mosquitto import Mosquitto, remove_mosquitto, start_mosquitto
from simulator_client import Keys


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A Mosquitto of this test's own."""
    folder = tmp_path / "broker"
    folder.mkdir()
    broker = start_mosquitto(folder)
    yield broker
    remove_mosquitto(broker)


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """Keys for a simulator and its clients."""
    return Keys.made_in(tmp_path_factory.mktemp("keys"))
