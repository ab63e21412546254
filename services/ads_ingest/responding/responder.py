"""Responder: takes commands from the bus and answers from the rules, judges them, and hands them to who asks CAISO.

Its thread waits for nobody but the broker and the disk. Commands come on a connection of their own, so many at a time as were
not acknowledged; the broker keeps those behind them.
"""

import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from ads_ingest.responding.account import AccountAnswers, Judge
from ads_ingest.responding.answer_log import AnswerLog
from ads_ingest.responding.automatic import AutomaticAnswers, Instances
from ads_ingest.responding.checks import Check
from ads_ingest.responding.commands import (
    DRY_RUN,
    REFUSED,
    SENDING,
    Asked,
    Result,
    Unreadable,
    key_of,
    read_command,
    reply_topic,
)
from ads_ingest.responding.settling import ReplyTo, Settling
from ads_ingest.translate import Sender
from dotbus.contracts.codec import UndecodableMessage, decode_as
from dotbus.contracts.messages import InstructionAnswered
from dotbus.contracts.topics import Subject
from dotbus.runtime.installation.answers import AcceptanceRule
from dotbus.runtime.logs import get_logger
from dotbus.runtime.mqtt.messages import Delivery

SERVICE = "ads_ingest"
SHARE_GROUP = "ads_ingest"
"""Instances of one installation divide the commands between them: each is answered once."""
TICK_S = 0.5
_ASKING = Result(SENDING, "CAISO is to be asked to take the answer")
_BUSY = Result(REFUSED, "too many answers wait for CAISO already; nothing was sent", Check.BUSY.value)


class Connection(Protocol):
    """A connection to the broker, as far as something comes over it."""

    def subscribe(
        self, filters: Sequence[str], on_delivery: Callable[[Delivery], None], *, retained_as_published: bool = False
    ) -> None:
        """Ask for topics."""
        ...

    def on_connection(self, listener: Callable[[bool], None]) -> None:
        """Be told that the connection stands, or is lost."""
        ...


