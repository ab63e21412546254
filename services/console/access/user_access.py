"""User access: people sign in with a name and a password, and are known by a session from then on."""

import asyncio
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from console.access.failed_tries import FailedTries
from console.access.passwords import hash_password, is_password_of
from console.access.people import Asking, Person, Visit
from console.access.sessions import Sessions, key_of
from console.access.users import NAME_MOST, UsersFile

AT_ONCE: Final = 2
"""Passwords that are looked at: each takes 64 MiB."""
WAITING_MOST: Final = 40
BUSY_S: Final = 5.0


@dataclass(frozen=True)
class SignedIn:
    """Who they are, and the token of their session."""

    person: Person
    token: str


@dataclass(frozen=True)
class NotSignedIn:
    """Nothing is told of why, so that nobody learns who is a user.

    Attributes:
        wait_s: how long no other try is taken; 0 when this one was.
        is_user: whether there is one of the name, for our own log alone.
    """

    wait_s: float
    is_user: bool


@dataclass
class UserAccess:
    """Knows the users of a file by their sessions.

    Args:
        file: of the users.
        sessions: of those who have signed in.
        now_s: a clock that nobody sets, seconds.
    """

    file: UsersFile
    sessions: Sessions
    now_s: Callable[[], float]
    failed: FailedTries = field(default_factory=FailedTries)
    signs_in: bool = field(default=True, init=False)

    def __post_init__(self) -> None:
        """Make a password that nobody has: to look at it takes as long as at a user's."""
        self._nobodys = hash_password(secrets.token_urlsafe(32))
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    def who(self, asking: Asking) -> Visit | None:
        """See `Access`."""
        found = self.sessions.find(asking.token, self.now_s()) if asking.token else None
        if found is None:
            return None
        key, session = found
        return Visit(session.user.person, session.csrf, key)

    async def sign_in(self, name: str, password: str, address: str) -> SignedIn | NotSignedIn:
        """Begin a session for whoever knows a user's password.

        Args:
            name: as they say.
            password: likewise.
            address: of the network.
        """
        self.file.look()
        name = name[: NAME_MOST + 1]
        user = self.file.users.get(name)
        wait_s = self.failed.wait_s(name, address, self.now_s())
        if wait_s or self._waiting >= WAITING_MOST:
            return NotSignedIn(wait_s or BUSY_S, user is not None)
        self.failed.begin(name, address, self.now_s())
        is_right = await self._is_right(user.password if user else self._nobodys, password)
        if not is_right or user is None or self.file.users.get(name) != user:
            return NotSignedIn(0.0, user is not None)
        self.failed.succeeded(name, address)
        return SignedIn(user.person, self.sessions.begin(user, self.now_s()))

    def sign_out(self, token: str) -> None:
        """End the session of a token."""
        self.sessions.end(key_of(token))

    def look(self, open_sessions: Iterable[str]) -> None:
        """Read the file again where it changed, and end what is over. Those of which a page is open are in use."""
        now_s = self.now_s()
        for key in open_sessions:
            self.sessions.use(key, now_s)
        self.file.look()
        self.sessions.look(self.file.users, now_s)

    async def _is_right(self, hashed: str, password: str) -> bool:
        self._waiting += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(is_password_of, hashed, password)
        finally:
            self._waiting -= 1
