"""Times of instructions that contradict each other: nobody can tell when they hold."""

from datetime import UTC, datetime, timedelta

import pytest

from dotbus.contracts.instruction_times import misfit_of
from dotbus.contracts.messages import DispatchBatchHeader, Instruction

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
DOT, START_UP = 0, 4


def misfit(
    batch_type: int, instruction_type: int, start_min: float | None, end_min: float | None, batch_min: float | None = 0
) -> str | None:
    start, end, batch = (None if each is None else T0 + timedelta(minutes=each) for each in (start_min, end_min, batch_min))
    header = DispatchBatchHeader(batch_uid="B", batch_type=batch_type, start_at=batch)
    instruction = Instruction(
        instruction_uid="I", resource_id="R", instruction_type=instruction_type, start_at=start, end_at=end
    )
    return misfit_of(header, instruction)


@pytest.mark.parametrize(
    "times",
    [
        (0, DOT, 2.5, 5),
        (0, DOT, 0, None),  # CAISO's own sample: startTime is the batch's
        (0, DOT, 5, 5),
        (0, DOT, None, None),
        (0, DOT, 2.5, None, None),
        (1, DOT, 30, 60),
        (0, DOT, 5, 10),  # a contingency dispatch of ten minutes
        (4, DOT, 300, 600),  # how long an out-of-sequence dispatch lasts only it tells
        (2, START_UP, -30, 600),  # begins at its own startTime
        (2, START_UP, 30, 30),
    ],
)
def test_times_that_caiso_gives_fit(times: tuple[float, ...]) -> None:
    assert misfit(*times) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "times",
    [
        (0, DOT, None, -1),
        (0, DOT, 4, 3),
        (0, DOT, -0.5, None),
        (0, DOT, 61, None),
        (1, DOT, 61, None),
        (4, DOT, -5, 20),
        (0, DOT, 2.5, 121),
        (0, DOT, 2.5, 2, None),
        (2, START_UP, 30, 29),
        (5, 6, None, -1),
    ],
)
def test_times_that_contradict_each_other_are_told(times: tuple[float, ...]) -> None:
    assert misfit(*times) is not None  # type: ignore[arg-type]
