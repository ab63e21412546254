"""A source is told that it gave numbers twice, less and less often, until it speaks of another stream."""

import itertools
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from dotbus.contracts.messages import OutboxSpan, ServiceStatus
from dotbus.testing import samples
from historian.write.reading.record import Stream
from historian.write.sequences.renumbered import MAX_STREAMS, Renumbered

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OURS = Stream("simulator", "ads_ingest/a", "old")


@pytest.fixture
def renumbered() -> Renumbered:
    renumbered = Renumbered(5.0, 40.0, lambda: 0.0)
    renumbered.note(OURS, NOW)
    return renumbered


def status(stream: str, **changes: object) -> ServiceStatus:
    outbox = OutboxSpan(stream=stream, first_seq=1, last_seq=9, unpublished=0)
    return msgspec.structs.replace(samples.service_status(), outbox=outbox, **changes)


def told(renumbered: Renumbered, seconds: int) -> list[Stream]:
    return renumbered.to_tell(NOW + timedelta(seconds=seconds))


def test_a_source_is_told_at_once_and_then_less_and_less_often(renumbered: Renumbered):
    moments = [second for second in range(150) if told(renumbered, second)]
    pauses = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert moments[0] == 0
    assert pauses == sorted(pauses)
    assert pauses[0] >= 5
    assert pauses[-1] == 40


def test_numbers_that_come_twice_again_hasten_nothing(renumbered: Renumbered):
    assert told(renumbered, 0) == [OURS]
    renumbered.note(OURS, NOW + timedelta(seconds=1))
    assert told(renumbered, 2) == []


def test_a_source_that_speaks_of_another_stream_is_told_no_more(renumbered: Renumbered):
    renumbered.heard_status(status("new"))
    assert told(renumbered, 0) == []


@pytest.mark.parametrize(
    "heard", [status("old"), status("new", online=False), status("new", source="ads_ingest/b", instance="b")]
)
def test_whoever_says_nothing_of_another_stream_of_that_source_changes_nothing(renumbered: Renumbered, heard: ServiceStatus):
    renumbered.heard_status(heard)
    assert told(renumbered, 0) == [OURS]


def test_no_more_streams_are_told_than_there_can_be(renumbered: Renumbered):
    for number in range(2 * MAX_STREAMS):
        renumbered.note(Stream("simulator", "anybody/a", f"s{number}"), NOW)
    assert len(told(renumbered, 0)) == MAX_STREAMS
