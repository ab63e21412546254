"""What a command to an alarm says, as `dotbus alarms` sends it."""

from datetime import timedelta

from dotbus.contracts.alarms import AlarmAction
from dotbus.testing import samples
from launcher.alarms.asking import REPLY_WITHIN_S, Order, command_to


def test_a_command_counts_for_the_raising_that_was_seen_and_only_while_a_reply_to_it_is_waited_for():
    seen = samples.alarm_status()
    command = command_to(seen, Order(AlarmAction.SHELVE, "ben", "fan is changed", 30), samples.AT)
    assert (command.raised_at, command.environment) == (seen.raised_at, seen.environment)
    assert (command.requested_by, command.comment, command.shelve_min) == ("ben", "fan is changed", 30)
    assert command.time == samples.AT
    assert command.expires_at == samples.AT + timedelta(seconds=REPLY_WITHIN_S)


def test_every_command_has_an_id_of_its_own():
    order = Order(AlarmAction.ACKNOWLEDGE, "ben")
    ids = {command_to(samples.alarm_status(), order, samples.AT).command_id for _ in range(100)}
    assert len(ids) == 100
