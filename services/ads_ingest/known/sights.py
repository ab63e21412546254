"""Sights: which resources CAISO has named to each ADS account. What one account is told says nothing about those of another.

Kept in a file, because a state does not tell by which account it was heard, and after a restart each batch of a state must be
asked of an account that knows it. Without the file all accounts are asked, until each was told of its resources again.
"""

from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from ads_ingest.files.archive import write_durably
from dotbus.runtime.logs import get_logger


class Sights:
    """Remembers them.

    Args:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._log = get_logger("ads")
        self._seen = _read(path)

    def of(self, account: str) -> set[str]:
        """The resources of an account: the set that `note` adds to."""
        return self._seen.setdefault(account, set())

    def noting(self, account: str) -> Callable[[Collection[str]], None]:
        """What to call when CAISO names resources to an account."""
        return lambda resource_ids: self.note(account, resource_ids)

    def note(self, account: str, resource_ids: Collection[str]) -> None:
        """CAISO named resources to an account."""
        seen = self.of(account)
        if seen.issuperset(resource_ids):
            return
        seen |= set(resource_ids)
        try:
            write_durably(self._path, msgspec.json.encode({name: sorted(ids) for name, ids in self._seen.items()}))
        except OSError as error:
            self._log.warning("which account sees which resource is not kept", cause=f"{self._path}: {error.strerror}")


def _read(path: Path) -> dict[str, set[str]]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, set[str]])
    except (OSError, msgspec.DecodeError):
        return {}
