"""Actions: what happens to the installation, each for a while. At their end nothing of them is left but what they broke."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from chaos.hostile import Hostile
from chaos.parts import Part
from chaos.stack import SERVICES, VOLUME, Stack

SOURCES = ("ads_ingest", "lmp_ingest", VOLUME)
BROKER, POSTGRES = "broker", "postgres"
CLOCK_STEPS_S = (-40.0, -3.0, 3.0, 40.0)
FOR_GOOD_CHANCE = 0.5
ENDING = ("kill", "end", "wipe", "restore")
WEIGHTS = {
    "kill": 5.0,
    "end": 2.0,
    "wipe": 4.0,
    "freeze": 1.5,
    "cut": 1.0,
    "clock": 0.7,
    "fill": 1.0,
    "restore": 0.7,
    "hostile": 0.6,
}
"""How often each kind comes, beside the others."""
SHARED_TIMES = 2.0
"""So many times as often it is the broker or the database, which all others need."""

Force = Callable[[Stack, random.Random], AbstractContextManager[None]]


@dataclass(frozen=True)
class Action:
    """Something that happens.

    Attributes:
        kind: what.
        target: what it happens to; no two of one target happen at once.
        detail: which of several.
        force: makes it happen, until its end.
    """

    kind: str
    target: str
    force: Force
    detail: str = ""

    @property
    def name(self) -> str:
        """As it is listed."""
        return " ".join(filter(None, (self.kind, self.target, self.detail)))

    @property
    def kills(self) -> bool:
        """Whether something is ended by it."""
        return self.kind in ENDING

    @property
    def weight(self) -> float:
        """How often it comes, beside the others."""
        return WEIGHTS[self.kind] * (SHARED_TIMES if self.target in (BROKER, POSTGRES) else 1.0)


def actions(stack: Stack, hostile: Hostile) -> list[Action]:
    """All that can happen to this stack."""
    of_parts = [Action(kind, name, _of_part(name, force)) for name in (*SERVICES, VOLUME) for kind, force in PART.items()]
    of_sources = [Action(kind, name, _of_part(name, force)) for name in SOURCES for kind, force in SOURCE.items()]
    of_broker = [Action(kind, BROKER, force) for kind, force in BROKER_FORCES.items()]
    of_database = [
        Action(kind, POSTGRES, force) for kind, force in POSTGRES_FORCES.items() if kind != "fill" or stack.postgres.can_fill
    ]
    said = [Action("hostile", "hostile", _said(say), name) for name, say in hostile.sayings.items()]
    return [*of_parts, *of_sources, *of_broker, *of_database, *said]


PartForce = Callable[[Part, random.Random], AbstractContextManager[None]]


def _of_part(name: str, force: PartForce) -> Force:
    return lambda stack, chance: force(stack.parts[name], chance)


@contextmanager
def _killed(part: Part, _chance: random.Random) -> Iterator[None]:
    part.kill()
    yield
    part.start()


@contextmanager
def _ended(part: Part, _chance: random.Random) -> Iterator[None]:
    part.end()
    yield
    part.start()


@contextmanager
def _frozen(part: Part, _chance: random.Random) -> Iterator[None]:
    part.freeze()
    try:
        yield
    finally:
        part.resume()


@contextmanager
def _cut(part: Part, chance: random.Random) -> Iterator[None]:
    """Its connections to the broker or the database break; it may make new ones at once, or not before the end."""
    chosen = chance.choice([part.to_broker, *([part.to_database] if part.to_database else [])])
    if chance.random() >= FOR_GOOD_CHANCE:
        chosen.cut()
        yield
        return
    chosen.close()
    try:
        yield
    finally:
        chosen.open()


@contextmanager
def _clock_stepped(part: Part, chance: random.Random) -> Iterator[None]:
    part.set_clock(chance.choice(CLOCK_STEPS_S))
    try:
        yield
    finally:
        part.set_clock(0)


@contextmanager
def _disk_full(part: Part, _chance: random.Random) -> Iterator[None]:
    part.fill_disk()
    try:
        yield
    finally:
        part.free_disk()


@contextmanager
def _restored(part: Part, _chance: random.Random) -> Iterator[None]:
    """Its outbox is replaced by an older copy; the first time the copy is made."""
    part.kill()
    if part.has_copy:
        part.restore()
    else:
        part.back_up()
    yield
    part.start()


PART: dict[str, PartForce] = {
    "kill": _killed,
    "end": _ended,
    "freeze": _frozen,
    "cut": _cut,
    "clock": _clock_stepped,
}
SOURCE: dict[str, PartForce] = {"fill": _disk_full, "restore": _restored}


def _said(say: Callable[[], None]) -> Force:
    @contextmanager
    def force(_stack: Stack, _chance: random.Random) -> Iterator[None]:
        say()
        yield

    return force


def _between(begin: Callable[[Stack], None], end: Callable[[Stack], None]) -> Force:
    @contextmanager
    def force(stack: Stack, _chance: random.Random) -> Iterator[None]:
        begin(stack)
        try:
            yield
        finally:
            end(stack)

    return force


def _make_room(stack: Stack) -> None:
    """It may have ended by itself, as PostgreSQL does when it cannot write its log."""
    stack.postgres.free_disk()
    stack.postgres.start()


BROKER_FORCES: dict[str, Force] = {
    "kill": _between(lambda stack: stack.broker.kill(), lambda stack: stack.broker.start()),
    "end": _between(lambda stack: stack.broker.stop(), lambda stack: stack.broker.start()),
    "wipe": _between(lambda stack: stack.broker.kill(), lambda stack: stack.replace_broker()),
    "freeze": _between(lambda stack: stack.broker.pause(), lambda stack: stack.broker.resume()),
}
POSTGRES_FORCES: dict[str, Force] = {
    "kill": _between(lambda stack: stack.postgres.kill(), lambda stack: stack.postgres.start()),
    "end": _between(lambda stack: stack.postgres.stop(), lambda stack: stack.postgres.start()),
    "freeze": _between(lambda stack: stack.postgres.pause(), lambda stack: stack.postgres.resume()),
    "fill": _between(lambda stack: stack.postgres.fill_disk(), _make_room),
}
