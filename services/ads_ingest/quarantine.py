"""Quarantine: a thing that went wrong is told once, with its cause, and its raw bytes are kept for whoever looks into it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from ads_ingest.settings import PREFIX
from caiso.ads import AdsFailure, HungUp, TlsProblem, TlsRefused, Unforeseen
from dotbus.runtime.logs import get_logger
from dotbus.runtime.quarantine import Quarantine

ASKED_AGAIN = "it is asked for again by itself, less and less often, while its interval lasts"
REMEMBERED = 1000
"""How many failures are told apart, should CAISO word each one differently."""

SETTING_OF: Mapping[TlsProblem, str] = MappingProxyType(
    {
        TlsProblem.SERVER_NOT_TRUSTED: f"{PREFIX}CA_FILE",
        TlsProblem.SERVER_UNUSABLE: f"{PREFIX}CA_FILE",
        TlsProblem.SERVER_OF_ANOTHER_NAME: f"{PREFIX}URL",
        TlsProblem.NO_COMMON_TLS: f"{PREFIX}URL",
        TlsProblem.CLIENT_EXPIRED: f"{PREFIX}CERTIFICATE_FILE",
        TlsProblem.CLIENT_NOT_ACCEPTED: f"{PREFIX}CERTIFICATE_FILE",
    }
)
"""The setting that names the file, or the address, that a refused handshake is about."""


class QuarantineLog:
    """Remembers what was told already.

    Args:
        quarantine: where raw bytes go.
    """

    def __init__(self, quarantine: Quarantine) -> None:
        self._quarantine = quarantine
        self._told: set[str] = set()
        self._told_problems: dict[str, tuple[str, ...]] = {}
        self._log = get_logger("ads")

    def of_failure(self, failure: AdsFailure, now: datetime) -> None:
        """A question without a usable answer; told once until the stream is well again."""
        if str(failure) in self._told:
            return
        if len(self._told) >= REMEMBERED:
            self._told.clear()
        self._told.add(str(failure))
        name = f"{failure.question.operation}-{failure.question.batch_uid}-{failure.kind}"
        kept = self._keep(failure.content, f"{name}.xml", now)
        if isinstance(failure, Unforeseen):
            self._keep(failure.traceback.encode(), f"{name}.txt", now)
            self._log.error(
                "a fault of this software",
                cause=str(failure),
                raw=kept,
                next="report it, with the traceback beside the raw bytes",
            )
        else:
            self._log.warning("no usable answer from CAISO", cause=str(failure), raw=kept, **_hints(failure))

    def of_loss(self, failure: AdsFailure, doubted: Sequence[str], now: datetime) -> None:
        """A batch that was given up: somebody has to look.

        `doubted` are the resources whose states name a reason against themselves until its interval is over.
        """
        kept = self._keep(failure.content, f"given-up-{failure.question.batch_uid}.xml", now)
        self._log.error(
            "a batch cannot be had from CAISO",
            batch_uid=failure.question.batch_uid,
            cause=str(failure),
            raw=kept,
            incomplete=list(doubted),
            next=f"the states of these resources say that they are incomplete; {ASKED_AGAIN}",
        )

    def of_problems(self, question: str, problems: Sequence[str], xml: bytes, now: datetime) -> None:
        """Parts of a document that nobody can be told of, because they do not say what or whose they are."""
        if tuple(problems) == self._told_problems.get(question, ()):
            return
        self._told_problems = {question: tuple(problems)}
        if not problems:
            return
        kept = self._keep(xml, f"parts-left-out-{question}.xml", now)
        self._log.error("parts of a document are not passed on", question=question, problems=list(problems), raw=kept)

    def forget(self) -> None:
        """All is well: the next failure is news."""
        self._told.clear()

    def _keep(self, content: bytes | None, name: str, now: datetime) -> str | None:
        path = self._quarantine.keep(content, name, now) if content else None
        return str(path) if path else None


def _hints(failure: AdsFailure) -> dict[str, str]:
    """What somebody may do: a refused handshake says it itself, but does not know the name of the setting."""
    if isinstance(failure, TlsRefused):
        return {"setting": SETTING_OF[failure.problem]} if failure.problem in SETTING_OF else {}
    if isinstance(failure, HungUp):
        return {"setting": SETTING_OF[TlsProblem.CLIENT_NOT_ACCEPTED], "next": ASKED_AGAIN}
    return {"next": ASKED_AGAIN}
