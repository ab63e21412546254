"""What every message has: who says it, when, of which CAISO; and what events, states and commands have besides."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal

import msgspec

VERSION: Final = 1
"""The major version of every message. Fields may be added within it; none is removed or changes its meaning."""
MAX_SEQ: Final = 2**63 - 1
"""The highest sequence number: what a signed 64-bit column holds."""

Utc = Annotated[datetime, msgspec.Meta(tz=True)]
Seq = Annotated[int, msgspec.Meta(ge=1, le=MAX_SEQ)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_SEQ)]
Int32 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
"""An xsd:int of CAISO's, and what a database keeps it in."""
NonEmpty = Annotated[str, msgspec.Meta(min_length=1)]
Extra = dict[str, str]
"""Elements that this version does not know, by CAISO's name, as text."""


class Environment(StrEnum):
    """Which CAISO spoke. A gateway drives a plant only from the environments that it was told to accept."""

    PRODUCTION = "production"
    STAGE = "stage"
    SIMULATOR = "simulator"


class Message(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind", gc=False):
    """What every message says.

    Attributes:
        kind: which message it is.
        version: the major version of the contract. Fields are added within it, none is removed or changes its meaning.
        environment: which CAISO is spoken of.
        source: SERVICE/INSTANCE of the sender.
        time: when the sender made the message.
    """

    version: Literal[1] = VERSION
    environment: Environment
    source: str
    time: Utc


class Event(Message, frozen=True, kw_only=True):
    """Something that happened: appended, never retained.

    The outbox gives `stream` and `seq`; an event that has none yet cannot be decoded, so it cannot be published by mistake.

    Attributes:
        id: stable: the same fact has the same id however often it is sent.
        stream: one outbox of the source. An outbox that had to be made anew, or was restored, begins another.
        seq: counts from 1 without gaps within `stream`, over everything that the source publishes.
    """

    id: str
    stream: NonEmpty = ""
    seq: Seq = 0


class State(Message, frozen=True, kw_only=True):
    """The last word on one thing: retained."""


class CaisoState(State, frozen=True, kw_only=True):
    """A state of what CAISO said, with what a subscriber needs to judge it by itself: docs/quality.md has the rule.

    A source of before `valid_until` and `reasons` says neither.

    Attributes:
        heard_at: when CAISO was last asked, and answered, the question that this state is the answer to, of several the one
            that was asked the longest ago.
        valid_until: until when the source vouches for it. As long as it hears CAISO it says the state again before, so whoever
            still holds it then has missed something, or the source has.
        reasons: what the source itself knows against it, by the names of docs/quality.md. The value is never better than they
            say, and a name that a reader does not know counts as `incomplete`.
    """

    heard_at: Utc
    valid_until: Utc | None = None
    reasons: tuple[NonEmpty, ...] = ()


class Command(Message, frozen=True, kw_only=True):
    """A request to a service, or its reply: neither retained nor kept."""
