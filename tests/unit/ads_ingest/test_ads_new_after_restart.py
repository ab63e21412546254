"""What is new comes before what was had before a restart and is only to be confirmed, whenever the process was ended."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from ads_bench import MINUTE, Bench, batch
from ads_fake import Trouble

from caiso.ads.errors import TimedOut
from caiso.ads.records import Question
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Dot

ANSWER = timedelta(seconds=0.7)
LIFE = timedelta(seconds=12)
POLL_S, REST_S, AGAIN_LEAST_S = 10.0, 2.0, 0.5
OPEN = 80


class KilledError(BaseException):
    """The process ended in the middle of a question."""


class Caiso:
    """Takes its time for each answer, and the process may end meanwhile."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.takes = timedelta(0)
        self.ends_at = bench.now + timedelta(days=1)
        bench.ads.on_question = self._answering
        bench.ads.batches = [batch(n, at=bench.now + 5 * MINUTE * (1 + n % 3), **{f"S_{n}": float(n)}) for n in range(OPEN)]
        self.posted = 0

    def post(self, *, at: timedelta = 5 * MINUTE) -> str:
        """One more batch."""
        self.posted += 1
        new = batch(OPEN + self.posted, at=self.bench.now + at, R1=float(self.posted))
        self.bench.ads.batches.append(new)
        return new.batch_uid

    def _answering(self, _question: Question) -> None:
        self.bench.later(self.takes)
        if self.bench.now >= self.ends_at:
            raise KilledError

    def live(self, lasts: timedelta) -> None:
        """Rounds with the loop's pauses between them, until the process is killed, and the next one begins."""
        self.ends_at = self.bench.now + lasts
        try:
            while self.bench.now < self.ends_at:
                self.round()
        except KilledError:
            pass
        self.bench.restart()

    def round(self) -> None:
        """One, and the pause behind it."""
        begun = self.bench.now
        again_at = self.bench.dispatch.round().again_at
        rest_s = max(REST_S, POLL_S - (self.bench.now - begun).total_seconds())
        until_again_s = (again_at - self.bench.now).total_seconds() if again_at else rest_s
        self.bench.later(timedelta(seconds=min(rest_s, max(AGAIN_LEAST_S, until_again_s))))

    def heard(self) -> set[str]:
        """The batches of which the bus has been told."""
        return {event.batch.batch_uid for event in self.bench.dispatches()}

    def states(self) -> list[Dot]:
        """The states of DOTs."""
        dots = (text for topic, text in self.bench.outbox.states().items() if topic.endswith("/dot"))
        return [decode_as(text, Dot) for text in dots]

    def asked(self) -> list[str]:
        """The batches that were asked for, in their order."""
        operations = {"getDispatchBatch", "getBatchHeader"}
        return [each.batch_uid for each in self.bench.ads.asked if each.operation in operations]


@pytest.fixture
def caiso(bench: Bench) -> Caiso:
    return Caiso(bench)


def killed_before_a_state_was_kept(caiso: Caiso) -> None:
    """Neither states nor a cursor: only the events, and what was listed."""
    last = caiso.post()

    def dies(_question: Question) -> Trouble:
        raise KilledError

    caiso.bench.ads.troubles["getDispatchBatch", last] = dies
    with pytest.raises(KilledError):
        caiso.bench.round()
    assert not caiso.bench.outbox.states()
    del caiso.bench.ads.troubles["getDispatchBatch", last], caiso.bench.ads.batches[-1]


def killed_while_the_first_are_fetched(caiso: Caiso) -> None:
    """States of nearly all, and a cursor somewhere."""
    caiso.takes = ANSWER
    caiso.ends_at = caiso.bench.now + OPEN * ANSWER
    caiso.bench.round()  # a round takes what is new for 30 s
    with pytest.raises(KilledError):
        caiso.bench.round()


def killed_when_all_was_well(caiso: Caiso) -> None:
    caiso.bench.round()


def killed_and_its_cursor_forgotten(caiso: Caiso) -> None:
    """CAISO lists all that it has."""
    last = caiso.post()
    caiso.bench.round()
    assert caiso.bench.ads.batches.pop().batch_uid == last


