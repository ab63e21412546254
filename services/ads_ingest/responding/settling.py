"""Settling: what became of an answer is kept, told to whoever asked, logged and counted. Once for all who asked it."""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from ads_ingest.responding.answer_log import AnswerLog
from ads_ingest.responding.answers import Begun
from ads_ingest.responding.commands import ELSEWHERE, UNKNOWN, Asked, Key, Result, Unreadable, named, reply_of
from ads_ingest.translate import Sender
from dotbus.contracts.codec import encode
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.messages import BusError, Outgoing

_REPLY_WITHIN_S = 5.0


@dataclass(frozen=True)
class ReplyTo:
    """Where a reply goes, and what tells the requester which question it answers."""

    topic: str
    correlation: bytes | None = None


@dataclass(frozen=True)
class _Waiting:
    """Who waits for what becomes of a command."""

    asked: Asked
    reply_to: tuple[ReplyTo, ...] = ()


class Replier(Protocol):
    """The bus, as far as replies go over it."""

    def publish(self, messages: Sequence[Outgoing], timeout_s: float = ...) -> None:
        """Publish and wait for the acknowledgements."""
        ...


class Settling:
    """Knows the answers that are under way, and settles each. For any number of threads.

    Args:
        bus: for the replies.
        log: where results are kept.
        sender: who replies.
        clock: the wall clock.
        count: told the outcome of each, for metrics.
    """

    def __init__(
        self,
        bus: Replier,
        log: AnswerLog,
        sender: Sender,
        *,
        clock: Callable[[], datetime],
        count: Callable[[str], None] = lambda _outcome: None,
    ) -> None:
        self._bus = bus
        self._answers = log
        self._sender = sender
        self._clock = clock
        self._count = count
        self._lock = threading.Lock()
        self._waiting: dict[Key, _Waiting] = {}
        self._log = get_logger("responding")

    def begin(self, asked: Asked, reply_to: ReplyTo | None = None) -> bool:
        """An answer was asked for. Returns whether it is new, and so to be gone on with and settled.

        Another time the same command is answered at once with what became of the first, or together with that, here or at
        another instance.
        """
        with self._lock:
            begun = self._answers.begin(asked)
            if isinstance(begun, Begun) and reply_to:
                before = self._waiting.get(asked.key, _Waiting(asked))
                self._waiting[asked.key] = replace(before, reply_to=(*before.reply_to, reply_to))
        if isinstance(begun, Result) and reply_to:
            self.reply(asked, begun, [reply_to])
        return begun is Begun.NEW

    def settle(self, asked: Asked, result: Result) -> None:
        """An answer that was begun came to its end, here."""
        self._keep(asked, result)
        self._count(result.outcome)
        self._tell(asked, result)
        self._answer_waiting(asked.key, None if result.outcome == ELSEWHERE else result)

    def settled_elsewhere(self, key: Key) -> None:
        """Another instance said what became of a command: who waits for that here is told."""
        self._answer_waiting(key, None)

    def _answer_waiting(self, key: Key, result: Result | None) -> None:
        """Reply with a result, or with what is known; while nothing is, whoever asked waits."""
        with self._lock:
            waiting = self._waiting.get(key)
            known = result or (self._answers.result_of(waiting.asked) if waiting else None)
            if waiting is None or known is None:
                return
            del self._waiting[key]
        self.reply(waiting.asked, known, waiting.reply_to)

    def reply(self, asked: Asked | Unreadable, result: Result, to: Sequence[ReplyTo]) -> None:
        """Tell whoever asked."""
        if not to:
            return
        payload = encode(reply_of(asked, result, self._sender, self._clock()))
        try:
            self._bus.publish([Outgoing(each.topic, payload, correlation=each.correlation) for each in to], _REPLY_WITHIN_S)
        except BusError as error:
            self._log.warning("a reply was not delivered", cause=str(error), next="the same command again is answered with it")

    def _keep(self, asked: Asked, result: Result) -> None:
        try:
            self._answers.keep(asked, result)
        except sqlite3.Error as error:
            self._log.error("what became of an answer is not kept", cause=str(error), outcome=result.outcome, **named(asked))

    def _tell(self, asked: Asked, result: Result) -> None:
        log = self._log.warning if result.outcome == UNKNOWN else self._log.info
        log("instruction answered", outcome=result.outcome, detail=result.detail, rule=asked.rule, **named(asked))
