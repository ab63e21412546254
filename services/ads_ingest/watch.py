"""Watch: the batches that are not over yet, and when each is to be asked for its revision again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dotbus.contracts.messages import DispatchBatchHeader


@dataclass(frozen=True)
class Watched:
    """A batch to look after until a time. `header` is as we know it, None while we could not have the batch itself."""

    batch_uid: str
    header: DispatchBatchHeader | None
    until: datetime
    checked_at: datetime
    failures: int = 0


class Watch:
    """The open batches.

    Args:
        every: how often each is due.
        most: how many are due at once; those that waited longest come first.
    """

    def __init__(self, every: timedelta, most: int = 40) -> None:
        self._every = every
        self._most = most
        self._watched: dict[str, Watched] = {}

    def put(
        self,
        batch_uid: str,
        header: DispatchBatchHeader | None,
        until: datetime | None,
        now: datetime,
        *,
        due_at_once: bool = False,
    ) -> None:
        """Look after a batch until a time, or no more when it is past or unknown."""
        self._watched.pop(batch_uid, None)
        if until is not None and until > now:
            checked_at = now - self._every if due_at_once else now
            self._watched[batch_uid] = Watched(batch_uid, header, until, checked_at)

    def put_off(self, batch_uid: str, until: datetime | None, now: datetime) -> None:
        """A batch could not be had: look after it as before, or from now on, and ask again later."""
        watched = self._watched.get(batch_uid)
        if watched:
            self._watched[batch_uid] = replace(watched, checked_at=now)
        else:
            self.put(batch_uid, None, until, now)

    def due(self, now: datetime) -> Sequence[Watched]:
        """The batches to ask for now; those that are over are forgotten."""
        self._watched = {uid: watched for uid, watched in self._watched.items() if watched.until > now}
        # Later than now when the clock was set back meanwhile.
        waiting = [watched for watched in self._watched.values() if abs(now - watched.checked_at) >= self._every]
        return sorted(waiting, key=lambda watched: watched.checked_at)[: self._most]

    def note_checked(self, watched: Watched, now: datetime) -> None:
        """CAISO told what it is now."""
        self._watched[watched.batch_uid] = replace(watched, checked_at=now, failures=0)

    def note_failed(self, watched: Watched, now: datetime) -> int:
        """CAISO could not tell. Returns how often in a row; the batch stays watched until it is over."""
        failed = replace(watched, checked_at=now, failures=watched.failures + 1)
        self._watched[watched.batch_uid] = failed
        return failed.failures

    def __contains__(self, batch_uid: str) -> bool:
        return batch_uid in self._watched
