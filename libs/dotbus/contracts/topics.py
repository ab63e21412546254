"""Topics: where each message is said.

Four kinds (event, state, command, and the status of a service) under one configurable root. A plant's ACL is one line:
``dotbus/v1/plant/PLANT/#``. Names that MQTT would misread are percent-encoded; everything else stays as it is written,
so that `mosquitto_sub` shows what an operator knows.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import unquote

DEFAULT_ROOT = "dotbus/v1"
REPLAY_ROOT = "replay/v1"
"""Below it a day of the past is played again, as a simulation."""
UNASSIGNED = "unassigned"
"""The plant of a resource that CAISO names and no configured plant claims."""

_CONTROLS = (*range(0x20), *range(0x7F, 0xA0))
_NO_CHARACTERS = (*range(0xFDD0, 0xFDF0), *(plane + last for plane in range(0, 0x110000, 0x10000) for last in (0xFFFE, 0xFFFF)))
_FORBIDDEN = frozenset("%/+#") | {chr(code) for code in (*_CONTROLS, *_NO_CHARACTERS)}
"""A broker may end the connection of whoever says such a character (MQTT 5, section 1.5.4), and Mosquitto does."""


class Subject(StrEnum):
    """What a topic says, and the last fixed word in it."""

    DISPATCH = "dispatch"
    TRAJECTORY_BATCH = "trajectory-batch"
    DOT = "dot"
    TRAJECTORY = "trajectory"
    INSTRUCTIONS = "instructions"
    RESPOND = "command"
    RESPOND_REPLY = "command/reply"
    RESPONSE = "response"
    TELEMETRY = "telemetry"
    WRITE = "write"
    PRICES = "prices"
    LMP = "lmp"
    SERVICE = "service"
    STREAM = "stream"
    GAP = "gap"
    REPLAY = "replay"
    REPLAY_REPLY = "replay/reply"
    BACKFILL = "backfill"
    BACKFILL_REPLY = "backfill/reply"
    RELOAD = "reload"
    RELOAD_REPLY = "reload/reply"
    ALARM_STATE = "alarm"
    ALARM = "event"
    ALARM_SUMMARY = "summary"
    ALARM_COMMAND = "alarm/command"
    ALARM_COMMAND_REPLY = "alarm/command/reply"


EVENTS = frozenset(
    {
        Subject.DISPATCH,
        Subject.TRAJECTORY_BATCH,
        Subject.RESPONSE,
        Subject.WRITE,
        Subject.PRICES,
        Subject.GAP,
        Subject.ALARM,
    }
)
"""Appended, never retained, carry a sequence number."""

STATES = frozenset(
    {
        Subject.DOT,
        Subject.TRAJECTORY,
        Subject.INSTRUCTIONS,
        Subject.TELEMETRY,
        Subject.LMP,
        Subject.SERVICE,
        Subject.STREAM,
        Subject.ALARM_STATE,
        Subject.ALARM_SUMMARY,
    }
)
"""The last word on one thing, retained."""


def encode_name(name: str) -> str:
    """One topic level from any name: forbidden characters as %XX of their UTF-8 bytes.

    Raises:
        ValueError: the name is empty; MQTT would merge its level with the next.
    """
    if not name:
        raise ValueError("a topic level cannot be made from an empty name")
    if _FORBIDDEN.isdisjoint(name):  # nearly all
        return name
    return "".join(_escape(c) if c in _FORBIDDEN else c for c in name)


def _escape(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode())


def decode_name(level: str) -> str:
    """The name that `encode_name` made a level of."""
    return unquote(level)


@dataclass(frozen=True)
class Address:
    """A topic taken apart: its subject and the names in it (plant and resource, market and node, or service and instance).

    Attributes:
        action: of a command to answer an instruction or to an alarm, or of its reply, the word that says how.
        point: of telemetry, what is measured.
        rule: of an alarm, what is alarmed; `name` is what it is about.
    """

    subject: Subject
    scope: str
    name: str | None = None
    action: str | None = None
    point: str | None = None
    rule: str | None = None


@dataclass(frozen=True)
class Topics:
    """Builds and reads every topic of one installation.

    Args:
        root: the levels before the first word of each topic, without a slash at either end.
    """

    root: str = DEFAULT_ROOT

    def dispatch(self, plant: str, resource: str) -> str:
        """Event: one dispatch batch's header and this resource's instructions."""
        return self._plant(plant, resource, Subject.DISPATCH)

    def trajectory_batch(self, plant: str, resource: str) -> str:
        """Event: one trajectory batch's DOPs and compliance records of this resource."""
        return self._plant(plant, resource, Subject.TRAJECTORY_BATCH)

    def dot(self, plant: str, resource: str) -> str:
        """State: the DOTs in force and ahead."""
        return self._plant(plant, resource, Subject.DOT)

    def trajectory(self, plant: str, resource: str) -> str:
        """State: the assembled DOP curve from now on."""
        return self._plant(plant, resource, Subject.TRAJECTORY)

    def instructions(self, plant: str, resource: str) -> str:
        """State: what CAISO instructs besides five-minute DOTs, in force and ahead."""
        return self._plant(plant, resource, Subject.INSTRUCTIONS)

    def respond(self, plant: str, resource: str, action: str) -> str:
        """Command: accept, decline or partially accept an instruction."""
        return f"{self._plant(plant, resource, Subject.RESPOND)}/{encode_name(action)}"

    def every_respond(self, plant: str) -> str:
        """The filter that matches each `respond` topic of one plant."""
        return f"{self.root}/plant/{encode_name(plant)}/+/{_OF_PLANT_AND_MORE[Subject.RESPOND]}"

    def respond_reply(self, plant: str, resource: str, action: str) -> str:
        """Where the answer to `respond` goes when the request names no response topic of its own below it."""
        return f"{self.respond(plant, resource, action)}/{_REPLY}"

    def is_respond_reply(self, topic: str, plant: str, resource: str) -> bool:
        """Whether a topic is for replies to commands of one resource: `respond_reply`, or one level below it."""
        return _is_reply_below(topic, f"{self._plant(plant, resource, Subject.RESPOND)}/")

    def response(self, plant: str, resource: str) -> str:
        """Event: a command to answer an instruction, and what became of it."""
        return self._plant(plant, resource, Subject.RESPONSE)

    def telemetry(self, plant: str, resource: str, point: str) -> str:
        """State: what a plant says of one point of a resource."""
        return f"{self._plant(plant, resource, Subject.TELEMETRY)}/{encode_name(point)}"

    def write(self, plant: str, resource: str) -> str:
        """Event: a write to a point of a resource, and whether it was taken."""
        return self._plant(plant, resource, Subject.WRITE)

    def prices(self, market: str) -> str:
        """Event: prices of many nodes for one interval."""
        return f"{self.root}/market/{encode_name(market)}/{Subject.PRICES}"

    def lmp(self, market: str, node: str) -> str:
        """State: one node's prices, the latest published and the currently active."""
        return f"{self.root}/market/{encode_name(market)}/{Subject.LMP}/{encode_name(node)}"

    def service(self, service: str, instance: str) -> str:
        """State: whether a service is there and hears its upstream; also its last will."""
        return f"{self.root}/service/{encode_name(service)}/{encode_name(instance)}"

    def every_instance(self, service: str) -> str:
        """The filter that matches the status of each instance of one service."""
        return f"{self.root}/service/{encode_name(service)}/+"

    def stream(self, service: str, instance: str) -> str:
        """State: which stream a source numbers its events in, and how far it goes."""
        return f"{self.service(service, instance)}/{Subject.STREAM}"

    def gap(self, service: str, instance: str) -> str:
        """Event: what a source could not have of its upstream, and will not have any more."""
        return f"{self.service(service, instance)}/{Subject.GAP}"

    def replay(self, service: str, instance: str) -> str:
        """Command: send again the events from one sequence number to another."""
        return f"{self.service(service, instance)}/{Subject.REPLAY}"

    def replay_reply(self, service: str, instance: str) -> str:
        """What became of a replay request."""
        return f"{self.service(service, instance)}/{Subject.REPLAY_REPLY}"

    def backfill(self, service: str, instance: str) -> str:
        """Command: ask CAISO for prices of the past."""
        return f"{self.service(service, instance)}/{Subject.BACKFILL}"

    def backfill_reply(self, service: str, instance: str) -> str:
        """Whether a backfill was taken."""
        return f"{self.service(service, instance)}/{Subject.BACKFILL_REPLY}"

    def reload(self, service: str, instance: str) -> str:
        """Command: read the installation's file again."""
        return f"{self.service(service, instance)}/{Subject.RELOAD}"

    def reload_reply(self, service: str, instance: str) -> str:
        """Whether what was read is in force."""
        return f"{self.service(service, instance)}/{Subject.RELOAD_REPLY}"

    def alarm_state(self, plant: str, about: str, rule: str) -> str:
        """State: one alarm as it is now."""
        return f"{self.alarms(plant)}/{encode_name(about)}/{encode_name(rule)}"

    def alarm(self, plant: str, about: str, rule: str) -> str:
        """Event: something happened to an alarm."""
        return f"{self.alarm_state(plant, about, rule)}/{Subject.ALARM}"

    def alarm_summary(self, plant: str) -> str:
        """State: how many alarms a plant's operator is shown."""
        return f"{self.alarms(plant)}/{Subject.ALARM_SUMMARY}"

    def alarm_command(self, plant: str, about: str, rule: str, action: str) -> str:
        """Command: acknowledge, shelve or unshelve an alarm."""
        return f"{self.alarm_state(plant, about, rule)}/{_COMMAND}/{encode_name(action)}"

    def alarm_command_reply(self, plant: str, about: str, rule: str, action: str) -> str:
        """Where the answer goes when the request names no response topic of its own below it."""
        return f"{self.alarm_command(plant, about, rule, action)}/{_REPLY}"

    def is_alarm_command_reply(self, topic: str, plant: str, about: str, rule: str) -> bool:
        """Whether a topic is for replies to commands to one alarm: `alarm_command_reply`, or one level below it."""
        return _is_reply_below(topic, f"{self.alarm_state(plant, about, rule)}/{_COMMAND}/")

    def alarms(self, plant: str) -> str:
        """Below it are the alarms of one plant."""
        return f"{self.root}/{Subject.ALARM_STATE}/{encode_name(plant)}"

    def every(self, subject: Subject) -> str:
        """The filter that matches each topic of this subject, whatever the names."""
        match subject:
            case Subject.PRICES:
                return f"{self.root}/market/+/{subject}"
            case Subject.LMP:
                return f"{self.root}/market/+/{subject}/+"
            case Subject.SERVICE:
                return f"{self.root}/service/+/+"
            case subject if subject in _OF_SERVICE:
                return f"{self.root}/service/+/+/{subject}"
            case subject if subject in _OF_ALARM:
                return f"{self.root}/{Subject.ALARM_STATE}/{_OF_ALARM[subject]}"
            case _:
                return f"{self.root}/plant/+/+/{_OF_PLANT_AND_MORE.get(subject, subject)}"

    def read(self, topic: str) -> Address | None:  # noqa: PLR0911  # one for each kind
        """What a topic is about, or None when it is not one of ours."""
        if not topic.startswith(f"{self.root}/"):
            return None
        match topic[len(self.root) + 1 :].split("/"):
            case ["plant", plant, resource, *rest]:
                return _address_of_plant(decode_name(plant), decode_name(resource), rest)
            case ["market", market, Subject.PRICES.value]:
                return Address(Subject.PRICES, decode_name(market))
            case ["market", market, Subject.LMP.value, node]:
                return Address(Subject.LMP, decode_name(market), decode_name(node))
            case ["service", service, instance, *rest] if (subject := _subject(rest or ["service"])) in _OF_SERVICE:
                return Address(subject, decode_name(service), decode_name(instance))
            case [Subject.ALARM_STATE.value, plant, *rest]:
                return _address_of_alarm(decode_name(plant), rest)
        return None

    def _plant(self, plant: str, resource: str, subject: Subject) -> str:
        return f"{self.root}/plant/{encode_name(plant)}/{encode_name(resource)}/{subject}"

    @classmethod
    def rooted(cls, root: str) -> Self:
        """Topics below a root.

        Raises:
            ValueError: the root is empty, begins or ends with a slash, or holds a wildcard or a control character.
        """
        levels = root.split("/")
        if root.startswith("$") or any(not level or encode_name(level) != level for level in levels):
            raise ValueError(f"{root!r} is not a topic root: name levels separated by single slashes, such as dotbus/v1")
        return cls(root)