@pytest.mark.parametrize(
    "killed",
    [
        killed_before_a_state_was_kept,
        killed_while_the_first_are_fetched,
        killed_when_all_was_well,
        killed_and_its_cursor_forgotten,
    ],
)
def test_after_a_restart_what_is_new_is_asked_for_before_all_that_was_had_and_is_to_be_confirmed(
    caiso: Caiso, killed: Callable[[Caiso], None]
) -> None:
    killed(caiso)
    before = caiso.heard()
    unheard = [each.batch_uid for each in caiso.bench.ads.batches if each.batch_uid not in before]
    new = caiso.post()
    caiso.bench.restart()
    caiso.takes, caiso.ends_at = ANSWER, caiso.bench.now + timedelta(days=1)
    caiso.bench.ads.asked.clear()
    begun = caiso.bench.now
    caiso.bench.round()
    first = caiso.asked()[: len(unheard) + 1]
    assert set(first) == {*unheard, new}
    assert first[0] == new, "what was listed before may have been asked for in vain"
    assert caiso.bench.now - begun < timedelta(seconds=20), "the next round, which tells what is new by then, is not late"


@pytest.mark.parametrize("killed", [killed_before_a_state_was_kept, killed_when_all_was_well])
def test_however_often_the_process_is_killed_each_new_batch_is_told_within_the_life_in_which_it_is_listed(
    caiso: Caiso, killed: Callable[[Caiso], None]
) -> None:
    killed(caiso)
    caiso.takes = ANSWER
    for _ in range(7):
        new = caiso.post()
        caiso.live(LIFE)
        assert new in caiso.heard()


def test_lives_too_short_for_a_state_bring_all_that_caiso_has_to_the_bus(caiso: Caiso) -> None:
    caiso.takes = ANSWER
    for _ in range(24):
        caiso.live(timedelta(seconds=4))
    assert len(caiso.heard()) == OPEN
    assert len(caiso.bench.dispatches()) == OPEN, "each once"


def test_batches_that_never_come_keep_nothing_new_waiting_however_often_the_process_is_killed(caiso: Caiso) -> None:
    def hangs(question: Question) -> TimedOut:
        caiso.bench.later(timedelta(seconds=5))
        return TimedOut(question, "no reply within 5 s")

    killed_when_all_was_well(caiso)
    caiso.takes = ANSWER
    for _ in range(4):
        caiso.bench.ads.troubles["getDispatchBatch", caiso.post()] = hangs
    caiso.live(LIFE)
    for _ in range(7):
        new = caiso.post()
        caiso.live(LIFE)
        assert new in caiso.heard()


@pytest.mark.parametrize("killed", [killed_before_a_state_was_kept, killed_when_all_was_well])
def test_what_is_not_confirmed_after_a_restart_is_doubted_until_it_is_and_all_of_it_is_in_good_time(
    caiso: Caiso, killed: Callable[[Caiso], None]
) -> None:
    killed(caiso)
    caiso.bench.restart()
    caiso.takes = ANSWER
    begun, confirmed = caiso.bench.now, set[str]()
    caiso.bench.ads.asked.clear()
    while len(confirmed) < OPEN:
        caiso.round()
        confirmed = {f"B{n}" for n in range(OPEN)}.intersection(caiso.asked())
        if caiso.bench.now - begun > timedelta(seconds=5) and len(confirmed) < OPEN:
            waiting = next(n for n in range(OPEN) if f"B{n}" not in confirmed)
            if caiso.bench.installation.topics.dot("unassigned", f"S_{waiting}") in caiso.bench.outbox.states():
                assert caiso.bench.dot(f"S_{waiting}", "unassigned").reasons == ("incomplete",)
            else:
                assert killed is killed_before_a_state_was_kept, "nothing is said of it"
                assert {state.reasons for state in caiso.states()} == {("incomplete",)}, "and nothing that is good of others"
    assert caiso.bench.now - begun < 3 * MINUTE


def test_a_higher_revision_of_what_was_had_before_a_restart_is_new(caiso: Caiso) -> None:
    killed_before_a_state_was_kept(caiso)
    caiso.bench.restart()
    caiso.bench.ads.batches[-1].revision_no = 2
    caiso.bench.ads.asked.clear()
    caiso.bench.round()
    assert caiso.asked()[0] == f"B{OPEN - 1}"


def test_after_the_clock_was_set_back_what_is_new_is_asked_for_before_what_was_had(caiso: Caiso) -> None:
    caiso.bench.round()
    new = caiso.post()
    caiso.bench.set_clock(-MINUTE)
    caiso.bench.ads.asked.clear()
    caiso.bench.round()
    assert caiso.asked()[0] == new


def test_what_was_had_is_remembered_no_longer_than_the_batch_is_open(caiso: Caiso) -> None:
    caiso.bench.round()
    assert len(caiso.bench.outbox.notes("had/")) == OPEN
    caiso.ends_at += timedelta(days=2)
    caiso.bench.round(60 * MINUTE)
    caiso.bench.round(25 * 60 * MINUTE)
    assert len(caiso.bench.outbox.notes("had/")) <= OPEN // 10
