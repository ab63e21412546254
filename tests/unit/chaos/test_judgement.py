"""The judge of the chaos bench sees what is missing, doubled, invented, changed or out of order."""

from datetime import UTC, datetime, timedelta

import pytest
from chaos import judgement
from chaos.judgement import Disturbance, SentTrajectory, ToldBatch
from chaos.rows import DopRow, InstructionRow, PriceRow, StreamRow
from chaos.volume import RESOURCES, mw_of

from launcher.look.sent import SentBatch, SentDop, SentInstruction

AT = datetime(2026, 10, 13, 14, tzinfo=UTC)
KEY = ("NODE", AT)


def batch(revision_no: int, dot_mw: float) -> SentBatch:
    return SentBatch(
        batch_uid="B",
        revision_no=revision_no,
        batch_status=3,
        batch_type=0,
        start_at=AT,
        interval_s=300,
        received_at=AT,
        instructions=(SentInstruction(instruction_uid="B-I0", resource_id="R", dot_mw=dot_mw),),
    )


def row(revision_no: int, dot_mw: float) -> InstructionRow:
    return InstructionRow("B", revision_no, 3, "B-I0", "R", dot_mw)


TOLD = [ToldBatch(AT, batch(1, 10.0)), ToldBatch(AT + timedelta(minutes=1), batch(2, 20.0))]
HELD = [row(1, 10.0), row(2, 20.0)]


def dispatch_faults(held: list[InstructionRow], disturbed: tuple[Disturbance, ...] = ()) -> tuple[list[str], int]:
    return judgement.dispatch_faults(TOLD, held, {"B"}, disturbed)


def test_every_revision_once_is_right():
    assert dispatch_faults(HELD) == ([], 0)
    assert judgement.newest_faults([batch(2, 20.0)], [row(2, 20.0)]) == []


@pytest.mark.parametrize(
    ("held", "words"),
    [
        ([row(2, 20.0)], ["missing"]),
        ([*HELD, row(1, 10.0)], ["twice"]),
        ([*HELD, row(3, 30.0)], ["never told"]),
        ([row(1, 10.0), row(2, 20.5)], ["missing", "never told"]),
    ],
)
def test_an_instruction_that_is_missing_doubled_invented_or_changed_is_seen(held, words):
    faults, _excused = dispatch_faults(held)
    assert len(faults) == len(words)
    assert all(word in fault for word, fault in zip(words, faults, strict=True))


def test_a_revision_that_was_replaced_while_its_ingest_was_down_may_be_missing_and_the_newest_may_not():
    down = Disturbance("ads_ingest", "kill", AT + timedelta(seconds=1), AT + timedelta(minutes=1))
    assert dispatch_faults([row(2, 20.0)], (down,)) == ([], 1)
    assert dispatch_faults([row(1, 10.0)], (down,))[0]
    elsewhere = Disturbance("lmp_ingest", "kill", down.begun, down.ended)
    assert dispatch_faults([row(2, 20.0)], (elsewhere,))[0]


def test_another_newest_revision_than_caisos_is_seen():
    assert len(judgement.newest_faults([batch(2, 20.0)], [row(1, 10.0)])) == 2


def test_a_point_that_is_missing_is_seen_unless_it_may_be_on_its_way():
    sent = [SentTrajectory("T", AT, (SentDop(dop_uid="D", resource_id="R", dop_mw=1.0, target_at=AT, sequence_number=1),), ())]
    later = AT + timedelta(seconds=1)
    assert judgement.trajectory_faults(sent, later, [DopRow("T", "D", "R", 1.0, AT, 1)], []) == []
    assert judgement.trajectory_faults(sent, later, [], []) != []
    assert judgement.trajectory_faults(sent, AT, [], []) == []


