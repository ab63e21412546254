"""Contradictions: what accounts were told of one resource in one revision of a batch, and not the same. Pure.

CAISO raises the revision with each change (specification, section 6), so nobody can say which of two such answers holds,
whoever came first. They are judged as a gateway judges two sources: by the DOTs and instructions that follow from them. A
higher revision settles it, a cancel, or that an account is told otherwise when it is asked again.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TypeVar

import msgspec

from ads_ingest.batches.open_batch import OpenBatch
from ads_ingest.known.instructions import known_in
from dotbus.contracts.instruction_states import Status
from dotbus.contracts.messages import Dispatch, DispatchBatchHeader, TrajectoryBatch
from dotbus.setpoints.intervals import dot_intervals, is_undecided

E = TypeVar("E", Dispatch, TrajectoryBatch)
_ALWAYS = datetime.min.replace(tzinfo=UTC)


class ToldOtherwise(msgspec.Struct, frozen=True, kw_only=True):
    """What one account was told of a batch that another was told otherwise, as it is kept over a restart.

    Attributes:
        account: its name.
        until: when the last of the batch is over.
        words: of each resource that is contradicted what it was told (`word_of`).
    """

    account: str
    batch_uid: str
    revision_no: int | None
    batch_type: int | None
    until: datetime
    words: Mapping[str, str]


def word_of(dispatch: Dispatch) -> str:
    """What an answer comes to for its resource, as a digest.

    Without when it was heard, and without the two times of its header that CAISO fills in or moves under one revision.
    """
    header = msgspec.structs.replace(dispatch.batch, batch_sent_at=None, batch_expires_at=None)
    timeless = msgspec.structs.replace(dispatch, time=_ALWAYS, batch=header)
    intervals = sorted(dot_intervals(timeless), key=lambda each: (each.instruction_uid, each.interval_start))
    return _digest((intervals, known_in(timeless), is_undecided(timeless)))


def contested(told: Sequence[OpenBatch]) -> frozenset[str]:
    """The resources of which the accounts were told different things in the highest revision that any of them was given.

    Args:
        told: one batch as each account knows it.
    """
    given = [(batch.had.revision_no or 0, batch) for batch in told if batch.had]
    newest = max((revision for revision, _batch in given), default=0)
    equals = [batch for revision, batch in given if revision == newest]
    if any(is_cancel(batch.header, newest) for batch in told):
        return frozenset()  # the last word of a revision
    words: dict[str, set[str]] = {}
    for batch in equals:
        for resource_id, word in batch.words.items():
            words.setdefault(resource_id, set()).add(word)
    return frozenset(resource_id for resource_id, different in words.items() if len(different) > 1)


def is_cancel(header: DispatchBatchHeader, revision: int) -> bool:
    """Whether a header cancels a revision of its batch, and with it all before."""
    return header.batch_status == Status.CANCELLED and (header.revision_no or 0) >= revision


def word_of_points(batch: TrajectoryBatch) -> str:
    """The same of the points of a trajectory, in whatever order they are listed."""
    header = msgspec.structs.replace(batch.batch, batch_sent_at=None)
    return _digest((header, sorted(batch.dops, key=lambda each: each.dop_uid)))


def _digest(said: object) -> str:
    return blake2b(msgspec.json.encode(said), digest_size=8).hexdigest()


def told_apart(event: E, kept: Iterable[E], word_of: Callable[[E], str]) -> E:
    """An event as it is to be kept: one that comes to something else than those of its id says so in its id.

    Args:
        event: of a batch, revision and resource.
        kept: those whose ids begin with its own, and others.
        word_of: what an event comes to.
    """
    own = event.id, f"{event.id}/"
    words = {each.id: word_of(each) for each in kept if each.id == own[0] or each.id.startswith(own[1])}
    if event.id not in words:
        return event
    word = word_of(event)
    same = next((event_id for event_id, known in words.items() if known == word), f"{event.id}/{word}")
    return msgspec.structs.replace(event, id=same)
