"""Known state: what holds for every resource, and which states have to be said again.

A state is due when its content changed or what speaks against it did, and otherwise so often that it is said again before
`valid_until`; a heartbeat in each would be traffic without news (the service's status carries that one). It is as old as the
oldest answer that it rests on: the question for what is new, and that for the revision of each batch in it.
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from typing import Generic, NamedTuple, Protocol, Self, TypeVar

from ads_ingest.known.doubts import FAILING, INCOMPLETE, NOTHING_SPOKEN, Doubts, DoubtsOf, Spoken, spoken_in
from dotbus.contracts.messages import Dot, Instructions, Trajectory
from dotbus.contracts.schedules import Schedule

NO_TIME = timedelta(0)
STRANGERS_KEPT = timedelta(hours=24)
"""How long the state of a resource that is not configured by its name stays after all in it is past."""


class Entry(Protocol):
    """What a known state holds for each resource."""

    @property
    def ends_at(self) -> datetime | None:
        """When the last of what it holds is past; None when it holds nothing."""
        ...

    def pruned(self, now: datetime) -> Self:
        """Without what is past."""
        ...


B = TypeVar("B", bound=Entry)
S = TypeVar("S", bound=Dot | Trajectory | Instructions)


@dataclass(frozen=True)
class _Said(Generic[B]):
    entry: B
    reasons: Spoken
    heard_at: datetime


@dataclass
class _Shelf(Generic[B]):
    """What the known states of all accounts hold together."""

    entries: dict[str, B]
    said: "dict[str, _Said[B]]" = field(default_factory=dict)


@dataclass(frozen=True)
class Judgement:
    """What a state says of itself beside its content: when CAISO was heard, until when that counts, what speaks against it."""

    heard_at: datetime
    valid_until: datetime
    reasons: Spoken
    now: datetime


class Due(NamedTuple, Generic[B, S]):
    """A state that is to be said, on its topic, and what it is made of."""

    topic: str
    state: S
    said: _Said[B]


class KnownState(Generic[B, S]):
    """One entry for each resource: the configured ones from the start, others when CAISO names them.

    Args:
        configured: the resources of this installation, and the schedule that each follows. Their states are said again without
            news; those of others only while something in them lasts, and not for ever, because intertie transactions come, go
            and would add up.
        empty: the entry of a resource that nothing is known of.
        entries: what was known before a restart.
        said: the states that were said then.
        make_state: resource, entry and judgement to a state.
        topic: of a resource's state.
        refresh: how long a state that did not change waits before it is said again.
        valid_for: how long a state counts without being said again.

    Each ADS account has a known state (`for_accounts`): what it was told and doubts is its own, the entries are those of all. A
    resource is judged by the accounts that see it, by all while none is known ever to have seen it. Of one that only others
    saw, which are configured no more or see it no more, nobody says anything: what is known of it stays as it was heard.

    Attributes:
        heard_at: when CAISO last answered this account; None before.
        sees: the resources that CAISO has named to this account.
        formerly: the resources that an account saw which is configured no more, or sees them no more.
        untold: resources whose states hold what this account was not told of: it vouches for none of them where another does.
        is_failing: whether CAISO does not answer this account what is new.
        lock: held by whoever changes entries, and until they are safe, where several accounts are followed at a time.
        doubts: whose states name a reason against themselves.
        doubts_of_batches: of each batch that is over, or to come, the resources whose DOTs of it alone name one.
        confirmed: of each resource when CAISO last confirmed all that its state is made of, where that is asked for by itself.
        judge: says what this account knows, which is asked of every account before anything is said: one may wait half a minute
            for an answer while the others say the states that both see, which must be no better than what it knows already.
        complete: whether all that CAISO has was looked through once. Until then an empty entry says nothing: it would replace
            what a broker retained from an outbox that was lost.
    """

    def __init__(
        self,
        configured: Mapping[str, Schedule],
        empty: B,
        entries: Mapping[str, B],
        said: Iterable[S],
        make_state: Callable[[str, B, Judgement], S],
        topic: Callable[[str], str],
        refresh: timedelta,
        valid_for: timedelta,
    ) -> None:
        self._refresh = refresh
        self._configured = dict(configured)
        self._empty = empty
        self._shelf: _Shelf[B] = _Shelf({**dict.fromkeys(configured, empty), **entries})
        self._accounts: list[KnownState[B, S]] = [self]
        self.lock = threading.RLock()
        self._make_state = make_state
        self._topic = topic
        self.valid_for = valid_for
        self._shelf.said = {
            state.resource_id: _Said(entries[state.resource_id], spoken_in(state, configured), state.heard_at)
            for state in said
            if state.valid_until is not None  # one of a version before these fields is due
        }
        self.begin(set(), set())

    def begin(self, sees: set[str], formerly: set[str]) -> None:
        """Nothing was heard by this account yet."""
        self.heard_at: datetime | None = None
        self.sees = sees
        self.formerly = formerly
        self.untold: frozenset[str] = frozenset()
        self.is_failing = False
        self.doubts: DoubtsOf = dict.fromkeys(Schedule, Doubts())
        self.doubts_of_batches: Mapping[str, frozenset[str]] = {}
        self.confirmed: Mapping[str, datetime] = {}
        self.judge: Callable[[datetime], None] = lambda _now: None
        self.complete = False

    def for_accounts(self, sees: Sequence[set[str]], formerly: set[str]) -> "list[KnownState[B, S]]":
        """A known state for each account in place of this one.

        Args:
            sees: of each the resources that CAISO has named to it. They are the callers', who change them.
            formerly: the resources that an account saw which is configured no more, or sees them no more; the callers', too.
        """
        known_states = [copy(self) for _ in sees]
        for known_state, seen in zip(known_states, sees, strict=True):
            known_state.begin(seen, formerly)
        self._accounts[:] = known_states
        return known_states

    @property
    def is_one_of_several(self) -> bool:
        """Whether there are other accounts."""
        return len(self._accounts) > 1

    def is_of(self, resource_id: str) -> bool:
        """Whether what this account is told may be about a resource: it sees it, or none is known to have seen it ever."""
        if resource_id in self.sees:
            return True
        return resource_id not in self.formerly and not any(resource_id in one.sees for one in self._accounts)

    def _judges(self, resource_id: str) -> "list[KnownState[B, S]]":
        return [known_state for known_state in self._accounts if known_state.is_of(resource_id)]

    @property
    def entries(self) -> Mapping[str, B]:
        """The entry of each resource."""
        return self._shelf.entries

    def entry(self, resource_id: str) -> B:
        """The entry of one resource, an empty one when nothing is known of it."""
        return self._shelf.entries.get(resource_id, self._empty)

    def put(self, resource_id: str, entry: B) -> None:
        """Replace the entry of a resource."""
        self._shelf.entries[resource_id] = entry

    def past_strangers(self, now: datetime) -> dict[str, str]:
        """Resources that are not configured of which nothing holds any more, each with its state's topic."""
        return {
            resource_id: self._topic(resource_id)
            for resource_id, entry in self._shelf.entries.items()
            if resource_id not in self._configured and (entry.ends_at is None or now - entry.ends_at > STRANGERS_KEPT)
        }

    def forget(self, resource_ids: Iterable[str]) -> None:
        """Let go of resources whose states were retracted."""
        for resource_id in resource_ids:
            del self._shelf.entries[resource_id]
            self._shelf.said.pop(resource_id, None)

    def doubted(self) -> list[str]:
        """The resources whose states were said with a reason against themselves."""
        return [resource_id for resource_id, said in self._shelf.said.items() if said.reasons.state]

    def take_back(self, entries: Mapping[str, B]) -> None:
        """As it was before something that could not be kept."""
        self._shelf.entries = dict(entries)

    def due(self, now: datetime, *, news_only: bool = False) -> list[Due[B, S]]:
        """The states that have to be said. Call `note_said` once they are safe.

        `news_only` leaves out what would only be said again: in the middle of a round not all was asked for yet.
        """
        self._shelf.entries = {resource_id: entry.pruned(now) for resource_id, entry in self._shelf.entries.items()}
        for known_state in self._accounts:
            known_state.judge(now)
        found = []
        for resource_id, entry in self._shelf.entries.items():
            judges = self._judges(resource_id)
            if (rests_on := self._rests_on(resource_id, judges)) is None:
                continue
            against = self._against(resource_id, judges)
            is_news = self._is_news(resource_id, entry, against, judges)
            if is_news or (not news_only and self._is_old(resource_id, entry, rests_on, now)):
                state = self._make_state(resource_id, entry, Judgement(rests_on, rests_on + self.valid_for, against, now))
                found.append(Due(self._topic(resource_id), state, _Said(entry, against, rests_on)))
        return found

    def _rests_on(self, resource_id: str, judges: "Sequence[KnownState[B, S]]") -> datetime | None:
        """The oldest answer of CAISO's that a resource's state rests on, None while nothing can be said of it.

        Of several accounts that see it the one that was answered last counts, and all while none is known to. What no account
        sees any more rests on what it was said to rest on.
        """
        if not judges:
            said = self._shelf.said.get(resource_id)
            return said.heard_at if said else None
        if len(judges) == 1:
            return judges[0].answered(resource_id)
        told = [known_state for known_state in judges if resource_id not in known_state.untold]
        answers = [known_state.answered(resource_id) for known_state in told or judges]
        known = [at for at in answers if at]
        if any(resource_id in known_state.sees for known_state in self._accounts):
            return max(known, default=None)
        return min(known) if len(known) == len(answers) else None

    def answered(self, resource_id: str) -> datetime | None:
        """The oldest answer to this account that a resource's state rests on."""
        return self.heard_at and min(self.heard_at, self.confirmed.get(resource_id, self.heard_at))

    def note_said(self, due: Iterable[Due[B, S]]) -> None:
        """Remember what is safe in the outbox."""
        self._shelf.said.update((each.state.resource_id, each.said) for each in due)

    def _is_news(self, resource_id: str, entry: B, against: Spoken, judges: "Sequence[KnownState[B, S]]") -> bool:
        said = self._shelf.said.get(resource_id)
        if said is None:
            return entry != self._empty or all(known_state.complete for known_state in judges)
        return (said.entry, said.reasons) != (entry, against)

    def _against(self, resource_id: str, judges: "Sequence[KnownState[B, S]]") -> Spoken:
        """What any account that may be told of a resource knows against it, and that none is answered, or sees it."""
        spoken = [known_state.spoken(resource_id) for known_state in judges]
        if judges and all(resource_id in known_state.untold for known_state in judges):
            spoken.append(Spoken(INCOMPLETE, INCOMPLETE))
        if not judges or (self.is_one_of_several and all(known_state.is_failing for known_state in judges)):
            spoken.append(Spoken(FAILING, FAILING))
        if len(spoken) == 1:
            return spoken[0]
        state = dict.fromkeys(chain.from_iterable(one.state for one in spoken))
        other = dict.fromkeys(chain.from_iterable(one.other for one in spoken))
        return Spoken(tuple(state), tuple(other), frozenset(uid for one in spoken for uid in one.batches))

    def spoken(self, resource_id: str) -> Spoken:
        """What this account knows against a resource."""
        batches = [uid for uid, resources in self.doubts_of_batches.items() if resource_id in resources]
        if not batches and not any(doubts.are_about(resource_id) for doubts in self.doubts.values()):
            return NOTHING_SPOKEN  # of nearly all
        against = {schedule: doubts.of(resource_id) for schedule, doubts in self.doubts.items()}
        follows = self._configured.get(resource_id)
        if follows is None:  # nobody says which: either speaks against the whole
            return Spoken(next((reasons for reasons in against.values() if reasons), ()), batches=frozenset(batches))
        other = next(reasons for schedule, reasons in against.items() if schedule is not follows)
        return Spoken(against[follows], other, frozenset(batches))

    def _is_old(self, resource_id: str, entry: B, rests_on: datetime, now: datetime) -> bool:
        said = self._shelf.said.get(resource_id)
        lasts = resource_id in self._configured or (entry.ends_at is not None and entry.ends_at > now)
        if said is None or not lasts:
            return False
        younger_by = rests_on - said.heard_at
        # What was said to be heard later than CAISO was, before the clock was set, is not left so.
        if younger_by < NO_TIME or younger_by >= self._refresh:
            return True
        # Batches are confirmed one after the other, each of which makes a state a little younger.
        return younger_by > NO_TIME and now - said.heard_at >= 2 * self._refresh
