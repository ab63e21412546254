"""Alarms: all of them, and what a look or a command makes of each. Whoever asks keeps what comes of it, then `adopt`s it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from msgspec.structs import replace as changed

from alarms.states.alarm import Change, Deed, first_status, key_of, triggered
from alarms.states.conditions import Delayed
from alarms.states.observed import AlarmKey, Observed
from alarms.states.transitions import Trigger
from dotbus.contracts.alarms import AlarmState
from dotbus.contracts.messages import AlarmStatus
from dotbus.contracts.topics import decode_name
from dotbus.runtime.presence import Identity

_SHOWN = frozenset({AlarmState.NORMAL, AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED, AlarmState.RETURNED})


@dataclass(frozen=True)
class _Watched:
    """What is remembered of a subject between two looks, and need not survive the process.

    Attributes:
        delayed: whether its rule holds, after its delays.
        because: the cause that tells of it already.
        because_until_s: until when that counts though it is over.
    """

    delayed: Delayed
    because: AlarmKey | None = None
    because_until_s: float = 0.0


class Alarms:
    """Every alarm that anything ever happened to.

    Args:
        identity: who speaks.
        known: what was kept of them.
        suppress_after_s: for how long what follows from a cause stays suppressed after it is over.
        began_s: when this process began, in seconds that never go back: a cause of before may be there still.
    """

    def __init__(self, identity: Identity, known: Iterable[AlarmStatus], suppress_after_s: float, began_s: float) -> None:
        self._identity = identity
        self._suppress_after_s = suppress_after_s
        self._statuses: dict[AlarmKey, AlarmStatus] = {}
        self._watched: dict[AlarmKey, _Watched] = {}
        self.know(known, began_s)

    @property
    def statuses(self) -> Mapping[AlarmKey, AlarmStatus]:
        """Each alarm as it is."""
        return self._statuses

    def know(self, statuses: Iterable[AlarmStatus], now_s: float) -> None:
        """Go on from alarms as they were left: by a process before us, or another one in whose place we are."""
        for status in statuses:
            key = key_of(status)
            self._statuses[key] = status
            self._watched[key] = _Watched(Delayed(status.is_active), _cause_of(status), now_s + self._suppress_after_s)

    def was_active(self, key: AlarmKey) -> bool:
        """Whether a rule held of a subject when it was looked at last."""
        return key in self._watched and self._watched[key].delayed.is_active

    def look(self, observed: Sequence[Observed], now: datetime, now_s: float, *, is_whole: bool = True) -> list[Change]:
        """What changes by what is observed.

        Args:
            observed: what is known of each subject.
            now: when.
            now_s: the same in seconds that never go back.
            is_whole: whether each subject that there is must be among it: what is not has none any more, and so is over.
        """
        changes = [change for one in observed for change in self._look_at(one, now, now_s)]
        if not is_whole:
            return changes
        seen = {one.key for one in observed}
        for key, status in self._statuses.items():
            if key not in seen:
                changes += self._without_subject(key, status, now)
        return changes

    def adopt(self, changes: Iterable[Change]) -> None:
        """They are kept: from now on the alarms are so."""
        self._statuses.update((change.key, change.status) for change in changes)

    def forget(self, keys: Iterable[AlarmKey]) -> None:
        """Nobody speaks of them any more."""
        for key in keys:
            self._statuses.pop(key, None)
            self._watched.pop(key, None)

    def over(self, observed: Iterable[Observed]) -> list[AlarmKey]:
        """Those that are normal and have no subject any more."""
        seen = {one.key for one in observed}
        return [key for key, one in self._statuses.items() if one.state is AlarmState.NORMAL and key not in seen]

    def end(self, keys: Iterable[AlarmKey], trigger: Trigger, now: datetime) -> list[Change]:
        """What it comes to when something happens to alarms, whatever is observed of them."""
        statuses = [changed(self._statuses[key], is_active=False) for key in keys]
        return [change for status in statuses if (change := triggered(status, trigger, now))]

    def clock_stepped(self, by: timedelta, now: datetime) -> list[Change]:
        """Our clock was set forward by so much: an alarm stays shelved for as long as somebody said, and no longer."""
        return [
            Change(key, changed(one, time=now, shelved_until=one.shelved_until + by), None)
            for key, one in self._statuses.items()
            if one.shelved_until is not None
        ]

    def do(self, key: AlarmKey, deed: Deed, now: datetime) -> Change | None:
        """What somebody's deed makes of an alarm that there is; None where it moves nothing."""
        status = self._statuses[key]
        watched = self._watched.get(key, _Watched(Delayed()))
        before = changed(status, because=str(watched.because)) if watched.because else status
        return triggered(before, deed.trigger, now, is_suppressed=watched.because is not None, deed=deed)

    def _look_at(self, one: Observed, now: datetime, now_s: float) -> Iterator[Change]:
        status = self._statuses.get(one.key)
        if not one.rule.enabled:
            if status and (change := triggered(status, Trigger.OUT_OF_SERVICE, now)):
                yield change
            return
        watched = self._watch(one, now_s)
        if status is None and not watched.delayed.is_active:
            return  # nothing ever happened, and nothing does: so it is with nearly all
        before = _with_look(status or first_status(one, self._identity, now), one, watched, now)
        trigger = _trigger(before, watched, now)
        change = None if trigger is None else triggered(before, trigger, now, is_suppressed=watched.because is not None)
        if change:
            yield change
        elif status and before.is_active != status.is_active:
            yield Change(one.key, changed(status, time=now, is_active=before.is_active), None)

    def _watch(self, one: Observed, now_s: float) -> _Watched:
        before = self._watched.get(one.key, _Watched(Delayed()))
        delayed = before.delayed.after(now_s, holds=one.holds, on_delay_s=one.rule.on_delay_s, off_delay_s=one.rule.off_delay_s)
        watched = before if delayed is before.delayed else replace(before, delayed=delayed)
        if one.because:
            watched = replace(watched, because=one.because, because_until_s=now_s + self._suppress_after_s)
        elif before.because and now_s >= before.because_until_s:
            watched = replace(watched, because=None)
        self._watched[one.key] = watched
        return watched

    def _without_subject(self, key: AlarmKey, status: AlarmStatus, now: datetime) -> Iterator[Change]:
        self._watched.pop(key, None)
        before = changed(status, is_active=False)
        is_over = status.shelved_until is not None and now >= status.shelved_until
        ends = (Trigger.RETURNED, Trigger.UNSUPPRESSED, Trigger.IN_SERVICE, *([Trigger.SHELVED_OVER] if is_over else []))
        for trigger in ends:
            if change := triggered(before, trigger, now):
                yield change
                return


