"""Run: everything breaks in random order under load, then all of it is started and what the database holds is judged."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
import psycopg2
import requests
from chaos import judgement
from chaos.actions import Action, actions
from chaos.hostile import Hostile
from chaos.installation import HISTORIANS
from chaos.judgement import Disturbance, SentAll, ToldBatch
from chaos.lateness import Lateness
from chaos.market import Market
from chaos.rows import Rows
from chaos.stack import Stack
from waiting import eventually

HELD_S = (0.05, 4.0)
LONG_S = (10.0, 28.0)
LONG_CHANCE = 0.06
"""Now and then something lasts longer than a broker or a database waits for whoever is silent."""
REST_S = (0.0, 2.0)
TOGETHER = (0.55, 0.3, 0.15)
SETTLED_WITHIN_S = 300.0
LOOK_EVERY_S = 2.0
TAKEN_OVER_AFTER_S = 10.0
"""So long after one of two historians died, what was told meanwhile is watched, too."""


@dataclass
class Outcome:
    """What came of a run.

    Attributes:
        done: what was done and when, for whoever repeats it.
        kills: how many of it ended something.
        faults: what is wrong at the end.
        catch_ups_s: after each time that something was started again, how long until all that had been told was there.
        takeovers_s: after each death of one of two historians, the longest that anything took to be there.
        settled_s: from the last strike until a look found every event in its place.
        prices_settled_s: the same of each price, which is looked at after that: a look at so many rows takes long itself.
    """

    seed: int
    done: list[str] = field(default_factory=list)
    kills: int = 0
    faults: list[str] = field(default_factory=list)
    catch_ups_s: list[tuple[float, str]] = field(default_factory=list)
    takeovers_s: list[float] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    changes: Mapping[str, int] = field(default_factory=dict)
    excused: int = 0
    settled_s: float = 0.0
    prices_settled_s: float = 0.0
    lasted_s: float = 0.0


class Run:
    """One run over one stack."""

    def __init__(self, stack: Stack, seed: int) -> None:
        self._stack = stack
        self._chance = random.Random(seed)
        self._hostile = Hostile(stack.broker.port, random.Random(seed + 1))
        self._market = Market(stack, random.Random(seed + 2))
        self._actions = actions(stack, self._hostile)
        self._weights = [action.weight for action in self._actions]
        self._rows = Rows(stack.database_url)
        self._lateness = Lateness(stack)
        self._disturbed: list[Disturbance] = []
        self._restored: set[str] = set()
        self._copied_at: dict[str, datetime] = {}
        self._gaps: judgement.Gaps | None = None
        self._marks: list[tuple[float, str]] = []
        self._begun = time.monotonic()
        self._interrupted = threading.Event()
        self._quiet_since = datetime.now(UTC)
        self.outcome = Outcome(seed)

    def run(self, kills: int, takeovers: int) -> Outcome:
        """All of it."""
        with self._watched():
            self._take_over(takeovers)
            while self.outcome.kills < kills:
                self._strike(self._chosen(), self._held_s())
            self._settle()
        return self.outcome

    def run_only(
        self,
        times: Mapping[str, int],
        held_s: tuple[float, float],
        rest_s: tuple[float, float],
        begin: Callable[[], None] = lambda: None,
    ) -> Outcome:
        """These actions, by name, so many times each in random order, and nothing else but what `begin` does first."""
        left, by_name = Counter(times), {action.name: action for action in self._actions}
        with self._watched():
            begin()
            while left.total():
                (name,) = self._chance.choices(list(left), list(left.values()))
                left[name] -= 1
                self._strike([by_name[name]], self._chance.uniform(*held_s), rest_s)
            self._settle()
        return self.outcome

    @contextmanager
    def _watched(self) -> Iterator[None]:
        self._stack.start()
        eventually(self._rows.has_all_sources, 120, 0.3)
        self._market.start()
        self._lateness.start()
        try:
            yield
        finally:
            self._market.stop()
            self._hostile.stop()
            self._lateness.stop()
        self._summarise()

    def _take_over(self, times: int) -> None:
        """One historian dies while all else is well, and stays away until the other has everything."""
        for turn in range(times):
            name = HISTORIANS[turn % len(HISTORIANS)]
            begun = time.monotonic()
            eventually(lambda begun=begun: self._lateness.is_there_since(begun), 120)
            died_at = time.monotonic()
            self._note(f"{name} dies and stays away")
            self._stack.parts[name].kill()
            self.outcome.kills += 1
            until = died_at + TAKEN_OVER_AFTER_S
            eventually(lambda until=until: time.monotonic() > until and self._lateness.is_there_since(until), 180)
            self.outcome.takeovers_s.append(self._lateness.longest_s(died_at - 2, until))
            self._stack.parts[name].start()

    def _held_s(self) -> float:
        return self._chance.uniform(*(LONG_S if self._chance.random() < LONG_CHANCE else HELD_S))

    def _strike(self, chosen: Sequence[Action], held_s: float, rest_s: tuple[float, float] = REST_S) -> None:
        self._note(f"{', '.join(action.name for action in chosen)} for {held_s:.1f} s")
        with ExitStack() as forced:
            for action in chosen:
                forced.enter_context(self._disturbing(action))
                self.outcome.kills += action.kills
            self._interrupted.wait(held_s)
        self._look_for_the_dead()
        self._marks.append((time.monotonic(), self.outcome.done[-1]))
        self._interrupted.wait(self._chance.uniform(*rest_s))

    def _chosen(self) -> list[Action]:
        wanted = self._chance.choices((1, 2, 3), TOGETHER)[0]
        chosen: dict[str, Action] = {}
        while len(chosen) < wanted:
            action = self._chance.choices(self._actions, self._weights)[0]
            chosen.setdefault(action.target, action)
        return list(chosen.values())

    @contextmanager
    def _disturbing(self, action: Action) -> Iterator[None]:
        begun = datetime.now(UTC)
        with action.force(self._stack, self._chance):
            yield
        if action.kind == "restore":  # what came since the copy was made may be in nothing that is left
            self._restored.add(action.target)
            begun = self._copied_at.setdefault(action.target, begun)
        self._disturbed.append(Disturbance(action.target, action.kind, begun, datetime.now(UTC)))

    def _look_for_the_dead(self) -> None:
        """What ended by itself is a fault, and is started again."""
        for name, part in self._stack.parts.items():
            if not part.is_running:
                self.outcome.faults.append(f"{name} ended by itself with status {part.exit_status}: {part.log()[-600:]}")
                part.start()

    def _note(self, what: str) -> None:
        self.outcome.done.append(f"{time.monotonic() - self._begun:7.1f} s: {what}")

    # The end.

    def _settle(self) -> None:
        self._stack.start_missing()
        self._market.stop()
        self._stack.pause_volume()
        self._quiet_since = datetime.now(UTC)
        begun = time.monotonic()
        self._agree(self._event_faults)
        self.outcome.settled_s = time.monotonic() - begun
        self._agree(self._price_faults)
        self.outcome.prices_settled_s = time.monotonic() - begun
        if self.outcome.faults:  # for whoever looks for the cause
            for name in ("sent", "told"):
                (self._stack.folder / f"{name}.json").write_bytes(self._stack.read_simulator(f"/{name}"))

    def _agree(self, look: Callable[[], Sequence[str]]) -> None:
        """Look again and again until nothing is wrong, or it is too late: then what is wrong is noted."""
        until = time.monotonic() + SETTLED_WITHIN_S
        faults: Sequence[str] = ["nothing was looked at"]
        while faults and time.monotonic() < until:
            try:
                faults = look()
            except (psycopg2.Error, requests.RequestException) as error:
                faults = [f"cannot be judged: {error}"]
            self._note(f"looked: {'; '.join(faults) or 'all agrees'}")
            if faults:
                self._interrupted.wait(LOOK_EVERY_S)
        self.outcome.faults += faults

    def _event_faults(self) -> list[str]:
        """What is wrong with events now. The rows are read before what was told: more may be told meanwhile, and less not."""
        rows = self._rows
        quick = judgement.volume_faults(self._stack.volume_told(), rows.volume_instructions())
        if quick:
            return quick
        streams, restored = rows.streams(), {f"{name}/a" for name in self._restored}
        ended = judgement.ended_streams(streams, restored)
        before, self._gaps = self._gaps, judgement.gaps(streams)
        return [
            *self._dispatch_faults(),
            *self._trajectory_faults(),
            *judgement.stream_faults(before, self._gaps),
            *judgement.lost_faults(rows.lost(), restored),
            *judgement.foreign_faults(rows.foreign_letters()),
            *judgement.order_faults(rows.out_of_order(), ended),
            *judgement.number_faults(rows.seqs_twice(), ended),
        ]

    def _dispatch_faults(self) -> list[str]:
        held, latest = self._rows.instructions(), self._rows.latest_instructions()
        told = msgspec.json.decode(self._stack.read_simulator("/told"), type=list[ToldBatch])
        of_before = [batch for batch in self._sent().batches if batch.received_at < self._quiet_since]
        uids = {batch.batch_uid for batch in of_before}
        faults, self.outcome.excused = judgement.dispatch_faults(told, held, uids, self._disturbed)
        return [*faults, *judgement.newest_faults(of_before, [row for row in latest if row.batch_uid in uids])]

    def _trajectory_faults(self) -> list[str]:
        dops, compliance = self._rows.dops(), self._rows.compliance()
        return judgement.trajectory_faults(self._sent().trajectories, self._quiet_since, dops, compliance)

    def _sent(self) -> SentAll:
        return msgspec.json.decode(self._stack.read_simulator("/sent"), type=SentAll)

    def _price_faults(self) -> list[str]:
        latest, history = self._rows.latest_prices(), self._rows.prices()
        now = dict(self._market.all_prices([row.interval_start for row in latest]))
        faults, corrections = judgement.price_history_faults(
            self._market.published, now.get, history, may_repeat="lmp_ingest" in self._restored
        )
        self.outcome.counts["price revisions stored"] = corrections
        return [*judgement.price_faults(now, self._market.published, latest), *faults]

    def _summarise(self) -> None:
        """How much there was, and how long it took."""
        outcome = self.outcome
        outcome.lasted_s = time.monotonic() - self._begun
        outcome.changes = dict(self._market.changes)
        outcome.catch_ups_s = [(self._caught_up_after(at), what) for at, what in self._marks]
        for table in ("dispatch_batch", "trajectory_batch", "price_report", "instruction", "dop", "price", "dead_letter"):
            outcome.counts[table] = self._rows.count(table)
        outcome.counts["ranges given up"] = len(self._rows.lost())

    def _caught_up_after(self, at: float) -> float:
        """How long after a moment all that had been told until then was in the database."""
        waited = [seen.there_at - at for seen in self._lateness.seen if seen.told_at <= at]
        return max(waited, default=0.0)
