"""People: who asks, what they may do and see. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol


class Role(StrEnum):
    """What somebody may do: a viewer looks; an operator answers instructions and alarms, too; an engineer all of that."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"


MAY_OPERATE: Final = frozenset({Role.OPERATOR, Role.ENGINEER})


@dataclass(frozen=True)
class Person:
    """Somebody, by the name that others are told.

    Attributes:
        plant: the only one that they may see, or do anything to; None when it is all.
    """

    name: str
    role: Role
    plant: str | None = None

    @property
    def may_operate(self) -> bool:
        """Whether they may answer instructions, and acknowledge and shelve alarms."""
        return self.role in MAY_OPERATE

    def may_see(self, plant: str) -> bool:
        """Whether what is this plant's is for them. What is not is answered like what does not exist."""
        return self.plant is None or self.plant == plant


@dataclass(frozen=True)
class Asking:
    """What is known of who asks.

    Attributes:
        address: of the network.
        headers: of the request, by names in small letters.
        token: of the session that they say is theirs.
    """

    address: str
    headers: Mapping[str, str]
    token: str | None = None


@dataclass(frozen=True)
class Visit:
    """Somebody who is known.

    Attributes:
        csrf: what whoever changes something must say: only a page of ours can have read it.
        session: by this name its streams are ended with it; None where nobody signs in.
    """

    person: Person
    csrf: str
    session: str | None = None


class Access(Protocol):
    """Knows people by what they send.

    Attributes:
        signs_in: whether they can prove who they are; what nobody may see is then answered by asking them to.
    """

    @property
    def signs_in(self) -> bool:
        """See above."""
        ...

    def who(self, asking: Asking) -> Visit | None:
        """Who asks; None when nobody who may see anything."""
        ...
