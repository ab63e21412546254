"""Keyring: whose a key is, asked of the database and remembered for a few seconds, so that a revoked one is soon not taken."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from historian.api.keys.caller import Caller
from historian.api.keys.store import hash_of
from historian.api.problems import Problem, Sort
from historian.api.reading import Reader

REMEMBERED_S: Final = 5.0
REMEMBERED_MOST: Final = 10_000
MOST_CHARACTERS: Final = 200
_WHOSE: Final = "SELECT name, plant FROM api_key_of(%(hash)s)"
_HOW: Final = "say it in the header: `Authorization: Bearer KEY`; `historian api keys make NAME` makes one"


@dataclass(frozen=True)
class _Known:
    caller: Caller | None
    at_s: float


def key_in(authorization: str | None) -> str:
    """The key that a request's header says.

    Raises:
        Problem: it says none.
    """
    scheme, _, key = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not (key := key.strip()):
        raise Problem(Sort.KEY_NEEDED, _HOW)
    if len(key) > MOST_CHARACTERS or not key.isascii():
        raise refused()
    return key


def refused() -> Problem:
    """A key that nobody has. It is not told whether it was one once."""
    return Problem(Sort.KEY_REFUSED, f"no such key is valid; {_HOW}")


class Keyring:
    """Remembers whose keys are. It may be asked from several threads."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._lock = threading.Lock()

    def remembered(self, key: str, now_s: float) -> Caller | None:
        """Whose a key is, when that was asked a moment ago; None when it has to be asked.

        Raises:
            Problem: it was nobody's a moment ago.
        """
        known = self._known.get(hash_of(key))
        if known is None or now_s - known.at_s > REMEMBERED_S:
            return None
        if known.caller is None:
            raise refused()
        return known.caller

    def ask(self, key: str, now_s: float) -> Caller:
        """Whose a key is, by the database.

        Raises:
            Problem: nobody's, or the database does not answer.
        """
        hashed = hash_of(key)
        with self._reader.reading() as reading:
            rows = reading.rows(_WHOSE, {"hash": hashed})
        caller = Caller(str(rows[0][0]), None if rows[0][1] is None else str(rows[0][1])) if rows else None
        with self._lock:
            self._known.pop(hashed, None)
            self._known[hashed] = _Known(caller, now_s)
            if len(self._known) > REMEMBERED_MOST:
                self._known.popitem(last=False)
        if caller is None:
            raise refused()
        return caller
