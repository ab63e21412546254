"""An account whose CAISO is behind: what another was told is cancelled is no doubt of it, after a restart either."""

from datetime import timedelta
from pathlib import Path

import pytest
from ads_two_accounts import Two

RECHECK = timedelta(seconds=30)


@pytest.fixture
def two(tmp_path: Path) -> Two:
    return Two(tmp_path)


@pytest.mark.parametrize("order", [("east", "west"), ("west", "east")])
def test_a_cancel_that_one_account_was_told_counts_for_one_that_is_behind_after_a_restart_too(
    two: Two, order: tuple[str, str]
) -> None:
    two.both(1, 4, east={"R1": 10.0, "R2": 5.0}, west={"R1": 10.0, "R2": 5.0})
    two.round(names=order)
    (cancelled,) = two.ads["east"].batches
    cancelled.revision_no, cancelled.status = 5, 4
    for _ in range(3):
        two.round(RECHECK, names=order)
    assert (two.dots("R1"), two.dot("R1").reasons) == ([], ())
    two.restart()
    for _ in range(2):
        two.round(timedelta(seconds=10), names=order)
        two.round(RECHECK, names=order)
    for resource in ("R1", "R2"):
        assert (two.dots(resource), two.dot(resource).reasons) == ([], ())
        assert [(one.batch_uid, one.revision_no) for one in two.dot(resource).withdrawn] == [("B1", 5)]


def test_a_revision_that_revives_a_cancelled_batch_counts_though_the_other_account_is_behind(two: Two) -> None:
    two.both(1, 4, east={"R1": 10.0}, west={"R1": 10.0})
    two.round()
    (batch,) = two.ads["east"].batches
    batch.revision_no, batch.status = 5, 4
    two.round(RECHECK)
    two.restart()
    two.round(RECHECK)
    batch.revision_no, batch.status, batch.dots_mw = 6, 1, {"R1": 11.0}
    for _ in range(2):
        two.round(RECHECK)
    assert two.dots("R1") == [("B1", 11.0)]


@pytest.mark.parametrize("names", [("west",)])
def test_until_an_account_says_again_after_a_restart_that_a_batch_is_cancelled_it_is_in_doubt(
    two: Two, names: tuple[str, ...]
) -> None:
    two.both(1, 4, east={"R1": 10.0}, west={"R1": 10.0})
    two.round()
    (batch,) = two.ads["east"].batches
    batch.revision_no, batch.status = 5, 4
    two.round(RECHECK)
    two.restart()
    two.round(RECHECK, names=names)
    assert two.dot("R1").reasons == ("incomplete",)
