"""Automatic: the configured rules at work. Whether what they accept may be given now, or another instance gives it before us.

Each instance of an installation gives the same answers by the same rules under the same ids. They go by their names: the first
gives an answer at once, each further one some seconds later, unless it heard by then what became of it.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from ads_ingest.responding.answer_log import AnswerLog
from ads_ingest.responding.commands import Asked
from dotbus.contracts.codec import UndecodableMessage, decode_as
from dotbus.contracts.messages import KnownInstruction, ServiceStatus
from dotbus.runtime.installation.answers import AcceptanceRule
from dotbus.runtime.mqtt.messages import Delivery

SETTLE_S = 10.0
"""After a connection came or went. An instance that starts at the same time says that it is online a few seconds later: once
the broker has all its states, and with its next heartbeat at the latest."""
GONE_AFTER_S = 5.0
"""How long an instance that asks CAISO may be offline before nobody waits for it any more: it may have lost its connection."""
STEP_S = 5.0
"""How much later each further instance gives an answer: several times what an event needs from one to the other."""


class Instances:
    """The instances of this service that are online, as the broker has it. For any number of threads.

    Args:
        source: we ourselves.
        monotonic_s: seconds of a clock that nobody sets.
    """

    def __init__(self, source: str, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._source = source
        self._monotonic_s = monotonic_s
        self._online: dict[str, bool] = {}
        self._turned_s: dict[str, float] = {}
        self._changed_s = monotonic_s()

    def note_connection(self, _connected: bool) -> None:  # noqa: FBT001  # a listener's one argument
        """The broker is there, or is not any more. What was known of the others stays known until it says otherwise."""
        self._changed_s = self._monotonic_s()

    def note(self, delivery: Delivery) -> None:
        """An instance said whether it is online, or its last will did."""
        delivery.ack()
        try:
            status = decode_as(delivery.payload, ServiceStatus)
        except UndecodableMessage:
            return
        if self._online.get(status.source) is not status.online:
            self._turned_s = {**self._turned_s, status.source: self._monotonic_s()}
        self._online = {**self._online, status.source: status.online}

    def is_gone(self, source: str) -> bool | None:
        """Whether an instance has been offline for a while; None when the broker never said of it."""
        is_online = self._online.get(source)
        return None if is_online is None else not is_online and self._monotonic_s() - self._turned_s[source] >= GONE_AFTER_S

    @property
    def is_first(self) -> bool:
        """Whether no instance that is online comes before us by name."""
        return not any(is_online and source < self._source for source, is_online in self._online.items())

    @property
    def wait_s(self) -> float | None:
        """How long an answer by a rule waits for another instance's; None while it is not known which there are."""
        if self._monotonic_s() - self._changed_s < SETTLE_S:
            return None
        return STEP_S * sum(is_online and source < self._source for source, is_online in self._online.items())


class AutomaticAnswers:
    """Gives the answers of the rules, each once. For one thread, but for `look`.

    Args:
        log: knows what was answered.
        known: what is certainly instructed, by resource.
        instances: who else gives them.
        give: called with each.
        monotonic_s: seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        log: AnswerLog,
        known: Callable[[], Mapping[str, Sequence[KnownInstruction]]],
        instances: Instances,
        give: Callable[[Asked, AcceptanceRule], None],
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._answers = log
        self._known = known
        self._instances = instances
        self._give = give
        self._monotonic_s = monotonic_s
        self._is_due = threading.Event()
        self._since_s: dict[str, float] = {}

    def look(self) -> None:
        """CAISO was asked what is new: there may be something to answer."""
        self._is_due.set()

    def turn(self) -> None:
        """Give what is to be given now."""
        wait_s = self._instances.wait_s
        if wait_s is None or not self._is_due.is_set():
            return
        self._is_due.clear()
        now_s = self._monotonic_s()
        given = self._answers.automatic(self._known())
        self._since_s = {asked.id: self._since_s.get(asked.id, now_s) for asked, _rule in given}
        for asked, rule in given:
            if now_s - self._since_s[asked.id] >= wait_s:
                self._give(asked, rule)
            else:
                self._is_due.set()