_REPLY, _COMMAND = "reply", "command"
_OF_PLANT_AND_MORE = {
    Subject.RESPOND: f"{Subject.RESPOND}/+",
    Subject.RESPOND_REPLY: f"{Subject.RESPOND}/+/{_REPLY}",
    Subject.TELEMETRY: f"{Subject.TELEMETRY}/+",
}
_OF_ALARM = {
    Subject.ALARM_STATE: "+/+/+",
    Subject.ALARM: f"+/+/+/{Subject.ALARM}",
    Subject.ALARM_SUMMARY: f"+/{Subject.ALARM_SUMMARY}",
    Subject.ALARM_COMMAND: f"+/+/+/{_COMMAND}/+",
    Subject.ALARM_COMMAND_REPLY: f"+/+/+/{_COMMAND}/+/{_REPLY}",
}
_OF_PLANT = frozenset(
    {
        Subject.DISPATCH,
        Subject.TRAJECTORY_BATCH,
        Subject.DOT,
        Subject.TRAJECTORY,
        Subject.INSTRUCTIONS,
        Subject.RESPONSE,
        Subject.WRITE,
    }
)
_OF_SERVICE = frozenset(
    {
        Subject.SERVICE,
        Subject.STREAM,
        Subject.GAP,
        Subject.REPLAY,
        Subject.REPLAY_REPLY,
        Subject.BACKFILL,
        Subject.BACKFILL_REPLY,
        Subject.RELOAD,
        Subject.RELOAD_REPLY,
    }
)


