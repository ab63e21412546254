"""Chance that repeats: numbers and identifiers that depend on a seed and a name alone, so that every run can be checked."""

import hashlib
from uuid import UUID


def fraction(*name: object) -> float:
    """A number in [0, 1), the same for the same name on every machine."""
    return int.from_bytes(_digest(name, 8)) / 2**64


def guid(*name: object) -> str:
    """A GUID in upper case as CAISO writes it. GUIDs of names that follow each other have no order."""
    return str(UUID(bytes=_digest(name, 16))).upper()


def _digest(name: tuple[object, ...], size: int) -> bytes:
    return hashlib.blake2b("|".join(map(str, name)).encode(), digest_size=size).digest()
