"""Findings read well, and what is wrong ends with a status of its own."""

from datetime import UTC, datetime, timedelta

import pytest

from dotbus.testing import samples
from historian.tables import DIVIDED
from historian.upkeep.examination import examine_clock, judge_room
from historian.upkeep.findings import Level, is_any_wrong, lines, note, ok, wrong
from historian.upkeep.months import month_after, months_ahead, part_name
from historian.upkeep.replay import account_line, reply_line
from historian.upkeep.sizes import months_from
from historian.upkeep.streams import Account, shown
from historian.write.reading.record import Stream

AT = datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC)
GB = 1_000_000_000


def test_each_finding_is_a_line_and_what_to_do_stands_below_it():
    told = lines([ok("disk", "room"), wrong("roles", "none", "run it")])
    assert told == ["ok     disk   room", "WRONG  roles  none", "              -> run it"]


def test_a_note_fails_nothing():
    assert not is_any_wrong([ok("a", "b"), note("c", "d", "e")])
    assert is_any_wrong([ok("a", "b"), wrong("c", "d", "e")])


@pytest.mark.parametrize(
    ("total", "free", "level"),
    [(100 * GB, 50 * GB, Level.OK), (100 * GB, 9 * GB, Level.WRONG), (4 * GB, 1 * GB, Level.WRONG), (4 * GB, 3 * GB, Level.OK)],
)
def test_a_disk_is_short_below_a_tenth_or_two_gigabytes(total: int, free: int, level: Level):
    assert judge_room("x", total, free).level is level


@pytest.mark.parametrize(("offset_s", "level"), [(0, Level.OK), (1.9, Level.OK), (-2.6, Level.WRONG), (3, Level.WRONG)])
def test_clocks_agree_within_two_seconds_whatever_the_question_took(offset_s: float, level: Level):
    asked, answered = AT, AT + timedelta(seconds=1)
    (finding,) = examine_clock(asked, answered, AT + timedelta(seconds=0.5 + offset_s))
    assert finding.level is level


def test_months_count_until_the_first_that_a_table_lacks():
    whole = {part_name(table.name, month) for table in DIVIDED for month in months_ahead(AT)}
    assert months_from(AT, frozenset(whole)) == 4
    lacking = part_name("price", month_after(AT, 2))
    assert months_from(AT, frozenset(whole - {lacking})) == 2
    assert months_from(AT, frozenset()) == 0


def test_ranges_are_shown_shortly():
    assert shown([(1, 1), (3, 5)]) == "1, 3-5"
    assert shown([(n, n) for n in range(1, 20, 2)]) == "1, 3, 5, 7, 9, ..."


def test_of_a_stream_without_a_gap_nothing_is_dated():
    account = Account(1, Stream("production", "ads_ingest/a", "s"), 7, (), 0, None, None, AT)
    assert account_line(account, None) == "ads_ingest/a, production, stream s: 7 received, 0 missing, 0 lost"


def test_a_reply_says_what_the_source_has_no_more():
    assert reply_line(samples.replay_reply()) == (
        f"stream {samples.STREAM}: 2 sent again; it has 1 of them no more (1); 2 of 3 sent, 1 is kept no more"
    )
