"""Everybody is asked at once, each with limits of its own, and all of them within one."""

import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from dotbus.runtime.installation.file import InstallationFile
from launcher.setup.check import named_services
from launcher.setup.online.answers import Answer, Inquiry, Whom
from launcher.setup.online.broker import ask_broker
from launcher.setup.online.caiso import ask_caiso
from launcher.setup.online.database import ask_database
from launcher.setup.online.modbus import ask_modbus


def inquiries(
    file: InstallationFile, whom: Collection[Whom], credentials: Path | None, clock: Callable[[], datetime]
) -> list[Inquiry]:
    """What there is to ask, by the variables that are set here.

    Args:
        file: the installation, without mistakes.
        whom: the kinds of who is asked.
        credentials: the folder of `dotbus certificates init`, if its users of broker and database are to be asked.
        clock: the wall clock.

    Raises:
        ConfigurationRefused: with every mistake in the variables of one kind.
    """
    named = named_services()
    by_kind: dict[Whom, Callable[[], Sequence[Inquiry] | Iterator[Inquiry]]] = {
        Whom.CAISO: lambda: ask_caiso(file, named, clock),
        Whom.BROKER: lambda: ask_broker(file, named, credentials, clock),
        Whom.DATABASE: lambda: ask_database(named, credentials),
        Whom.MODBUS: lambda: ask_modbus(file, named),
    }
    return [inquiry for kind, ask in by_kind.items() if kind in whom for inquiry in ask()]


def ask_all(asked: Sequence[Inquiry], within_s: float) -> list[Answer]:
    """The answers, in the order of the inquiries; for one that does not come in time, that it did not.

    Args:
        asked: each is asked in a thread of its own, which ends with the process at the latest.
        within_s: how long all of it may take.
    """
    ends_s = time.monotonic() + within_s
    asking = [_Asking(inquiry) for inquiry in asked]
    for one in asking:
        one.thread.start()
    for one in asking:
        one.thread.join(max(ends_s - time.monotonic(), 0.0))
    return [answer for one in asking for answer in one.answers(within_s)]


class _Asking:
    """One inquiry under way."""

    def __init__(self, inquiry: Inquiry) -> None:
        self._inquiry = inquiry
        self._answers: list[Answer] = []
        self._failure: Exception | None = None
        self.thread = threading.Thread(target=self._ask, name=inquiry.about, daemon=True)

    def _ask(self) -> None:
        try:
            for answer in self._inquiry.ask():
                self._answers.append(answer)  # each counts as soon as it is there
        except Exception as failure:  # noqa: BLE001  # raised where it is asked for
            self._failure = failure

    def answers(self, within_s: float) -> list[Answer]:
        """What came so far, and that the rest did not."""
        came = list(self._answers)
        if self.thread.is_alive():
            late = f"no answer within {within_s:g} s"
            came.append(Answer(whom=self._inquiry.whom, asked=self._inquiry.about, good=False, said=late))
        elif self._failure:
            raise self._failure
        return came