class Responder:
    """Answers what it is asked to, in a thread of its own.

    Args:
        bus: for commands; not started yet; whoever has it starts and stops it.
        hearing: for what every instance says became of them: one for which the broker keeps that while we are away.
        sender: who answers, for which installation.
        log: remembers and keeps what was answered.
        settling: tells what became of each answer.
        judge: why an answer is not sent.
        account_of: the account whose certificate sees a resource; None when none does.
        accounts: all of them.
        automatic: the rules at work, given what to call with each answer; None without rules.
        instances: the instances of this service.
        is_shared: whether the broker divides commands between instances.
    """

    def __init__(
        self,
        bus: Connection,
        hearing: Connection,
        sender: Sender,
        log: AnswerLog,
        settling: Settling,
        *,
        judge: Judge,
        account_of: Callable[[str], AccountAnswers | None],
        accounts: Sequence[AccountAnswers],
        automatic: Callable[[Callable[[Asked, AcceptanceRule], None]], AutomaticAnswers] | None,
        instances: Instances,
        is_shared: bool,
    ) -> None:
        self._sender = sender
        self._topics = sender.installation.topics
        self._answers = log
        self._settling = settling
        self._judge = judge
        self._account_of = account_of
        self._accounts = accounts
        self._automatic = automatic(self._give) if automatic else None
        self._instances = instances
        self._came: queue.SimpleQueue[Delivery | InstructionAnswered | None] = queue.SimpleQueue()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="responder", daemon=True)
        self._log = get_logger("responding")
        share = f"$share/{SHARE_GROUP}/" if is_shared else ""
        plants = [plant.name for plant in sender.installation.plants]
        commands = [share + self._topics.every_respond(plant) for plant in plants]
        bus.subscribe(commands, self._came.put, retained_as_published=True)
        hearing.subscribe([self._topics.every(Subject.RESPONSE)], self._on_answered)
        bus.subscribe([self._topics.every_instance(SERVICE)], instances.note)
        bus.on_connection(instances.note_connection)

    @property
    def is_alive(self) -> bool:
        """Whether it still works, or did not begin yet; when not, only a restart can help."""
        has_begun = self._thread.ident is not None
        return not has_begun or (self._thread.is_alive() and all(account.is_alive for account in self._accounts))

    def start(self) -> None:
        """Begin to answer."""
        for account in self._accounts:
            account.start()
        self._thread.start()

    def look(self) -> None:
        """CAISO was asked what is new: a rule may have something to answer."""
        if self._automatic:
            self._automatic.look()

    def stop(self) -> None:
        """Take no more, let CAISO answer what it is asked, refuse what waits, and end."""
        self._stopped.set()
        self._came.put(None)
        self._thread.join()
        for account in self._accounts:
            account.stop()

    def _on_answered(self, delivery: Delivery) -> None:
        """What an instance said, ourselves included. The broker says it again until it is kept."""
        try:
            event = decode_as(delivery.payload, InstructionAnswered)
        except UndecodableMessage as error:
            self._log.warning("what another instance answered was not understood", reason=error.reason)
            delivery.ack()
            return
        if event.environment is self._sender.environment:
            try:
                self._answers.hear(event)
            except sqlite3.Error as error:
                self._log.error("what another instance answered is not kept", cause=str(error))
                return
            self._came.put(event)
        delivery.ack()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._turn()
            except Exception:  # noqa: BLE001  # the next command must be answered whatever was wrong with this one
                self._log.exception("a fault of this software ended a command; please report it")

    def _turn(self) -> None:
        """What came is taken before a rule speaks: a command in it bars the rule."""
        try:
            self._take_one(self._came.get(timeout=TICK_S))
            for _ in range(self._came.qsize()):
                self._take_one(self._came.get_nowait())
        except queue.Empty:
            pass
        for event in self._answers.give_up(self._instances.is_gone, tell=self._instances.is_first):
            self._settling.settled_elsewhere(key_of(event))
        if self._automatic:
            self._automatic.turn()

    def _take_one(self, came: Delivery | InstructionAnswered | None) -> None:
        match came:
            case Delivery():
                try:
                    self._take(came)
                finally:
                    came.ack()
            case InstructionAnswered():
                self._settling.settled_elsewhere(key_of(came))

    def _take(self, delivery: Delivery) -> None:
        read, address = read_command(delivery, self._topics), self._topics.read(delivery.topic)
        if read is None or address is None:
            return
        reply_to = ReplyTo(reply_topic(delivery, address, self._topics), delivery.correlation)
        if isinstance(read, Unreadable):
            self._log.warning("a command was not understood", topic=delivery.topic, reason=read.why)
            self._settling.reply(read, Result(REFUSED, read.why, Check.MESSAGE.value), [reply_to])
        elif self._settling.begin(read, reply_to):
            self._go_on(read)

    def _give(self, asked: Asked, rule: AcceptanceRule) -> None:
        if self._settling.begin(asked):
            self._go_on(asked, is_dry_run=rule.dry_run)

    def _go_on(self, asked: Asked, *, is_dry_run: bool = False) -> None:
        try:
            self._hand_over(asked, is_dry_run=is_dry_run)
        except Exception as error:  # noqa: BLE001  # whoever asked must hear
            self._log.exception("a fault of this software ended an answer; please report it", command_id=asked.id)
            words = f"a fault of this software: {error!r}; nothing was sent"
            self._settling.settle(asked, Result(REFUSED, words, Check.FAULT.value))

    def _hand_over(self, asked: Asked, *, is_dry_run: bool) -> None:
        if refused := self._judge(asked):
            self._settling.settle(asked, refused)
        elif is_dry_run:
            words = f"the rule {asked.rule} would have accepted it; it is a dry run, and nothing was sent"
            self._settling.settle(asked, Result(DRY_RUN, words))
        elif not (account := self._account_of(asked.resource_id)):
            words = f"no account is known to see {asked.resource_id}; nothing was sent"
            self._settling.settle(asked, Result(REFUSED, words, Check.ACCOUNT.value))
        else:
            self._put(asked, account)

    def _put(self, asked: Asked, account: AccountAnswers) -> None:
        """Every instance hears that it is to be sent, in the order of the broker, before it is."""
        try:
            self._answers.keep(asked, _ASKING)
        except sqlite3.Error as error:
            words = f"nothing can be kept, so nothing was sent: {error}"
            self._settling.settle(asked, Result(REFUSED, words, Check.OUTBOX.value))
            return
        if not account.put(asked):
            self._settling.settle(asked, _BUSY)