@pytest.mark.parametrize(
    ("held", "word"),
    [
        ([1.0, 2.0, 3.0], None),
        ([1.0, 3.0], None),
        ([3.0, 2.0], "order"),
        ([1.0, 4.0], "never published"),
        ([1.0, 1.0, 2.0], "twice"),
    ],
)
def test_prices_come_in_the_order_in_which_they_were_published(held, word):
    rows = [PriceRow(*KEY, lmp) for lmp in held]
    faults, _corrections = judgement.price_history_faults({KEY: [1.0, 2.0, 3.0]}, {}.get, rows, may_repeat=False)
    assert [word in fault for fault in faults] == [True] * (word is not None)


def test_a_newest_price_that_is_not_the_published_one_is_seen():
    assert judgement.price_faults({KEY: 3.0}, {}, [PriceRow(*KEY, 3.0)]) == []
    assert judgement.price_faults({KEY: 3.0}, {}, [PriceRow(*KEY, 2.0)]) != []
    assert judgement.price_faults({KEY: 3.0}, {}, []) != []


@pytest.mark.parametrize(("after", "faults"), [(timedelta(minutes=25), 0), (timedelta(minutes=30), 1)])
def test_what_was_no_more_asked_for_when_a_nodes_turn_came_is_not_missing(after, faults):
    now = {KEY: 3.0, ("LATER", AT + after): 4.0}
    assert len(judgement.price_faults(now, {}, [PriceRow(*KEY, 3.0)])) == faults


def of_volume(*numbers: int) -> list[tuple[int, float, str]]:
    return [(number, mw_of(number), f"VOLUME_{number % RESOURCES}") for number in numbers]


def test_events_of_the_source_of_many_are_there_once_each():
    assert judgement.volume_faults(3, of_volume(1, 2, 3)) == []
    assert judgement.volume_faults(3, of_volume(1, 2, 3, 4)) == []
    assert judgement.volume_faults(3, of_volume(1, 3)) != []
    assert judgement.volume_faults(3, of_volume(1, 2)) != []
    assert judgement.volume_faults(3, of_volume(1, 2, 2, 3)) != []
    assert judgement.volume_faults(1, [(1, -1.0, "VOLUME_1")]) != []


def test_a_stream_is_whole_when_every_number_came_or_is_given_up():
    def missing(received: str, lost: str = "{}"):
        return judgement.gaps([StreamRow("s", "x", 1, received, lost)])

    assert missing("{[1,5),[7,9)}", "{[5,7)}")["s", "x"].ranges == ()
    assert missing("{[1,5),[7,9)}")["s", "x"].ranges == ((5, 6),)
    assert missing("{[2,5)}")["s", "x"].ranges == ((1, 1),)
    assert missing("{}")["s", "x"].ranges == ()
    assert judgement.stream_faults(None, missing("{[1,5)}")) != []
    assert judgement.stream_faults(missing("{[1,5),[7,9)}"), missing("{[1,5),[6,9)}")) != []
    assert judgement.stream_faults(missing("{[1,5),[7,9)}"), missing("{[1,9)}")) == []
    assert judgement.stream_faults(missing("{[1,9)}"), missing("{[1,9),[10,11)}")) == [], "9 may be on its way"


def test_what_is_given_up_is_explained_by_a_restored_outbox_only():
    assert judgement.lost_faults([("volume/a", "x", 1, 2)], {"volume/a"}) == []
    assert judgement.lost_faults([("volume/a", "x", 1, 2)], {"ads_ingest/a"}) != []


def test_numbers_given_twice_are_wrong_but_in_a_stream_that_ended_by_a_restored_outbox():
    streams = [
        StreamRow("s", "new", 7, "{}", "{}"),
        StreamRow("s", "old", 3, "{}", "{}"),
        StreamRow("t", "only", 4, "{}", "{}"),
    ]
    ended = judgement.ended_streams(streams, {"s", "t"})
    assert ended == {"old"}
    assert judgement.ended_streams(streams, {"t"}) == set()
    for faults in (judgement.number_faults, judgement.order_faults):
        assert faults([("old", 1)], ended) == []
        assert faults([("new", 1), ("only", 2)], ended) != []