def _cause_of(status: AlarmStatus) -> AlarmKey | None:
    return AlarmKey(*map(decode_name, status.because.split("/"))) if status.because else None


def _with_look(status: AlarmStatus, one: Observed, watched: _Watched, now: datetime) -> AlarmStatus:
    """The alarm with what the look says of it. What it tells stays what it was when it was raised."""
    status = changed(status, is_active=watched.delayed.is_active, priority=one.rule.priority)
    if status.is_active and not _tells_of_now(status):
        status = changed(status, time=now, text=one.text, value=one.value, threshold=one.threshold, unit=one.unit)
    return changed(status, because=str(watched.because)) if watched.because else status


def _tells_of_now(status: AlarmStatus) -> bool:
    return status.state in {AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED}


def _trigger(before: AlarmStatus, watched: _Watched, now: datetime) -> Trigger | None:
    """What happens to an alarm by itself, at most one thing at a look."""
    if before.state is AlarmState.OUT_OF_SERVICE:
        return Trigger.IN_SERVICE
    if before.shelved_until and now >= before.shelved_until:
        return Trigger.SHELVED_OVER
    if before.state is AlarmState.SUPPRESSED:
        return None if watched.because else Trigger.UNSUPPRESSED
    if before.state in _SHOWN and before.is_active and watched.because:
        return Trigger.SUPPRESSED
    return Trigger.RAISED if before.is_active else Trigger.RETURNED
