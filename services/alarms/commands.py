"""Commands: what a delivery on a command topic asks of an alarm, whether it may be, and what is replied. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from alarms.states.alarm import Deed
from alarms.states.observed import AlarmKey
from alarms.states.transitions import Trigger
from dotbus.contracts.alarms import AlarmAction, AlarmState
from dotbus.contracts.codec import UndecodableMessage, decode_as
from dotbus.contracts.messages import AlarmChanged, AlarmCommand, AlarmCommandReply, AlarmStatus, Environment
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.messages import Delivery
from dotbus.runtime.presence import Identity

COUNTS_FOR: Final = timedelta(minutes=1)
"""For how long a command counts that does not say so."""
_AHEAD_MOST: Final = timedelta(minutes=1)
_TRIGGERS: Final = {
    AlarmAction.ACKNOWLEDGE: Trigger.ACKNOWLEDGED,
    AlarmAction.SHELVE: Trigger.SHELVED,
    AlarmAction.UNSHELVE: Trigger.UNSHELVED,
}


class Refused(Exception):
    """A command that changes nothing, and why, in words."""


@dataclass(frozen=True)
class Asked:
    """A delivery on the topic of a command.

    Attributes:
        key: the alarm of the topic.
        action: the last word of the topic.
        delivery: as it came.
        reply_topic: where the reply goes.
    """

    key: AlarmKey
    action: str
    delivery: Delivery
    reply_topic: str


def asked_by(delivery: Delivery, topics: Topics) -> Asked | None:
    """Which alarm a delivery is about; None where it is no command, or takes back a retained one."""
    address = topics.read(delivery.topic)
    if address is None or address.subject is not Subject.ALARM_COMMAND or not delivery.payload:
        return None
    key, wanted = AlarmKey(address.scope, address.name or "", address.rule or ""), delivery.response_topic
    is_own = wanted is not None and all(key) and topics.is_alarm_command_reply(wanted, *key)
    return Asked(key, address.action or "", delivery, wanted if wanted and is_own else f"{delivery.topic}/reply")


def read_command(asked: Asked, environment: Environment, now: datetime) -> AlarmCommand:
    """The command of a delivery.

    Raises:
        Refused: it cannot be read, is retained, is of another environment, too late or too early, or contradicts its topic.
    """
    if asked.delivery.retained:
        raise Refused("a retained command is not taken: it would come again at each start, and nobody can tell how old it is")
    try:
        command = decode_as(asked.delivery.payload, AlarmCommand)
    except UndecodableMessage as error:
        raise Refused(f"it cannot be read: {error.reason}") from error
    if command.action != asked.action:
        raise Refused(f"it says {command.action}, its topic {asked.action}")
    if command.environment is not environment:
        raise Refused(f"it is of the environment {command.environment}, and this is {environment}")
    if command.time > now + _AHEAD_MOST:  # first: a time that is far ahead can be added nothing to
        raise Refused("it is dated more than a minute ahead")
    if now > (command.expires_at or command.time + COUNTS_FOR):
        raise Refused("it came too late")
    return command


def deed_of(command: AlarmCommand, status: AlarmStatus | None, now: datetime, shelve_most_h: float) -> Deed:
    """What is to be done with an alarm.

    Raises:
        Refused: there is no such alarm, it is another one than was looked at, or a shelving lacks why and for how long.
    """
    if status is None:
        raise Refused("there is no such alarm, or nothing ever happened to it")
    if command.raised_at is not None and command.raised_at != status.raised_at:
        raise Refused("it was raised again since it was looked at")
    until = _shelved_until(command, now, shelve_most_h) if command.action is AlarmAction.SHELVE else None
    return Deed(_TRIGGERS[command.action], command.requested_by, command.comment, command.command_id, until)


def repeated(kept: bytes, command: AlarmCommand, status: AlarmStatus | None) -> str:
    """What to say to a command whose id was used before: the same as then, as long as it is the same command and still so.

    Args:
        kept: the event of what was done by the id.
        command: what is asked by it now.
        status: the alarm as it is now.

    Raises:
        Refused: by the id something else was done, or it is not so any more.
    """
    event = decode_as(kept, AlarmChanged)
    done = f"by this command_id it was {event.what} at {event.changed_at:%Y-%m-%dT%H:%M:%SZ}"
    if event.what != _TRIGGERS[command.action]:
        raise Refused(f"{done}: choose another id for another command")
    is_shelved = status is not None and status.state is AlarmState.SHELVED
    is_so = {
        AlarmAction.ACKNOWLEDGE: status is None or status.acknowledged_at == event.changed_at,
        AlarmAction.SHELVE: is_shelved,
        AlarmAction.UNSHELVE: not is_shelved,
    }
    if not is_so[command.action]:
        raise Refused(f"{done}, and it is so no more: choose another id for another command")
    return "this was done before"


def _shelved_until(command: AlarmCommand, now: datetime, shelve_most_h: float) -> datetime:
    if not command.shelve_min:
        raise Refused("to shelve needs `shelve_min`: for how many minutes")
    if not (command.comment and command.comment.strip()):
        raise Refused("to shelve needs a `comment`: why")
    if command.shelve_min > shelve_most_h * 60:
        raise Refused(f"an alarm may be shelved for {shelve_most_h:g} h at once")
    return now + timedelta(minutes=command.shelve_min)


def reply_of(
    command: AlarmCommand | None, outcome: str, detail: str, status: AlarmStatus | None, identity: Identity, now: datetime
) -> AlarmCommandReply:
    """What whoever asked is told."""
    return AlarmCommandReply(
        environment=identity.environment,
        source=identity.source,
        time=now,
        command_id=command.command_id if command else None,
        outcome="taken" if outcome == "taken" else "refused",
        detail=detail,
        state=status.state if status else None,
    )
