"""Sessions: who has signed in, kept here and not in what a browser holds. Pure but for the tokens: time is an argument.

A browser holds a random token; kept is its digest, so that whoever reads this process's memory dump or a log cannot use it.
"""

import hashlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from console.access.users import User

SESSIONS_MOST: Final = 2000
_TOKEN_BYTES: Final = 32


@dataclass
class Session:
    """One sign-in of a user.

    Attributes:
        user: as they were when they signed in: with another role or password they are to do so again.
        csrf: see `Visit`.
        began_s: when; `used_s`: when it was last used. Both by a clock that nobody sets.
    """

    user: User
    csrf: str
    began_s: float
    used_s: float


class Sessions:
    """All of them.

    Args:
        idle_s: one that is not used for so long is over.
        lasts_s: so long after its beginning it is over in any case.
        ended: told the key of each that ends.
    """

    def __init__(self, idle_s: float, lasts_s: float, ended: Callable[[str], None]) -> None:
        self._idle_s = idle_s
        self._lasts_s = lasts_s
        self._ended = ended
        self._sessions: dict[str, Session] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, user: User, now_s: float) -> str:
        """Begin one, and return its token. Of too many the oldest ends."""
        while len(self._sessions) >= SESSIONS_MOST:
            self.end(next(iter(self._sessions)))
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        self._sessions[key_of(token)] = Session(user, secrets.token_urlsafe(_TOKEN_BYTES), now_s, now_s)
        return token

    def find(self, token: str, now_s: float) -> tuple[str, Session] | None:
        """The session of a token with its key, which counts as a use; None where there is none any more."""
        key = key_of(token)
        session = self._sessions.get(key)
        if session is None:
            return None
        if self._is_over(session, now_s):
            self.end(key)
            return None
        session.used_s = now_s
        return key, session

    def use(self, key: str, now_s: float) -> None:
        """A page of it is open: a screen in a control room does not go dark while somebody looks at it."""
        session = self._sessions.get(key)
        if session and not self._is_over(session, now_s):
            session.used_s = now_s

    def end(self, key: str) -> None:
        """End it, if it is there."""
        if self._sessions.pop(key, None):
            self._ended(key)

    def look(self, users: Mapping[str, User], now_s: float) -> None:
        """End those whose time is over, and those whose user is gone or has another password, role or plant."""
        for key, session in tuple(self._sessions.items()):
            if self._is_over(session, now_s) or users.get(session.user.name) != session.user:
                self.end(key)

    def _is_over(self, session: Session, now_s: float) -> bool:
        return now_s - session.used_s >= self._idle_s or now_s - session.began_s >= self._lasts_s


def key_of(token: str) -> str:
    """By what a session is kept; nobody finds its token from it."""
    return hashlib.sha256(token.encode()).hexdigest()
