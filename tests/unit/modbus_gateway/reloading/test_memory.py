"""What is here to stay is made undisturbed, and Python collects again as soon as it is, whatever became of it."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from modbus_gateway.reloading.memory import undisturbed


class Circle:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_nothing_is_collected_meanwhile_and_what_was_made_is_never_looked_through_again():
    before = gc.get_freeze_count()
    with undisturbed():
        assert not gc.isenabled()
        kept = [[] for _ in range(1000)]
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(kept)


def test_what_fails_leaves_the_collector_at_work():
    with pytest.raises(ValueError, match="refused"), undisturbed():
        raise ValueError("refused")
    assert gc.isenabled()


def test_what_is_let_go_of_while_nobody_is_served_yet_does_not_stay():
    gone = []
    for tidies in (True, False):
        with undisturbed(tidies=tidies):
            circle = Circle()
            seen = weakref.ref(circle)
            del circle
        gone.append(seen() is None)
    assert gone == [True, False]
