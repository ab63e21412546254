"""Keys in the database: made, listed and revoked by the owner of the tables. What is kept of a key is its hash."""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from historian.database import Connection
from historian.tables import api_key

BEGINNING = "dotbus_"
"""So that whoever finds one in a file knows what it is of."""
_KEY_BYTES = 32


@dataclass(frozen=True)
class KeptKey:
    """What is known of a key."""

    name: str
    plant: str | None
    made_at: datetime
    revoked_at: datetime | None


def hash_of(key: str) -> bytes:
    """What is kept of a key. No salt, and no hash that takes long: nobody guesses 256 random bits."""
    return hashlib.sha256(key.encode()).digest()


def make_key(connection: Connection, name: str, plant: str | None) -> str:
    """Make a key, and return it: nobody can read it anywhere again.

    Raises:
        KeyTaken: one of that name is there that is not revoked.
    """
    key = BEGINNING + secrets.token_urlsafe(_KEY_BYTES)
    connection.execute(sa.insert(api_key).values(name=name, plant=plant, key_hash=hash_of(key)))
    return key


def revoke_key(connection: Connection, name: str) -> bool:
    """Let a key be taken no more. Returns whether there was one of that name."""
    live = (api_key.c.name == name) & api_key.c.revoked_at.is_(None)
    return connection.execute(sa.update(api_key).where(live).values(revoked_at=sa.func.now())).rowcount > 0


def kept_keys(connection: Connection) -> Sequence[KeptKey]:
    """Every key that was ever made, the oldest first."""
    shown = (api_key.c.name, api_key.c.plant, api_key.c.made_at, api_key.c.revoked_at)
    rows = connection.execute(sa.select(*shown).order_by(api_key.c.key_no))
    return [KeptKey(row.name, row.plant, row.made_at, row.revoked_at) for row in rows]
