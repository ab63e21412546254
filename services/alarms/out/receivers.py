"""Receivers: all who are told, each in a thread of its own, so that one who is away or slow holds up nobody."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from alarms.meters import Meters
from alarms.out.mail import Mailer
from alarms.out.secrets import Secrets
from alarms.out.sending import Sender
from alarms.out.telling import Telling
from alarms.out.webhook import Webhook
from dotbus.runtime.installation.alarm_receivers import AlarmReceiver
from dotbus.runtime.installation.alarms import Alarms
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.schedule import lasting_s

_END_WITHIN_S: Final = 3.0
"""A receiver that hangs is left behind; what it did not take it is told by the next process."""


class Receivers:
    """Everybody who is told.

    Args:
        alarms: of the installation, with who is told of what.
        secrets: by receiver.
        outbox: has the events.
        meters: what became of each.
        clock: the wall clock.
    """

    def __init__(
        self, alarms: Alarms, secrets: Mapping[str, Secrets], outbox: Outbox, meters: Meters, clock: Callable[[], datetime]
    ) -> None:
        self._stop = threading.Event()
        self._tellings = [
            Telling(
                *(name, receiver, sender, outbox),
                counted=lambda outcome, count, name=name: meters.note_telling(name, outcome, count),  # type: ignore[misc]  # as its default
                clock=clock,
                monotonic_s=lasting_s,
            )
            for name, receiver, sender in _ways(alarms, secrets)
        ]

    def wake(self) -> None:
        """Something happened. Returns at once."""
        for one in self._tellings:
            one.wake()

    def stop(self) -> None:
        """Tell nobody anything any more. Returns at once."""
        self._stop.set()
        self.wake()

    @property
    def complaints(self) -> list[str]:
        """Who cannot be told, and why."""
        return [f"{one.name} cannot be told of alarms: {one.failing}" for one in self._tellings if one.failing]

    @contextmanager
    def running(self) -> Iterator[None]:
        """They are told meanwhile."""
        threads = [
            threading.Thread(target=one.run, args=(self._stop,), name=f"tell-{one.name}", daemon=True) for one in self._tellings
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stop()
            for thread in threads:
                thread.join(_END_WITHIN_S)


def _ways(alarms: Alarms, secrets: Mapping[str, Secrets]) -> Sequence[tuple[str, AlarmReceiver, Sender]]:
    """Each mailbox is a way of its own: one that refuses keeps the others from nothing."""
    ways: list[tuple[str, AlarmReceiver, Sender]] = []
    for mail in alarms.emails:
        own = secrets[mail.name]
        mailers = {to: Mailer(mail, to, own.password, own.authority_file) for to in mail.to}
        ways += [(f"{mail.name}/{to}", mail, mailer) for to, mailer in mailers.items()]
    for hook in alarms.webhooks:
        own = secrets[hook.name]
        ways.append((hook.name, hook, Webhook(own.url or "", own.key, hook.timeout_s, own.authority_file)))
    return ways
