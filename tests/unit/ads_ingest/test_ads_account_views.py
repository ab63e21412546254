"""Whatever CAISO shows of its batches to two accounts, and whichever of them is configured: silence loses and takes nothing."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from ads_bench import RECHECK, T0
from ads_fake import Batch
from ads_two_accounts import NAMES, Two
from hypothesis import given, settings
from hypothesis import strategies as st

from caiso.ads.records import Question, Reply
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Dispatch, Dot

RESOURCES = ("R1", "R2")
LASTS_UNTIL = T0 + timedelta(hours=1)


@dataclass
class Caiso:
    """What it has said, and to whom it shows what.

    Attributes:
        told: the resources that each batch named to an account in each revision, once it was asked for.
        unseen: resources that no configured account saw at some time. A revision of then may pass for one that left them out.
    """

    two: Two
    batches: list[Batch] = field(default_factory=list)
    views: dict[str, set[str]] = field(default_factory=lambda: {name: set(RESOURCES) for name in NAMES})
    told: set[tuple[str, int, str, float]] = field(default_factory=set)
    unseen: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for name, ads in self.two.ads.items():
            ads.troubles["getDispatchBatch", None] = lambda question, name=name: self._answer(name, question)

    def _answer(self, name: str, question: Question) -> bytes:
        ads = self.two.ads[name]
        found = next(batch for batch in ads.batches if batch.batch_uid == question.batch_uid)
        self.told |= {(found.batch_uid, found.revision_no, each, mw) for each, mw in found.dots_mw.items()}
        reply = Reply(question, 200, ads._getDispatchBatch(question.batch_uid))
        return reply.body

    def show(self) -> None:
        """Each account what it may see; of a batch that names it nothing, nothing."""
        for name, ads in self.two.ads.items():
            shown = [
                replace(batch, dots_mw={each: mw for each, mw in batch.dots_mw.items() if each in self.views[name]})
                for batch in self.batches
            ]
            ads.batches[:] = [
                some for some, whole in zip(shown, self.batches, strict=True) if some.dots_mw or not whole.dots_mw
            ]
        seen = set[str]().union(*(self.views[name] for name in self.two.streams))
        self.unseen |= set(RESOURCES) - seen

    def issue(self, mw: int) -> None:
        dots_mw = {each: float(mw) for each in RESOURCES}
        self.batches.append(Batch(f"B{len(self.batches)}", T0, dots_mw, told=f"<endTime>{LASTS_UNTIL.isoformat()}</endTime>"))

    def revise(self, mw: int, resource: str) -> None:
        if self.batches and self.batches[-1].status != 4:
            last = self.batches[-1]
            left_out = {resource} if mw % 3 == 0 else set()
            dots_mw = {each: float(mw) for each in last.dots_mw if each not in left_out}
            self.batches[-1] = replace(last, revision_no=last.revision_no + 1, dots_mw=dots_mw)

    def cancel(self) -> None:
        if self.batches:
            self.batches[-1] = replace(self.batches[-1], revision_no=self.batches[-1].revision_no + 1, status=4)

    def holds(self, batch_uid: str, resource: str) -> float | None:
        batch = next(batch for batch in self.batches if batch.batch_uid == batch_uid)
        return None if batch.status == 4 else batch.dots_mw.get(resource)


CHANGES = st.one_of(
    st.tuples(st.just("issue"), st.integers(1, 50)),
    st.tuples(st.just("revise"), st.integers(1, 50), st.sampled_from(RESOURCES)),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("view"), st.sampled_from(NAMES), st.sets(st.sampled_from(RESOURCES))),
    st.tuples(st.just("restart"), st.sampled_from([NAMES, NAMES[:1], NAMES[1:]])),
)

ROUNDS = st.sampled_from([(), NAMES[:1], NAMES[1:], NAMES, NAMES[::-1]])
"""Whose rounds follow a change, in which order."""


@contextmanager
def story() -> Iterator[Caiso]:
    with tempfile.TemporaryDirectory() as folder:
        two = Two(Path(folder))
        with closing(two.outbox):
            yield Caiso(two)
        two.outbox.close()


def act(caiso: Caiso, name: str, *said: object) -> None:
    two = caiso.two
    if name == "view":
        caiso.views[said[0]] = set(said[1])  # type: ignore[index, call-overload]
    elif name == "restart":
        two.restart(said[0])  # type: ignore[arg-type]
    else:
        getattr(caiso, name)(*said)
    caiso.show()


def assert_nothing_is_lost_doubled_or_made_up(caiso: Caiso) -> None:
    events = [decode_as(kept.payload, Dispatch) for kept in caiso.two.outbox.events_of("dispatch/")]
    told = Counter(
        (event.batch.batch_uid, event.batch.revision_no, each.resource_id, each.dot_mw)
        for event in events
        for each in event.instructions
    )
    assert set(told) == caiso.told
    assert not told or set(told.values()) == {1}
    for resource in RESOURCES:
        topic = caiso.two.topic(resource)
        if payload := caiso.two.outbox.states().get(topic):
            assert_true(caiso, decode_as(payload, Dot))


def assert_true(caiso: Caiso, state: Dot) -> None:
    resource, is_seen = state.resource_id, any(state.resource_id in caiso.views[name] for name in caiso.two.streams)
    if is_seen and not state.reasons:
        for each in (one for one in state.intervals if not one.reasons):
            assert each.dot_mw == caiso.holds(each.batch_uid, resource), "a good DOT is what CAISO says now"
    if resource not in caiso.unseen:
        assert [each.batch_uid for each in state.withdrawn if caiso.holds(each.batch_uid, resource) is not None] == []


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(CHANGES, ROUNDS), max_size=8))
def test_views_and_accounts_that_change_lose_double_and_withdraw_nothing(
    changes: list[tuple[tuple[object, ...], tuple[str, ...]]],
) -> None:
    with story() as caiso:
        for (name, *said), rounds in [(("issue", 7), NAMES), *changes]:
            act(caiso, str(name), *said)
            for account in rounds:
                if account in caiso.two.streams:
                    caiso.two.round(RECHECK, (account,))
        for _ in range(3):
            caiso.two.round(RECHECK)
        assert_nothing_is_lost_doubled_or_made_up(caiso)
