"""Passwords: kept as argon2id, as RFC 9106 recommends it where memory is dear (64 MiB, three passes)."""

import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

LEAST: Final = 12
MOST: Final = 1000
"""Characters. Longer ones would have the console work for whoever sends them."""


class PasswordRefused(Exception):
    """A password that nobody may have; the message says why."""


def hash_password(password: str) -> str:
    """A password as it is kept.

    Raises:
        PasswordRefused: it is too short or too long.
    """
    if not LEAST <= len(password) <= MOST:
        raise PasswordRefused(f"a password has {LEAST} to {MOST} characters; this one has {len(password)}")
    return PasswordHasher().hash(_as_typed(password))


def is_password_of(hashed: str, password: str) -> bool:
    """Whether `hash_password` made this from the password. It takes about a tenth of a second and 64 MiB."""
    try:
        return PasswordHasher().verify(hashed, _as_typed(password))
    except (VerificationError, InvalidHashError):
        return False


def is_hash(text: str) -> bool:
    """Whether a text is what `hash_password` makes."""
    try:
        PasswordHasher().check_needs_rehash(text)
    except InvalidHashError:
        return False
    return text.startswith("$argon2id$")


def _as_typed(password: str) -> str:
    """One keyboard types a letter with its accent as one character, another as two."""
    return unicodedata.normalize("NFKC", password)
