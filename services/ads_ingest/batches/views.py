"""Views: what it means that CAISO does not name a resource to an account in a batch in which it was named before.

CAISO gives each account the instructions of the resources that it may see, and no word of the others. So silence has three
causes: the batch was revised and asks nothing of the resource any more, the account sees the resource no more, or it never saw
it and knows of it by another account. Only the first takes anything away, and only when no account that sees the resource is
named it: CAISO raises the revision with each change (specification, section 6), so silence in a revision that named the
resource, to this account or to another, is none of CAISO's words about it.

Which resources CAISO has named to each account is kept in a file, because a state does not tell by which account it was heard,
and after a restart each batch of a state must be asked of an account that knows it. Without the file all accounts are asked,
until each was told of its resources again.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

import msgspec

from ads_ingest.batches.contradictions import ToldOtherwise, contested, is_cancel
from ads_ingest.batches.open_batch import Known, OpenBatch
from ads_ingest.batches.open_batches import OpenBatches
from ads_ingest.files.archive import write_durably
from dotbus.contracts.instruction_states import Status, is_nothing_by_status
from dotbus.contracts.messages import DispatchBatchHeader
from dotbus.runtime.logs import get_logger


@dataclass(frozen=True)
class View:
    """What one account is shown.

    Attributes:
        batches: what is known of each by this account.
        sees: the resources that CAISO has named to it.
        note_lost: told of resources that it sees no more.
        account: its name; empty for the only one.
    """

    batches: OpenBatches
    sees: set[str]
    note_lost: Callable[[Collection[str]], None]
    account: str = ""

    def had(self, header: DispatchBatchHeader) -> OpenBatch | None:
        """A batch as this account was given it in the same revision and status; None while it was not."""
        given = self._given(header.batch_uid)
        if given is None or header.revision_no is None:
            return None
        batch, had = given
        return batch if (had.revision_no, had.batch_status) == (header.revision_no, header.batch_status) else None

    def is_behind(self, header: DispatchBatchHeader) -> bool:
        """Whether this account was not given a batch in that revision, nor in a higher one."""
        given = self._given(header.batch_uid)
        return given is None or (given[1].revision_no or 0) < (header.revision_no or 0)

    def told_otherwise(self) -> Iterator[ToldOtherwise]:
        """What this account was told, and another otherwise."""
        for batch in self.batches.every():
            if batch.contested and batch.had:
                yield ToldOtherwise(
                    account=self.account,
                    batch_uid=batch.batch_uid,
                    revision_no=batch.had.revision_no,
                    batch_type=batch.had.batch_type,
                    until=batch.until,
                    words={resource_id: batch.words[resource_id] for resource_id in sorted(batch.contested)},
                )

    def _given(self, batch_uid: str) -> tuple[OpenBatch, DispatchBatchHeader] | None:
        """A batch that this process was given, and as what; a state of before a restart does not tell who was."""
        batch = self.batches.get(batch_uid)
        return (batch, batch.had) if batch and batch.had and batch.known is not Known.RESTORED else None


class Meaning(Enum):
    """What silence about a resource means."""

    GONE = "CAISO revised it away: no account that sees it is named it"
    AWAITED = "another account that sees it has not been given this revision"
    LOST = "the account does not see it any more"
    NOTHING = "the account was never told of it in this batch"


@dataclass(frozen=True)
class Unnamed:
    """The resources that a document does not name and that were named before.

    Attributes:
        gone: those that CAISO revised away, which is told.
        over: those of which the batch holds no more, though another account may have a word on them: its status says so.
        awaited: those that another account is to speak of.
        lost: those that the account sees no more.
    """

    gone: frozenset[str]
    over: frozenset[str]
    awaited: frozenset[str]
    lost: frozenset[str]


class Views:
    """The view of one account beside those of the others.

    Attributes:
        own: that of the account.
    """

    def __init__(self, own: View, others: Sequence[View] = ()) -> None:
        self.own = own
        self._others = others

    def unnamed(self, header: DispatchBatchHeader, named: Collection[str], before: Mapping[str, int | None]) -> Unnamed:
        """What a document means for the resources that it does not name.

        Args:
            header: of the document.
            named: the resources that it names.
            before: those that the batch named before, each with the revision in which it is held; None when it is not.
        """
        means = {resource: self._meaning(header, resource, held) for resource, held in before.items() if resource not in named}

        def of(meaning: Meaning) -> frozenset[str]:
            return frozenset(resource for resource, found in means.items() if found is meaning)

        gone = of(Meaning.GONE)
        over = frozenset(means) if is_nothing_by_status(header.batch_status) else gone
        return Unnamed(gone, over, of(Meaning.AWAITED), of(Meaning.LOST))

    def note(self, header: DispatchBatchHeader, named: Collection[str], unnamed: Unnamed) -> None:
        """A document is being passed on: whoever was given the same without what it names does not see that."""
        self.own.note_lost(unnamed.lost)
        self.note_cancelled(header)
        for other in self._others:
            if batch := other.had(header):
                other.note_lost((other.sees & frozenset(named)) - batch.named)
            other.batches.note_decided(header.batch_uid, unnamed.gone.union(named))

    def note_cancelled(self, header: DispatchBatchHeader) -> None:
        """What this account was told is cancelled is so for the others, whose CAISO may be behind."""
        if header.batch_status == Status.CANCELLED:
            for other in self._others:
                other.batches.note_cancelled(header)

    def compare(self, batch_uid: str) -> None:
        """See whether all accounts were told the same in the newest revision of a batch."""
        known = [(each, batch) for each in (self.own, *self._others) if (batch := each.batches.get(batch_uid))]
        found = contested([batch for _view, batch in known])
        for view, _batch in known:
            view.batches.note_contested(batch_uid, found)

    def is_cancelled(self, header: DispatchBatchHeader) -> bool:
        """Whether any account was told, be it by a header alone, that a batch is cancelled in a revision or a higher one."""
        known = (each.batches.get(header.batch_uid) for each in (self.own, *self._others))
        return any(batch is not None and is_cancel(batch.header, header.revision_no or 0) for batch in known)

    def told_otherwise(self) -> tuple[ToldOtherwise, ...]:
        """All contradictions, for a restart."""
        found = [each for view in (self.own, *self._others) for each in view.told_otherwise()]
        return tuple(sorted(found, key=lambda each: (each.account, each.batch_uid)))

    def restore(self, told: Iterable[ToldOtherwise], now: datetime) -> None:
        """After a restart: the contradictions of before are as they were, once each account has restored its own words."""
        for each in told:
            if each.account == self.own.account:
                self.own.batches.restore_words(each, now)
                self.compare(each.batch_uid)

    def _meaning(self, header: DispatchBatchHeader, resource_id: str, held: int | None) -> Meaning:
        own = self.own.batches.get(header.batch_uid)
        if any((batch := other.had(header)) and resource_id in batch.named for other in self._others):
            return Meaning.LOST
        if own is None or resource_id not in own.resources:
            return Meaning.NOTHING
        is_same = held is not None and header.revision_no is not None and held >= header.revision_no
        if is_same and not is_nothing_by_status(header.batch_status):
            return Meaning.LOST if held == header.revision_no else Meaning.NOTHING
        if any(resource_id in other.sees and other.is_behind(header) for other in self._others):
            return Meaning.AWAITED
        return Meaning.GONE


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
