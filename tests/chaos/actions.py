"""Actions: what happens to the installation, each for a while. At their end nothing of them is left but what they broke."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from chaos.hostile import Hostile
from chaos.stack import SERVICES, VOLUME, Stack

SOURCES = ("ads_ingest", "lmp_ingest", VOLUME)
CLOCK_STEPS_S = (-40.0, -3.0, 3.0, 40.0)


@dataclass(frozen=True)
class Action:
    """Something that happens.

    Attributes:
        name: as it is listed.
        target: what it happens to; no two of one target happen at once.
        kills: whether something is ended by it.
        force: makes it happen, until its end.
    """

    name: str
    target: str
    kills: bool
    force: Callable[[Stack, random.Random], AbstractContextManager[None]]


def actions(stack: Stack, hostile: Hostile) -> list[Action]:
    """All that can happen to this stack."""
    found = [*_of_broker(), *_of_database(stack)]
    for name in (*SERVICES, VOLUME):
        found += [
            Action(f"kill {name}", name, True, _killed(name)),
            Action(f"end {name}", name, True, _ended(name)),
            Action(f"freeze {name}", name, False, _frozen(name)),
            Action(f"cut {name}", name, False, _cut(name)),
            Action(f"clock {name}", name, False, _clock_stepped(name)),
        ]
    for name in SOURCES:
        found.append(Action(f"disk full {name}", name, False, _disk_full(name)))
        found.append(Action(f"restore {name}", name, True, _restored(name)))
    found += [Action(f"hostile {name}", "hostile", False, _said(say)) for name, say in hostile.sayings.items()]
    return found


WEIGHTS = {"kill": 5.0, "end": 2.0, "freeze": 1.5, "cut": 1.0, "clock": 0.7, "disk": 1.0, "restore": 0.7, "hostile": 0.6}
"""How often each kind comes, beside the others; the broker's and the database's count as others of their kind."""
MOST_HIT = ("broker", "postgres")
HIT_TIMES = 2.0


def weight_of(action: Action) -> float:
    """How often an action comes."""
    kind = "kill" if action.name.startswith("wipe") else action.name.split()[0]
    return WEIGHTS[kind] * (HIT_TIMES if action.target in MOST_HIT else 1.0)


def _killed(name: str):
    @contextmanager
    def force(stack: Stack, _chance: random.Random) -> Iterator[None]:
        stack.parts[name].kill()
        yield
        stack.parts[name].start()

    return force


def _ended(name: str):
    @contextmanager
    def force(stack: Stack, _chance: random.Random) -> Iterator[None]:
        stack.parts[name].end()
        yield
        stack.parts[name].start()

    return force


def _frozen(name: str):
    @contextmanager
    def force(stack: Stack, _chance: random.Random) -> Iterator[None]:
        stack.parts[name].freeze()
        try:
            yield
        finally:
            stack.parts[name].resume()

    return force


def _cut(name: str):
    """Its connections break, and again until the end."""

    @contextmanager
    def force(stack: Stack, chance: random.Random) -> Iterator[None]:
        part = stack.parts[name]
        proxies = [part.to_broker, *([part.to_database] if part.to_database else [])]
        chosen = chance.choice(proxies)
        for_good = chance.random() < 0.5
        if for_good:
            chosen.close()
        else:
            chosen.cut()
        try:
            yield
        finally:
            if for_good:
                chosen.open()

    return force


def _clock_stepped(name: str):
    @contextmanager
    def force(stack: Stack, chance: random.Random) -> Iterator[None]:
        stack.parts[name].set_clock(chance.choice(CLOCK_STEPS_S))
        try:
            yield
        finally:
            stack.parts[name].set_clock(0)

    return force


def _disk_full(name: str):
    @contextmanager
    def force(stack: Stack, _chance: random.Random) -> Iterator[None]:
        stack.parts[name].fill_disk()
        try:
            yield
        finally:
            stack.parts[name].free_disk()

    return force


def _restored(name: str):
    """Its outbox is replaced by an older copy; the first time the copy is made."""

    @contextmanager
    def force(stack: Stack, _chance: random.Random) -> Iterator[None]:
        part = stack.parts[name]
        part.kill()
        if part.has_copy:
            part.restore()
        else:
            part.back_up()
        yield
        part.start()

    return force


def _said(say: Callable[[], None]):
    @contextmanager
    def force(_stack: Stack, _chance: random.Random) -> Iterator[None]:
        say()
        yield

    return force


@contextmanager
def _broker_killed(stack: Stack, _chance: random.Random) -> Iterator[None]:
    stack.broker.kill()
    try:
        yield
    finally:
        stack.broker.start()


@contextmanager
def _broker_ended(stack: Stack, _chance: random.Random) -> Iterator[None]:
    stack.broker.stop()
    try:
        yield
    finally:
        stack.broker.start()


@contextmanager
def _broker_wiped(stack: Stack, _chance: random.Random) -> Iterator[None]:
    stack.broker.kill()
    try:
        yield
    finally:
        stack.replace_broker()


@contextmanager
def _broker_frozen(stack: Stack, _chance: random.Random) -> Iterator[None]:
    stack.broker.pause()
    try:
        yield
    finally:
        stack.broker.resume()


def _of_broker() -> list[Action]:
    return [
        Action("kill broker", "broker", True, _broker_killed),
        Action("end broker", "broker", True, _broker_ended),
        Action("wipe broker", "broker", True, _broker_wiped),
        Action("freeze broker", "broker", False, _broker_frozen),
    ]


@contextmanager
def _database_killed(stack: Stack, _chance: random.Random) -> Iterator[None]:
    stack.postgres.kill()
    try:
        yield
    finally:
        stack.postgres.start()


@contextmanager
def _database_ended(stack: Stack, _chance: random.Random) -> Iterator[None]:
    stack.postgres.stop()
    try:
        yield
    finally:
        stack.postgres.start()


@contextmanager
def _database_frozen(stack: Stack, _chance: random.Random) -> Iterator[None]:
    stack.postgres.pause()
    try:
        yield
    finally:
        stack.postgres.resume()


@contextmanager
def _database_full(stack: Stack, _chance: random.Random) -> Iterator[None]:
    """It may end by itself of it, as PostgreSQL does when it cannot write its log."""
    stack.postgres.fill_disk()
    try:
        yield
    finally:
        stack.postgres.free_disk()
        stack.postgres.start()


def _of_database(stack: Stack) -> list[Action]:
    found = [
        Action("kill postgres", "postgres", True, _database_killed),
        Action("end postgres", "postgres", True, _database_ended),
        Action("freeze postgres", "postgres", False, _database_frozen),
    ]
    return found + [Action("disk full postgres", "postgres", False, _database_full)] * stack.postgres.can_fill
