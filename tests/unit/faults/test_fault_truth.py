"""The judge of the registers is judged itself: what is right, late and wrong, and how a fault's path becomes words."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from faults.checks import CHECKS, Sight
from faults.display import Column, Display
from faults.forcing import Row, as_row, is_good
from faults.truth import Truth, Verdict

from dotbus.contracts.quality import Reason
from launcher.documents.fault_table import COLUMNS, FLAGS, render_faults
from launcher.look.sent import SaidAgain, Sent, SentBatch, SentDop, SentInstruction, SentPrice, SentTrajectory

START = datetime(2026, 11, 25, 12, tzinfo=UTC)
LIMITS_S = {"dot": 5.0, "price": 5.0}
PATH_LIMITS_S = {"stale_after_s": 6.0, "price_stale_after_s": 7.0, "trajectory_stale_after_s": 14.0}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


class Caiso:
    """A simulator that says one DOT in force, in the revision that it was told, and one price."""

    def __init__(self) -> None:
        self.dot_mw, self.revision_no = 10.0, 1
        self.lmp = 50.0
        self.said_again: SaidAgain | None = None

    def sent(self) -> Sent:
        instruction = SentInstruction(instruction_uid="I", resource_id="R", dot_mw=self.dot_mw, target_at=at(50))
        batch = SentBatch(
            batch_uid="B",
            revision_no=self.revision_no,
            batch_status=3,
            batch_type=0,
            start_at=START,
            interval_s=100,
            received_at=at(-50),
            instructions=(instruction,),
        )
        return Sent(batches=(batch,), trajectories=())

    def prices(self, *_question: object) -> tuple[SentPrice]:
        return (SentPrice(interval_start=START, interval_end=at(300), lmp=self.lmp, said_again=self.said_again),)


@pytest.fixture
def caiso() -> Caiso:
    return Caiso()


@pytest.fixture
def truth(caiso: Caiso, monkeypatch: pytest.MonkeyPatch) -> Truth:
    """What CAISO said by second 20: 10 MW, and from second 10 on 20 MW."""
    truth = Truth(caiso, (), kept_s=60)
    for second in range(21):
        if second == 10:
            caiso.dot_mw, caiso.revision_no = 20.0, 2
        monkeypatch.setattr("faults.truth.utc_now", lambda second=second: at(second))
        truth.learn()
    return truth


def verdict(truth: Truth, shown_mw: float, second: float) -> Verdict:
    columns = {name: Column("good" if name == "dot" else "bad") for name in COLUMNS}
    shown = {"dot_mw": SimpleNamespace(value=shown_mw)}
    display = Display(at(second), at(second), 0.0, columns, {}, {}, shown)  # type: ignore[arg-type]
    [found] = truth.verdicts(display, "R", "N", LIMITS_S)
    return found


def test_what_caiso_says_now_is_right_without_a_lag(truth: Truth):
    assert verdict(truth, 20.0, 15).lag_s == 0


def test_what_caiso_said_until_just_now_is_right_with_a_lag(truth: Truth):
    assert verdict(truth, 10.0, 13).lag_s == pytest.approx(3, abs=1)


def test_what_caiso_replaced_longer_ago_than_the_limit_is_wrong(truth: Truth):
    assert verdict(truth, 10.0, 19).lag_s is None


def test_what_caiso_never_said_is_wrong(truth: Truth):
    assert verdict(truth, 15.0, 15).lag_s is None


def test_a_corrected_price_that_an_old_answer_says_again_is_right_from_then_on_for_as_long_as_any_word(
    caiso: Caiso, monkeypatch: pytest.MonkeyPatch
):
    truth = Truth(caiso, ("N",), kept_s=60)
    caiso.lmp = 60.0
    columns = {name: Column("good" if name == "lmp_active" else "bad") for name in COLUMNS}
    shown = {"lmp_active_usd_per_mwh": SimpleNamespace(value=50.0), "lmp_active_start": SimpleNamespace(at=START)}
    for second in range(31):
        if second == 15:
            caiso.said_again = SaidAgain(lmp=50.0, said_at=at(14.5))
        monkeypatch.setattr("faults.truth.utc_now", lambda second=second: at(second))
        truth.learn()

    def is_right(second: float) -> bool:
        display = Display(at(second), at(second), 0.0, columns, {}, {}, shown)  # type: ignore[arg-type]
        [found] = truth.verdicts(display, "R", "N", LIMITS_S)
        return found.lag_s is not None

    assert [second for second in range(5, 31) if is_right(second)] == list(range(14, 22))


def test_a_good_register_without_a_number_is_wrong(truth: Truth):
    assert verdict(truth, float("nan"), 15).lag_s is None


def test_an_older_revision_that_is_said_again_is_not_caisos_word(truth: Truth, caiso: Caiso):
    caiso.dot_mw, caiso.revision_no = 10.0, 1
    truth.learn()
    assert verdict(truth, 20.0, 20).lag_s == 0
    assert verdict(truth, 10.0, 19).lag_s is None


def displayed(second: float, level: str, *reasons: Reason) -> Display:
    columns = dict.fromkeys(COLUMNS, Column("good", value=1.0)) | {
        "dot": Column(level, frozenset(reasons), 1.0 if level != "bad" else None)
    }
    flags = dict.fromkeys(FLAGS, 1) | {"10001": 0 if reasons else 1}
    return Display(at(second), at(second), second, columns, flags, {}, {"x": SimpleNamespace()})  # type: ignore[dict-item]


def test_the_words_of_the_table_follow_the_reasons_and_not_the_seconds():
    row = Row("x", "It fails", lambda _stack: None, is_good, noticed="at the next question")  # type: ignore[arg-type, return-value]
    path = [
        displayed(0, "good"),
        displayed(2, "uncertain", Reason.SOURCE_FAILING),
        displayed(30, "bad", Reason.SOURCE_FAILING, Reason.STALE),
    ]
    seen = as_row(row, "G", 0.0, path, PATH_LIMITS_S)
    cells = render_faults([seen]).splitlines()[-1].strip("| ").split(" | ")
    assert cells[:2] == ["It fails", "0 at the next question"]
    assert cells[4] == "uncertain at the next question, bad after stale_after_s: `stale`, `source_failing`; no value"
    assert cells[5:] == ["good"] * (len(COLUMNS) - 1)


def test_each_register_is_held_against_its_own_say_of_caisos():
    def batch(uid: str, begins: float, lasts_s: float, kind: int, mw: float) -> SentBatch:
        one = SentInstruction(instruction_uid=uid, resource_id="R", dot_mw=mw, supp_mw=-1.0 if uid == "now" else None)
        return SentBatch(
            batch_uid=uid,
            revision_no=1,
            batch_status=3,
            batch_type=kind,
            start_at=at(begins),
            interval_s=lasts_s,
            received_at=at(begins - 50),
            instructions=(one,),
        )

    batches = (
        batch("before", -100, 100, 0, 1),
        batch("now", 0, 100, 0, 2),
        batch("after", 100, 100, 0, 3),
        batch("h", -500, 900, 1, 7),
    )
    dops = tuple(
        SentDop(dop_uid=f"{n}", resource_id="R", dop_mw=float(n), target_at=at(50 + n), sequence_number=n) for n in (4, 5)
    )
    word = SimpleNamespace(
        batches=batches,
        trajectories=(SentTrajectory(batch_uid="T", received_at=START, dops=dops),),
        prices={("N", START): (50.0,)},
    )
    display = Display(at(10), at(10), 0.0, {}, {}, {}, {})
    sight = Sight(display, "R", "N")
    expected = {check.quantity: {low for low, _high in check.ranges(word, sight)} for check in CHECKS}  # type: ignore[arg-type]
    assert {name: values for name, values in expected.items() if name not in ("set_point_mw", "trajectory_mw")} == {
        "dot_mw": {2},
        "dot_start": {START.timestamp()},
        "dot_end": {at(100).timestamp()},
        "dot_target": {at(50).timestamp()},
        "supp_mw": {-1},
        "previous_dot_mw": {1},
        "previous_dot_target": {at(-50).timestamp()},
        "next_dot_mw": {3},
        "next_dot_start": {at(100).timestamp()},
        "next_dot_target": {at(150).timestamp()},
        "hourly_dot_mw": {7},
        "hourly_dot_start": {at(-500).timestamp()},
        "hourly_dot_end": {at(400).timestamp()},
        "latest_dop_mw": {5},
        "latest_dop_target": {at(55).timestamp()},
        "40001 while 10003 is 1": {5},
        "lmp_active_usd_per_mwh": {50},
        "lmp_published_usd_per_mwh": {50},
        "40051 while 10006 is 1": {50},
    }
    [none_ahead] = {check for check in CHECKS if check.quantity == "next_dot_mw"}
    alone = SimpleNamespace(batches=batches[:2], trajectories=(), prices={})
    assert none_ahead.agrees(alone, sight, float("nan"))  # type: ignore[arg-type]
    assert not none_ahead.agrees(word, sight, float("nan"))  # type: ignore[arg-type]
