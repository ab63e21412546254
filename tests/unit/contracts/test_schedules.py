"""Of which schedule a DOT is."""

import pytest
from gateway_story import interval

from dotbus.contracts.schedules import Schedule, of_schedule


@pytest.mark.parametrize(
    ("batch_type", "schedules"),
    [
        (0, {Schedule.FIVE_MINUTE}),
        (1, {Schedule.HOURLY}),
        (4, {Schedule.FIVE_MINUTE, Schedule.HOURLY}),
        (3, {Schedule.FIVE_MINUTE}),
        (None, {Schedule.FIVE_MINUTE}),
    ],
)
def test_a_dot_is_five_minute_unless_its_batch_is_hourly_and_an_exceptional_one_is_both(batch_type, schedules):
    dot = interval(0, 10, batch_type=batch_type)
    assert {schedule for schedule in Schedule if of_schedule([dot], schedule)} == schedules
