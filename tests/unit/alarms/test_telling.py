"""Who is told of alarms: each event once and in order, from where he was told last, whoever was away or killed meanwhile."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from alarms.out.sending import Away, WillNeverBeTaken
from alarms.out.telling import Telling
from dotbus.contracts.alarms import AlarmPriority, AlarmState
from dotbus.runtime.installation.alarm_receivers import AlarmReceiver
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.testing import samples

AT = datetime(2026, 10, 13, 14, 0, tzinfo=UTC)


class Way:
    """A way out that takes what it is given, or fails as it is told."""

    def __init__(self, takes_most: int = 1) -> None:
        self.takes_most = takes_most
        self.taken: list[list[str]] = []
        self.fails: list[Exception] = []
        self.keeps_back_s = 0.0

    def wait_s(self, _events, _now_s: float) -> float:
        return self.keeps_back_s

    def send(self, events, _now: datetime) -> None:
        if self.fails:
            raise self.fails.pop(0)
        self.taken.append([one.id for one in events])

    def sent(self, _events, _now_s: float) -> None:
        pass


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = AT
        self.counted: list[tuple[str, int]] = []
        self.open()

    def open(self) -> None:
        self.outbox = Outbox(self.folder / "outbox.sqlite", max_age_s=14 * 86_400, max_bytes=10**8)

    def happens(self, *ids: str, **more) -> None:
        plain = {"what": "raised", "state": AlarmState.UNACKNOWLEDGED, "changed_at": self.now}
        events = [msgspec.structs.replace(samples.alarm_changed(), id=one, **(plain | more)) for one in ids]
        self.outbox.commit(self.now, events=[("t", one) for one in events])

    def telling(self, way: Way, name: str = "r", **receiver) -> Telling:
        it = AlarmReceiver(name=name, **receiver)
        counted = lambda outcome, count: self.counted.append((outcome, count))  # noqa: E731
        return Telling(name, it, way, self.outbox, counted=counted, clock=lambda: self.now, monotonic_s=lambda: 0.0)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.outbox.close()


def turns(telling: Telling, times: int = 20) -> None:
    for _ in range(times):
        telling.turn()


def test_each_event_is_told_once_and_in_order(world: World):
    way = Way()
    telling = world.telling(way)
    world.happens("a", "b")
    turns(telling)
    world.happens("c")
    turns(telling)
    assert way.taken == [["a"], ["b"], ["c"]]


def test_who_is_new_is_told_what_happens_from_now_on(world: World):
    world.happens("before")
    way = Way()
    telling = world.telling(way)
    world.happens("after")
    turns(telling)
    assert way.taken == [["after"]]


def test_what_happened_while_the_server_was_away_is_told_once_it_is_back(world: World):
    way = Way(takes_most=100)
    way.fails = [Away("nobody listens")] * 3
    telling = world.telling(way)
    world.happens("a")
    first, second = telling.turn(), telling.turn()
    assert second > first > 0, "the pauses grow"
    assert telling.failing == "nobody listens"
    world.happens("b")
    turns(telling)
    assert (way.taken, telling.failing) == ([["a", "b"]], None)


def test_a_process_that_is_killed_goes_on_where_it_was(world: World):
    way = Way()
    telling = world.telling(way)
    world.happens("a", "b")
    telling.turn()
    world.outbox.close()
    world.open()
    turns(world.telling(way))
    assert way.taken == [["a"], ["b"]]


def test_what_is_refused_for_ever_is_passed_over_and_counted(world: World):
    way = Way()
    way.fails = [WillNeverBeTaken("too odd")]
    telling = world.telling(way)
    world.happens("odd", "good")
    turns(telling)
    assert way.taken == [["good"]]
    assert world.counted == [("refused", 1), ("told", 1)]


def test_one_who_is_away_holds_up_nobody(world: World):
    away, good = Way(), Way()
    away.fails = [Away("gone")] * 100
    of_away, of_good = world.telling(away, "away"), world.telling(good, "good")
    world.happens("a")
    turns(of_away)
    turns(of_good)
    assert (away.taken, good.taken) == ([], [["a"]])


@pytest.mark.parametrize(
    ("receiver", "told"),
    [
        ({}, ["critical", "high", "elsewhere", "unshelved"]),
        ({"priorities": ["critical"]}, ["critical", "elsewhere", "unshelved"]),
        ({"plants": ["sierra"]}, ["critical", "high", "unshelved"]),
        ({"tell": ["returned"]}, ["over"]),
        ({"tell": ["raised", "acknowledged"]}, ["critical", "high", "elsewhere", "seen", "unshelved"]),
    ],
)
def test_each_is_told_of_what_he_asked_for_and_what_leaves_the_shelf_and_holds_was_raised(world: World, receiver, told):
    way = Way()
    telling = world.telling(way, **receiver)
    world.happens("critical")
    world.happens("high", priority=AlarmPriority.HIGH)
    world.happens("elsewhere", plant="delta")
    world.happens("over", what="returned", state=AlarmState.RETURNED)
    world.happens("seen", what="acknowledged", state=AlarmState.ACKNOWLEDGED)
    world.happens("unshelved", what="shelved-over")
    turns(telling)
    assert [one for (one,) in way.taken] == told


def test_what_grew_too_old_is_told_no_more_and_counted_once(world: World):
    way = Way()
    telling = world.telling(way)
    world.happens("old")
    way.fails = [Away("gone")]
    telling.turn()
    world.now += timedelta(hours=25)
    world.happens("new")
    turns(telling)
    assert way.taken == [["new"]]
    assert world.counted == [("too-old", 1), ("told", 1)]


def test_what_the_outbox_numbers_anew_is_not_told_again(world: World):
    """A broker had later events than this file: what it never acknowledged gets other numbers."""
    way = Way()
    telling = world.telling(way)
    world.happens("a", "b")
    turns(telling)
    world.outbox.begin_stream()
    world.happens("c")
    turns(telling)
    assert way.taken == [["a"], ["b"], ["c"]]


def test_a_disk_that_takes_nothing_has_nothing_told_twice(world: World, monkeypatch: pytest.MonkeyPatch):
    way = Way()
    telling = world.telling(way)
    world.happens("a")

    def full(*_arguments: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(world.outbox, "keep_note", full)
    turns(telling)
    assert way.taken == [["a"]]


def test_what_is_kept_back_goes_together(world: World):
    way = Way(takes_most=1000)
    way.keeps_back_s = 9.0
    telling = world.telling(way)
    world.happens("a")
    assert telling.turn() == 9.0
    world.happens("b")
    way.keeps_back_s = 0.0
    turns(telling)
    assert way.taken == [["a", "b"]]
