"""Unit: what was written at one unit id, what waits to be confirmed, and what of it still counts. Pure.

Every step is given the state before and gives the one after: nothing of it holds before whoever calls has kept what happened.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from typing import Protocol

from dotbus.contracts.messages import PointValue
from modbus_gateway.map.writable import NoValue, WritablePoint, Writables, read_words
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.writing import Client

Key = tuple[str, str]
"""A resource and a point of it."""


class Result(IntEnum):
    """What became of the last commit, as its register says it. Append only."""

    NOTHING = 0
    TAKEN = 1
    NOTHING_STAGED = 2
    TOO_LATE = 3
    NO_VALUE = 4
    LIMITS = 5
    SEQUENCE = 6
    NOT_KEPT = 7


@dataclass(frozen=True)
class Now:
    """The time: by the wall clock for what is said, and in seconds that never go back for how long something counts."""

    wall: datetime
    seconds: float


@dataclass(frozen=True)
class Taken:
    """A value that was taken. `is_silent`: the watchdog ran out since, so that it counts no more until it is written again."""

    value: PointValue
    at: Now
    client: Client
    is_silent: bool = False


@dataclass(frozen=True)
class Staging:
    """What waits for a commit: by whom, since when at the latest it must come, and the words of each point."""

    client: Client
    until_s: float
    words: Mapping[Key, tuple[WritablePoint, bytes]]


class Named(Protocol):
    """What a write is about, as the bus names it."""

    @property
    def plant(self) -> str:
        """Whose resource it is."""
        ...

    @property
    def resource_id(self) -> str:
        """By CAISO's Master File name."""
        ...

    @property
    def point(self) -> str:
        """The point, or what was commanded."""
        ...

    @property
    def unit(self) -> str | None:
        """Of its values."""
        ...


@dataclass(frozen=True)
class Written:
    """A write that was taken or refused, of one point.

    Attributes:
        is_command: whether it was taken as a command: each of these is told by itself.
        about: what writes have in common besides that may be told together; of a command that was refused all that it says.
    """

    point: Named
    client: Client
    old_value: PointValue
    new_value: PointValue
    refused_by: str | None
    detail: str
    is_command: bool = False
    about: str = ""


@dataclass(frozen=True)
class UnitState:
    """What a unit knows.

    Attributes:
        taken: the last value of each point that has one.
        staging: what waits for a commit; None when nothing does.
        answered: the sequence number that was answered last, 0 before the first.
        outcome: what became of it.
        since: what became since of what has no number of its own: what was staged ended, or a number was none to answer. None
            when nothing did.
        wrong: the point that was the reason.
        heartbeat: the counter that was written last.
        heard_s: when somebody wrote last who may, or the counter went on; None before.
    """

    taken: Mapping[Key, Taken] = field(default_factory=dict)
    staging: Staging | None = None
    answered: int = 0
    outcome: Result = Result.NOTHING
    since: Result | None = None
    wrong: WritablePoint | None = None
    heartbeat: int | None = None
    heard_s: float | None = None

    @property
    def result(self) -> Result:
        """What became of the last commit, or of what was staged since."""
        return self.outcome if self.since is None else self.since

    def value(self, point: WritablePoint) -> PointValue:
        """The last value that was taken of a point, whether or not it counts still."""
        taken = self.taken.get(point.key)
        return taken.value if taken else None


@dataclass(frozen=True)
class Step:
    """What a request comes to.

    Attributes:
        state: the unit afterwards.
        written: what happened, to be kept before the state holds.
        refusal: what the client is told; None when it was taken.
        unkept: the unit afterwards when that cannot be kept.
    """

    state: UnitState
    written: tuple[Written, ...] = ()
    refusal: Refusal | None = None
    unkept: UnitState | None = None


def identity_of(client: Client) -> str:
    """Whom a client is taken for: the holder of a certificate, or whoever writes from an address."""
    return client.subject if client.subject is not None else client.address


def lapse(state: UnitState, of_unit: Writables, now: Now) -> Step:
    """What time alone does: what was staged too long ago is gone, and what a silent SCADA wrote counts no more."""
    written: tuple[Written, ...] = ()
    staging = state.staging
    if staging and now.seconds >= staging.until_s:
        told = "it was staged and not confirmed in time"
        written = tuple(refused(state, point, staging.client, words, "commit", told) for point, words in staging.words.values())
        state = replace(state, staging=None, since=Result.TOO_LATE, wrong=None)
    if is_silent(state, of_unit, now) and not all(taken.is_silent for taken in state.taken.values()):
        state = replace(state, taken={key: replace(taken, is_silent=True) for key, taken in state.taken.items()})
    return Step(state, written)


def refused(state: UnitState, point: WritablePoint, client: Client, words: bytes | None, refused_by: str, why: str) -> Written:
    """A write that was refused. What is no value at all, or not the whole of one, is told as none."""
    value = None if words is None else read_words(words, point.form)
    return Written(point, client, state.value(point), None if isinstance(value, NoValue) else value, refused_by, why)


def is_silent(state: UnitState, of_unit: Writables, now: Now) -> bool:
    """Whether the watchdog of a unit has run out."""
    watchdog_s = next((commit.watchdog_s for commit in of_unit.commits), None)
    return watchdog_s is not None and (state.heard_s is None or now.seconds - state.heard_s > watchdog_s)


def counts(state: UnitState, point: WritablePoint, now: Now) -> bool:
    """Whether the value of a point counts still, of a state that time has been let act on."""
    taken = state.taken.get(point.key)
    if taken is None or taken.is_silent:
        return False
    return point.expires_after_s is None or now.seconds - taken.at.seconds <= point.expires_after_s
