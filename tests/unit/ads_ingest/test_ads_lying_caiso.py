"""Whatever CAISO does, slow, lying or forgetful, and whenever the ingest dies: what a state says without a reason is true."""

import contextlib
import os
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from ads_bench import MINUTE, Bench
from ads_fake import Batch
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from lying_ads import Killed, Lie, LyingAds

from ads_ingest.quarantine import QuarantineLog
from ads_ingest.service import FollowedStream
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Dot

RESOURCES = ("R1", "R2")
HOUR = timedelta(hours=1)
LENGTH = 5 * MINUTE
POISON = "".join(
    f"<instructionDetail segNo='{n}'><serviceType>SUPP</serviceType><mw>-1e308</mw></instructionDetail>" for n in (1, 2)
)
OPERATIONS = ("getBatchHeader", "getDispatchBatch", "getDispatchBatchesSinceUID")
LATER_S = st.sampled_from([1, 5, 10, 10, 30, 30, 60, 150])
DOTS = st.dictionaries(st.sampled_from(RESOURCES), st.integers(-50, 50).map(float), min_size=1)


class LyingCaiso(RuleBasedStateMachine):
    """An ingest, its outbox on disk, and a CAISO that nobody can rely on."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self.folder.name))
        self.ads = LyingAds(self.bench.later, lambda: self.bench.now)
        self.bench.source = self.ads
        self.count = 0
        self.revised = Counter[str]()
        self.restart()

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self.bench.outbox.close()
            self.folder.cleanup()

    def restart(self) -> None:
        self.bench.restart()
        stream, clock = self.bench.dispatch, lambda: self.bench.now
        self.stream = FollowedStream("ads_dispatch", stream, QuarantineLog(self.bench.quarantine), clock=clock)

    @rule(
        dots=DOTS,
        begins=st.integers(-1, 3),
        poisoned=st.sampled_from([False] * 9 + [True]),
        lie=st.sampled_from([None, None, *Lie]),
        later_s=LATER_S,
    )
    def issue(self, dots: dict[str, float], begins: int, lie: Lie | None, later_s: int, *, poisoned: bool) -> None:
        self.count += 1
        uid, start = f"B{self.count}", self.bench.now.replace(second=0) + begins * LENGTH
        self.ads.add(Batch(uid, start, dots, detail=POISON if poisoned else ""))
        if lie:
            self.ads.lies["getDispatchBatch", uid] = lie
        self.turn(later_s)

    @precondition(lambda self: self.ads.revisions)
    @rule(data=st.data(), dots=DOTS, status=st.sampled_from([1, 1, 4, 6]), relist=st.booleans(), later_s=LATER_S)
    def revise(self, data: st.DataObject, dots: dict[str, float], status: int, later_s: int, *, relist: bool) -> None:
        uids = sorted(self.ads.revisions)
        uid = data.draw(st.sampled_from([uid for uid in uids if not self.is_over(uid)] or uids))
        before = self.ads.revisions[uid][-1]
        after = replace(before, revision_no=before.revision_no + 1, status=status, dots_mw=dots, detail="")
        self.ads.add(after, relist=relist)
        self.revised[uid] += 1
        self.turn(later_s)

    @precondition(lambda self: self.ads.revisions)
    @rule(data=st.data(), operation=st.sampled_from(OPERATIONS), lie=st.sampled_from(Lie))
    def lie(self, data: st.DataObject, operation: str, lie: Lie) -> None:
        """A lie about one that is not over, if there is any."""
        uids = sorted(self.ads.revisions)
        uid = data.draw(st.sampled_from([uid for uid in uids if not self.is_over(uid)] or uids))
        self.ads.lies[operation, uid] = lie

    @rule(lie=st.sampled_from([Lie.REFUSED, Lie.SLOW]), later_s=LATER_S)
    def be_away(self, lie: Lie, later_s: int) -> None:
        self.ads.lies["getDispatchBatchesSinceUID", ""] = lie
        self.turn(later_s)
        del self.ads.lies["getDispatchBatchesSinceUID", ""]

    @rule()
    def be_honest(self) -> None:
        self.ads.lies.clear()

    @precondition(lambda self: self.ads.revisions)
    @rule(data=st.data())
    def forget(self, data: st.DataObject) -> None:
        self.ads.forgotten.add(data.draw(st.sampled_from(sorted(self.ads.revisions))))

    @rule(later_s=LATER_S)
    def turn(self, later_s: int) -> None:
        self.bench.later(timedelta(seconds=later_s))
        tried_before, known_before = set(self.ads.failed), dict(self.ads.said)
        self.stream.follow()
        self.check_state()
        if self.ads.listed is not None:
            self.everything_new_is_published(tried_before, known_before)

    @rule(turns=st.lists(LATER_S, min_size=2, max_size=6))
    def turn_often(self, turns: list[int]) -> None:
        for later_s in turns:
            self.turn(later_s)

    def everything_new_is_published(self, tried: set[str], known: dict[str, tuple[int, int]]) -> None:
        told = {(event.batch.batch_uid, event.batch.revision_no) for event in self.bench.dispatches()}
        for batch in self.ads.listed or ():
            uid = batch.batch_uid
            is_new = batch.revision_no > known.get(uid, (0, 0))[0]
            can_be_had = self.ads.knows(uid) and ("getDispatchBatch", uid) not in self.ads.lies and not batch.detail
            if is_new and can_be_had and uid not in tried and not self.is_over(uid):  # the backlog has its bounds
                assert (uid, batch.revision_no) in told or self.ads.said[uid][0] > batch.revision_no, uid

    @rule(after=st.integers(0, 6), later_s=st.sampled_from([1, 10, 60]))
    def die(self, after: int, later_s: int) -> None:
        self.ads.kill_after = after
        with contextlib.suppress(Killed):
            self.stream.follow()
        self.ads.kill_after = None
        self.restart()
        self.forget_what_was_not_kept()
        self.turn(later_s)

    def forget_what_was_not_kept(self) -> None:
        """What CAISO said and the ingest could not pass on died with the process."""
        self.ads.said.clear()
        self.ads.denied.clear()
        for event in self.bench.dispatches():
            said = (event.batch.revision_no or 0, event.batch.batch_status or 0)
            self.ads.said[event.batch.batch_uid] = max(said, self.ads.said.get(event.batch.batch_uid, (0, 0)))
        for withdrawn in (each for dot in self.states().values() for each in dot.withdrawn):
            revision_no, known = withdrawn.revision_no or 0, self.ads.said.get(withdrawn.batch_uid, (0, 0))
            if revision_no > known[0]:  # cancelled by header alone; else a revision that an event tells of left a resource out
                self.ads.said[withdrawn.batch_uid] = (revision_no, 4)

    def states(self) -> dict[str, Dot]:
        topics = self.bench.installation.topics
        kept = self.bench.outbox.states()
        found = {resource: kept.get(topics.dot("north", resource)) for resource in RESOURCES}
        return {resource: decode_as(payload, Dot) for resource, payload in found.items() if payload}

    def check_state(self) -> None:
        """What a state says without a reason, its own or a DOT's, is what CAISO said last."""
        now = self.bench.now
        for resource, dot in self.states().items():
            if dot.reasons or self.stream.rounds_in_vain:
                continue
            in_doubt = {one.batch_uid for one in dot.intervals if one.reasons}
            says = {
                (one.batch_uid, one.dot_mw)
                for one in dot.intervals
                if one.interval_end > now and not self.is_over(one.batch_uid) and one.batch_uid not in in_doubt
            }
            expected = {(uid, mw) for uid in self.ads.said if uid not in in_doubt for mw in self.in_force(uid, resource)}
            assert says == expected, (resource, dot)

    def is_over(self, uid: str) -> bool:
        return self.ads.revisions[uid][0].start_at + LENGTH <= self.bench.now

    def in_force(self, uid: str, resource: str) -> list[float]:
        """What the highest revision of a batch that CAISO told asks of a resource, MW; fails when nobody can know."""
        revision_no, status = self.ads.said[uid]
        if self.is_over(uid) or status in {4, 6}:
            return []
        document = self.ads.documents.get((uid, revision_no))
        assert document is None or uid not in self.ads.denied or resource not in document.dots_mw, f"CAISO does not know {uid}"
        had = [one for (had_uid, _revision), one in self.ads.documents.items() if had_uid == uid]
        if document is None:
            about = {name for one in had for name in one.dots_mw} or set(RESOURCES)
            assert resource not in about, f"{uid} revision {revision_no} was never had"
            return []
        assert not (document.detail and resource in document.dots_mw), f"{uid} cannot be passed on"
        return [document.dots_mw[resource]] if resource in document.dots_mw else []

    @invariant()
    def nothing_unforeseen_ends_a_round(self) -> None:
        assert not str(self.stream.health.snapshot().last_error).startswith("unforeseen")

    @invariant()
    def what_fails_is_asked_for_a_bounded_number_of_times_in_an_hour(self) -> None:
        for uid, times in self.ads.failed.items():
            recent = sum(self.bench.now - at <= HOUR for at in times)
            assert recent <= 150 * (1 + self.revised[uid]) or uid not in self.ads.revisions


TestLyingCaiso = LyingCaiso.TestCase
TestLyingCaiso.settings = settings(
    max_examples=int(os.environ.get("LYING_CAISO_EXAMPLES", "25")),
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
