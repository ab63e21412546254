"""What other instances said of answers is there after a restart, the oldest let go first."""

from pathlib import Path

import msgspec
import pytest
from answering_bench import MINUTE, T0

from ads_ingest.responding import answer_log
from ads_ingest.responding.answer_log import HeardAnswers
from dotbus.contracts.messages import InstructionAnswered
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.testing import samples

SAMPLE = next(each for each in samples.every_message() if isinstance(each, InstructionAnswered))


def said(number: int) -> InstructionAnswered:
    return msgspec.structs.replace(SAMPLE, id=f"response/{number}", command_id=f"c{number}", time=T0 + number * MINUTE)


@pytest.fixture
def outbox(tmp_path: Path):
    box = Outbox(tmp_path / "outbox.sqlite", max_age_s=3600, max_bytes=10**9)
    yield box
    box.close()


def test_what_was_heard_is_read_in_its_order_and_once_however_often_it_came(outbox: Outbox) -> None:
    kept = HeardAnswers(outbox)
    for number in (1, 2, 1, 3):
        kept.keep(said(number))
    assert HeardAnswers(outbox).read() == [said(1), said(2), said(3)]


def test_the_oldest_is_overwritten_also_after_a_restart(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_log, "HEARD_MOST", 3)
    for number in range(5):
        HeardAnswers(outbox).keep(said(number))
    assert HeardAnswers(outbox).read() == [said(2), said(3), said(4)]


def test_what_another_version_wrote_is_passed_over(outbox: Outbox) -> None:
    outbox.keep_note("answered-elsewhere/0", "{}")
    assert HeardAnswers(outbox).read() == []