def _address_of_plant(plant: str, resource: str, levels: list[str]) -> Address | None:
    match levels:
        case [word] if (subject := _subject([word])) in _OF_PLANT:
            return Address(subject, plant, resource)
        case [Subject.RESPOND.value, action]:
            return Address(Subject.RESPOND, plant, resource, decode_name(action))
        case [Subject.TELEMETRY.value, point]:
            return Address(Subject.TELEMETRY, plant, resource, point=decode_name(point))
        case [Subject.RESPOND.value, action, "reply"]:
            return Address(Subject.RESPOND_REPLY, plant, resource, decode_name(action))
    return None


def _address_of_alarm(plant: str, levels: list[str]) -> Address | None:
    match levels:
        case [Subject.ALARM_SUMMARY.value]:
            return Address(Subject.ALARM_SUMMARY, plant)
        case [about, rule]:
            return Address(Subject.ALARM_STATE, plant, decode_name(about), rule=decode_name(rule))
        case [about, rule, Subject.ALARM.value]:
            return Address(Subject.ALARM, plant, decode_name(about), rule=decode_name(rule))
        case [about, rule, "command", action]:
            return Address(Subject.ALARM_COMMAND, plant, decode_name(about), decode_name(action), rule=decode_name(rule))
        case [about, rule, "command", action, "reply"]:
            return Address(Subject.ALARM_COMMAND_REPLY, plant, decode_name(about), decode_name(action), rule=decode_name(rule))
    return None


def _is_reply_below(topic: str, commands: str) -> bool:
    levels = topic[len(commands) :].split("/") if topic.startswith(commands) else []
    return len(levels) in {2, 3} and levels[1] == _REPLY and all(levels) and not set("+#") & set(topic)


def _subject(levels: list[str]) -> Subject | None:
    try:
        return Subject("/".join(levels))
    except ValueError:
        return None
