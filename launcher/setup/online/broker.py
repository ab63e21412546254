"""Whether the broker takes each user, over the TLS that is configured, and lets it hear and say what is its own.

Every user connects by a client id that nobody has, so that nobody who runs is put out, and without a session. Then
- it asks for leave to publish on each kind of topic that it says, with names that nobody has (`Bus.ask_leave`). One such topic
  comes first: a broker that passes on what it should hold is noticed by it, and asked no more;
- it subscribes to what it hears. Some brokers refuse a subscription; Mosquitto with a file of rights accepts each, and gives
  nothing. So what one is given of what the broker retains is held against what the others are given.

Which topics those are is what `dotbus certificates init` writes into the broker's access list.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol
from uuid import uuid4

from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import BusError, Delivery
from launcher.setup.online.answers import Answer, Inquiry, Whom
from launcher.setup.online.broker_judging import Seen, is_made_up, judge, topic_of
from launcher.setup.online.broker_logins import Login, broker_logins, plants_without_password

CONNECT_WITHIN_S: Final = 8.0
ANSWERS_WITHIN_S: Final = 5.0
"""Of all users together."""
QUIET_FOR_S: Final = 0.5
QUIET_WITHIN_S: Final = 5.0
"""Where something always comes, what the broker retains has come after so long."""
_LOOK_EVERY_S: Final = 0.05
_PASSED_OVER: Final = (Subject.SERVICE, Subject.TELEMETRY, Subject.ALARM_COMMAND)
_SPEAKS_3 = "what it may publish cannot be asked in MQTT 3.1.1"
_PASSES_ON = "what it may publish is not asked: this broker passes on at once what it should hold"


class AskedBus(Protocol):
    """What is needed of a bus."""

    @property
    def connected(self) -> bool:
        """Whether the broker has let us in."""
        ...

    @property
    def complaint(self) -> str:
        """What was wrong when we last tried to connect; else empty."""
        ...

    @property
    def why_away(self) -> str:
        """The same, also while it is not known yet."""
        ...

    @property
    def refused_filters(self) -> Mapping[str, str]:
        """The topics that the broker does not let us hear, each with its reason."""
        ...

    def subscribe(self, filters: Sequence[str], on_delivery: Callable[[Delivery], None]) -> None:
        """Ask for topics."""

    def ask_leave(self, topics: Sequence[str], timeout_s: float = 10.0) -> Mapping[str, str]:
        """Ask whether we may publish, and publish nothing."""
        ...

    def start(self) -> None:
        """Begin to connect."""

    def stop(self) -> None:
        """Disconnect."""


class Visitor:
    """One user at the broker, for as long as it is asked.

    Args:
        login: who it is.
        bus: not started yet.
    """

    def __init__(self, login: Login, bus: AskedBus) -> None:
        self.login, self.bus = login, bus
        self.heard: set[str] = set()
        self.not_said: dict[str, str] | None = {} if login.settings.protocol == "5" else None
        self.unasked = "" if login.settings.protocol == "5" else _SPEAKS_3
        self.went = ""
        bus.subscribe(login.user.reads, self._on_delivery)

    def _on_delivery(self, delivery: Delivery) -> None:
        delivery.ack()
        self.heard.add(delivery.topic)

    @property
    def is_decided(self) -> bool:
        """Whether the broker has said yes or no."""
        return self.bus.connected or bool(self.bus.complaint)

    def ask(self, topics: Sequence[str], within_s: float) -> None:
        """Ask for leave to publish on topics, and remember which are refused."""
        if self.not_said is None or not self.bus.connected or self.went or not topics:
            return
        try:
            self.not_said |= self.bus.ask_leave(topics, within_s)
        except BusError as error:
            self.went = f"lets us in, and then does not answer: {error}"

    def give_up_asking(self, why: str) -> None:
        """Nothing more is asked of what it may publish."""
        self.not_said, self.unasked = None, self.unasked or why

    def seen(self) -> Seen:
        """What it saw."""
        settings = self.login.settings
        why = self.went or ("" if self.bus.connected else self.bus.why_away)
        away = why.removeprefix(f"the broker at {settings.host}:{settings.port} ")
        return Seen(self.login, away, frozenset(self.heard), self.bus.refused_filters, self.not_said, self.unasked)


def ask_broker(
    file: InstallationFile, named: Sequence[str], credentials: Path | None, clock: Callable[[], datetime]
) -> list[Inquiry]:
    """The question for all users of the broker whose passwords are here; nothing when there is none.

    Args:
        file: its topics and plants.
        named: the prefixes of the services that have variables here.
        credentials: the folder of `dotbus certificates init`, if its users are to be asked.
        clock: the wall clock.

    Raises:
        ConfigurationRefused: with every mistake in the variables of one.
    """
    logins = list(broker_logins(file, named, credentials))
    unknown = tuple(plants_without_password(file, credentials))
    if not logins:
        return []
    missing = [
        Answer(whom=Whom.BROKER, asked="users of plants", good=False, said="some have no password yet", mistakes=unknown)
        for _ in unknown[:1]
    ]

    def ask() -> list[Answer]:
        visitors = [Visitor(login, Bus(login.settings, _client_id(login), clock=clock)) for login in logins]
        return [*judge(visit(visitors, file.installation.topics)), *missing]

    places = sorted({f"{login.settings.host}:{login.settings.port}" for login in logins})
    return [Inquiry(Whom.BROKER, f"broker at {', '.join(places)}", ask)]


def visit(visitors: Sequence[Visitor], topics: Topics, quiet_for_s: float = QUIET_FOR_S) -> list[Seen]:
    """Have all users come at once, ask, and go.

    Args:
        visitors: the users.
        topics: of the installation.
        quiet_for_s: what the broker retains has come once nothing more came for so long.
    """
    try:
        for visitor in visitors:
            visitor.bus.start()
        _wait(lambda: all(visitor.is_decided for visitor in visitors), CONNECT_WITHIN_S)
        first = {visitor: _first_asked(visitor.login, topics) for visitor in visitors}
        _ask_all({visitor: [topic] if topic else [] for visitor, topic in first.items()})
        _wait_until_quiet(visitors, quiet_for_s)
        if any(is_made_up(topic) for visitor in visitors for topic in visitor.heard):
            for visitor in visitors:
                visitor.give_up_asking(_PASSES_ON)
        _ask_all({one: [topic for topic in map(topic_of, one.login.user.writes) if topic != first[one]] for one in visitors})
        return [visitor.seen() for visitor in visitors]
    finally:
        for visitor in visitors:
            visitor.bus.stop()


def _first_asked(login: Login, topics: Topics) -> str | None:
    """A topic on which whoever hears an empty message passes it over; None where there is none."""
    made_up = [topic for topic in map(topic_of, login.user.writes) if is_made_up(topic)]
    subjects = {at.subject: topic for topic in reversed(made_up) if (at := topics.read(topic))}
    return next((subjects[subject] for subject in _PASSED_OVER if subject in subjects), None)


def _ask_all(topics: Mapping[Visitor, Sequence[str]]) -> None:
    ends_s = time.monotonic() + ANSWERS_WITHIN_S
    for visitor, asked in topics.items():
        visitor.ask(asked, max(ends_s - time.monotonic(), _LOOK_EVERY_S))


def _wait_until_quiet(visitors: Sequence[Visitor], quiet_for_s: float) -> None:
    if not any(visitor.bus.connected for visitor in visitors):
        return
    ends_s = time.monotonic() + QUIET_WITHIN_S
    many, since_s = -1, 0.0
    while (now_s := time.monotonic()) < ends_s:
        if many != (many := sum(len(visitor.heard) for visitor in visitors)):
            since_s = now_s
        if now_s - since_s >= quiet_for_s:
            return
        time.sleep(_LOOK_EVERY_S)


def _wait(is_so: Callable[[], bool], within_s: float) -> None:
    ends_s = time.monotonic() + within_s
    while not is_so() and time.monotonic() < ends_s:
        time.sleep(_LOOK_EVERY_S)


def _client_id(login: Login) -> str:
    return f"dotbus-check-{login.user.name}-{uuid4().hex[:8]}"
