"""What several tests of ads_ingest start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from ads_bench import Bench


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.outbox.close()
