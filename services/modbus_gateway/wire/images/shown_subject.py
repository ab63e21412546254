"""A shown subject: one thing that registers speak of, in every unit that shows it, and whether what they say is true still."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from dotbus.judging.clock_steps import Moment
from dotbus.readings.reading import Read
from modbus_gateway.state.source_watch import Question
from modbus_gateway.values.readings import counts_for_plant
from modbus_gateway.values.subjects import Subject
from modbus_gateway.wire.images.place import Place

RESTLESS: Final = timedelta(seconds=0.5)
"""How often what may change at any moment is read anew though nobody asks."""


class ShownSubject:
    """A subject and its places.

    Args:
        number: by which others speak of it.
        about: the subject.
        upstreams: what the sources hear of these bears on it.
        questions: the answers to these are shown of it.

    Attributes:
        places: where it is shown, one in each unit.
        stale_times_s: those that cells about it have of their own.
        plants: the numbers of the plants, and of resources with their prices, that are made of it.
        resources: of a plant, the places of its resources in its unit.
        prices: of a plant, those of their prices.
        instructions: of a resource with its price, that of its instructions.
        waits_for: of a plant, the numbers of those of them that are outdated.
        restless: of a plant, the numbers of those of them that are restless.
        is_restless: whether it may change at any moment, so that nothing less than reading it anew tells.
        last_read: what was read of it last; None before anything was.
        good_until: when what is shown ceased to be true; None while it is true.
    """

    def __init__(self, number: int, about: Subject, upstreams: Collection[str], questions: Collection[Question]) -> None:
        self.number = number
        self.about = about
        self.upstreams = frozenset(upstreams)
        self.questions = frozenset(questions)
        self.places: list[Place] = []
        self.stale_times_s: frozenset[float] = frozenset()
        self.plants: list[int] = []
        self.resources: list[Place] = []
        self.prices: list[Place] = []
        self.instructions: list[Place] = []
        self.waits_for: dict[int, None] = {}
        self.restless: dict[int, None] = {}
        self.is_restless = False
        self.last_read: Read | None = None
        self.good_until: Moment | None = None

    def write(self, read: Read, now: Moment) -> datetime | None:
        """Write what was read now into all places; it is true from here on. Returns when time alone next changes it."""
        good_until, self.good_until, self.last_read = self.good_until or now, None, read
        turns = [read.turns_at, *[place.write(read, good_until, now) for place in self.places]]
        self.is_restless = read.is_restless or any(place.is_restless() for place in self.places)
        if self.is_restless:
            turns.append(now.wall + RESTLESS)
        return min((at for at in turns if at), default=None)

    def needs(self, *, is_old: bool) -> bool:
        """Whether it is to be written anew before it is shown, be what it shows too old for what may change at any moment."""
        return self.good_until is not None or bool(self.waits_for) or (is_old and (self.is_restless or bool(self.restless)))

    def counts(self) -> object:
        """What its plants show of it."""
        return [counts_for_plant(place.shown) for place in self.places if place.shown] if self.plants else None
