"""Sights: which resources CAISO has named to each ADS account. What one account is told says nothing about those of another.

Kept in a file, because a state does not tell by which account it was heard, and after a restart each batch of a state must be
asked of an account that knows it. Without the file all accounts are asked, until each was told of its resources again.
"""

from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from ads_ingest.files.archive import write_durably
from dotbus.runtime.logs import get_logger


class _Kept(msgspec.Struct, frozen=True):
    """The file: of accounts that are configured no more what they saw last, and what was taken from the view of any."""

    sees: dict[str, set[str]] = {}
    lost: set[str] = set()


class Sights:
    """Remembers them.

    Args:
        path: the file.
        accounts: the names of those that are configured.

    Attributes:
        formerly: resources that an account saw which is configured no more, or sees them no more.
    """

    def __init__(self, path: Path, accounts: Collection[str]) -> None:
        self._path = path
        self._log = get_logger("ads")
        kept = _read(path)
        self._seen, self._lost = dict(kept.sees), set(kept.lost)
        of_gone = (resources for name, resources in self._seen.items() if name not in accounts)
        self.formerly = self._lost.union(*of_gone)
        if unseen := self.formerly.difference(*(self.of(name) for name in accounts)):
            reason = "the account that saw it is configured no more, or CAISO has taken it from its view"
            self._log.warning("no account sees a resource that one saw before", resources=sorted(unseen), cause=reason)

    def of(self, account: str) -> set[str]:
        """The resources of an account: the set that `note` adds to."""
        return self._seen.setdefault(account, set())

    def noting(self, account: str) -> Callable[[Collection[str]], None]:
        """What to call when CAISO names resources to an account."""
        return lambda resource_ids: self.note(account, resource_ids)

    def losing(self, account: str) -> Callable[[Collection[str]], None]:
        """What to call when CAISO names resources to an account no more."""
        return lambda resource_ids: self.note_lost(account, resource_ids)

    def note(self, account: str, resource_ids: Collection[str]) -> None:
        """CAISO named resources to an account."""
        seen = self.of(account)
        if not seen.issuperset(resource_ids):
            seen |= set(resource_ids)
            self._keep()

    def note_lost(self, account: str, resource_ids: Collection[str]) -> None:
        """CAISO left resources out where it named them to another account, or to this one before."""
        seen = self.of(account)
        if lost := seen.intersection(resource_ids):
            seen -= lost
            self._lost |= lost
            self.formerly |= lost
            self._log.warning("an account does not see resources any more", account=account, resources=sorted(lost))
            self._keep()

    def _keep(self) -> None:
        try:
            write_durably(self._path, msgspec.json.encode(_Kept(self._seen, self._lost), order="deterministic"))
        except OSError as error:
            self._log.warning("which account sees which resource is not kept", cause=f"{self._path}: {error.strerror}")


def _read(path: Path) -> _Kept:
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept)
    except (OSError, msgspec.DecodeError):
        return _Kept()
