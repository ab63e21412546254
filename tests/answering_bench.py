"""Instances that answer instructions, each with a CAISO in memory, an outbox on the disk, and one broker between them all."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
from ads_replies import envelope
from waiting import eventually

from ads_ingest.responding.account import AccountAnswers
from ads_ingest.responding.answer_log import AnswerLog, Claim
from ads_ingest.responding.automatic import AutomaticAnswers, Instances
from ads_ingest.responding.commands import Asked, Result
from ads_ingest.responding.responder import Responder
from ads_ingest.responding.settling import ReplyTo, Settling
from ads_ingest.translate import Sender
from caiso.ads import AdsClient
from caiso.ads.records import Question, Reply
from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import (
    Environment,
    InstructionAction,
    InstructionAnswer,
    InstructionAnswered,
    InstructionResponse,
    InstructionResponseReply,
    KnownInstruction,
)
from dotbus.contracts.topics import Topics
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity
from dotbus.testing.bus import FakeBus

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TOPICS = Topics()
ACCEPT = TOPICS.respond("north", "R1", "accept")
REPLY = TOPICS.respond_reply("north", "R1", "accept")
PLANTS = [{"name": "north", "resource": [{"id": "R1"}, {"id": "R2"}]}]
RULE = {"name": "small", "resources": ["R*"], "max_mw": 50.0, "dry_run": False}
COMMAND = InstructionResponse(
    environment=Environment.SIMULATOR,
    source="screen/1",
    time=T0,
    batch_uid="H1",
    instruction_uid="H1-R1",
    action=InstructionAction.ACCEPT,
    requested_by="somebody",
    command_id="c1",
)
replace = msgspec.structs.replace


def known(resource_id: str = "R1") -> KnownInstruction:
    return KnownInstruction(
        what="dot",
        standing="in force",
        start_at=T0 + 60 * MINUTE,
        instructed_mw=40.0,
        answer=InstructionAnswer(answer="none", is_open=True, open_until=T0 + 10 * MINUTE),
        instruction_uid=f"H1-{resource_id}",
        batch_uid="H1",
        batch_type=1,
        batch_status=1,
        batch_until=T0 + 120 * MINUTE,
        told_at=T0 - MINUTE,
    )


def code(question: Question | str, number: int) -> bytes:
    """A result code of the response service."""
    return envelope(question if isinstance(question, str) else question.operation, str(number))


def taken(question: Question) -> bytes:
    return code(question, 0)


def status(name: str, *, is_online: bool = True) -> bytes:
    """What an instance, or its last will, says of itself."""
    return encode(Identity("ads_ingest", name, Environment.SIMULATOR, T0).status(T0, online=is_online))


@dataclass
class Caiso:
    """The response service in memory: `answer` says what it does with a question."""

    answer: Callable[[Question], bytes | Exception] = taken
    asked: list[Question] = field(default_factory=list)

    def fetch(self, question: Question) -> Reply:
        self.asked.append(question)
        answer = self.answer(question)
        if isinstance(answer, Exception):
            raise answer
        return Reply(question, 200, answer)


class Broker:
    """Brings what every instance says to every instance in one order, and keeps it for those that are away."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._waiting: dict[str, list[tuple[str, bytes]]] = {}
        self._connected: dict[str, FakeBus] = {}
        self.is_held = False
        self.said: list[InstructionAnswered] = []

    def connect(self, name: str, bus: FakeBus) -> None:
        with self._lock:
            self._waiting.setdefault(name, [])
            self._connected[name] = bus
            self._bring()

    def disconnect(self, name: str) -> None:
        with self._lock:
            self._connected.pop(name, None)

    def say(self, topic: str, payload: bytes) -> None:
        with self._lock:
            self.said.append(decode_as(payload, InstructionAnswered))
            for waiting in self._waiting.values():
                waiting.append((topic, payload))
            self._bring()

    def hold(self) -> None:
        """Bring nothing until `release`, as a slow network does."""
        with self._lock:
            self.is_held = True

    def release(self) -> None:
        with self._lock:
            self.is_held = False
            self._bring()

    def _bring(self) -> None:
        for name, bus in tuple(self._connected.items()):
            while not self.is_held and self._waiting[name]:
                bus.deliver(*self._waiting[name].pop(0))


class CountedTurns(AutomaticAnswers):
    """Says how often it had its turn."""

    turns = 0

    def turn(self) -> None:
        super().turn()
        self.turns += 1


class CountedSettling(Settling):
    """Says whether everything that was begun has come to its end."""

    begun = ended = 0

    def begin(self, asked: Asked, reply_to: ReplyTo | None = None) -> bool:
        is_new = super().begin(asked, reply_to)
        self.begun += is_new
        return is_new

    def settle(self, asked: Asked, result: Result) -> None:
        super().settle(asked, result)
        self.ended += 1

    @property
    def is_idle(self) -> bool:
        return self.begun == self.ended and not self._waiting


class Bench:
    """An instance with a bus, an outbox on the disk and accounts with a CAISO each."""

    def __init__(
        self,
        folder: Path,
        *rules: dict[str, object],
        name: str = "a",
        sees: dict[str, set[str]] | None = None,
        broker: Broker | None = None,
    ) -> None:
        self.rules = rules
        self.name = name
        self.broker = broker or Broker()
        self.folder = folder / name
        self.sees = sees or {"": {"R1", "R2"}}
        self.caiso = {account: Caiso() for account in self.sees}
        self.known: dict[str, tuple[KnownInstruction, ...]] = {each: (known(each),) for each in ("R1", "R2")}
        self.now = T0
        self.monotonic_s = 100.0
        self.is_told = True
        self.turn_within_s = 15.0
        self.start()

    def start(self) -> None:
        document = {"environment": "simulator", "plant": PLANTS, "automatic_acceptance": list(self.rules)}
        self.sender = Sender(Installation.model_validate(document), f"ads_ingest/{self.name}")
        clock = lambda: self.now  # noqa: E731  # of this start
        self.bus, self.hearing, self.outcomes, self.let_go = FakeBus(), FakeBus(), list[str](), list[int]()
        self.outbox = Outbox(self.folder / "outbox.sqlite", max_age_s=1e9, max_bytes=10**9)
        self.log = AnswerLog(self.outbox, self.sender, committed=self.deliver, clock=clock)
        self.settling = settling = CountedSettling(self.bus, self.log, self.sender, clock=clock, count=self.outcomes.append)
        accounts = {
            name: AccountAnswers(
                name,
                AdsClient(caiso),
                claim=self.claim,
                judge=self.judge,
                settle=settling.settle,
                let_go=lambda: self.let_go.append(len(self.outcomes)),
            )
            for name, caiso in self.caiso.items()
        }
        instances = Instances(self.sender.source, lambda: self.monotonic_s)

        def automatic(give: Callable[..., None]) -> AutomaticAnswers:
            return CountedTurns(self.log, lambda: self.known, instances, give, lambda: self.monotonic_s)

        self.responder = Responder(
            self.bus,
            self.hearing,
            self.sender,
            self.log,
            settling,
            judge=self.judge,
            account_of=lambda resource: next((accounts[name] for name, seen in self.sees.items() if resource in seen), None),
            accounts=list(accounts.values()),
            automatic=automatic,
            instances=instances,
            is_shared=True,
        )
        self.bus.start()
        self.monotonic_s += 20.0
        self.deliver()
        self.broker.connect(self.name, self.hearing)
        self.responder.start()

    def deliver(self) -> None:
        """What the courier does: the outbox's events to the broker, in their order, while it is there."""
        with self.broker._lock:
            waiting = self.outbox.unpublished(1000) if self.is_told else []
            self.outbox.mark_published([event.number for event in waiting])
            for event in waiting:
                self.broker.say(event.topic, event.payload)

    def claim(self, asked: Asked) -> Claim:
        return self.log.claim(asked, 15.0 if self.is_told else 0.0, self.turn_within_s)

    def judge(self, asked: Asked) -> Result | None:
        return self.log.judge(asked, self.known.get(asked.resource_id, ()), self.now)

    def restart(self, *rules: dict[str, object]) -> None:
        self.stop()
        self.rules = rules or self.rules
        self.start()

    def stop(self) -> None:
        self.responder.stop()
        self.broker.disconnect(self.name)
        self.outbox.close()

    def ask(
        self, topic: str | None = None, response_topic: str = f"{REPLY}/1", correlation: bytes = b"7", **told: object
    ) -> None:
        command = replace(COMMAND, **told)
        topic = topic or TOPICS.respond("north", "R1", command.action)
        self.bus.deliver(topic, encode(command), response_topic=response_topic, correlation=correlation, received_at=T0)

    def replies(self) -> list[InstructionResponseReply]:
        return [decode_as(each.payload, InstructionResponseReply) for each in self.bus.published]

    def reply(self, number: int = 1) -> InstructionResponseReply:
        """The how manieth reply, waited for."""
        return eventually(lambda: len(self.bus.published) >= number and self.replies()[number - 1])

    def reply_to(self, command_id: str) -> InstructionResponseReply:
        """The last reply to a command, waited for."""
        return eventually(lambda: next((each for each in reversed(self.replies()) if each.command_id == command_id), None))

    def events(self) -> list[InstructionAnswered]:
        return [decode_as(kept.payload, InstructionAnswered) for kept in self.outbox.events_of("response/")]

    def kept(self) -> list[tuple[str, str | None]]:
        return [(event.outcome, event.refused_by) for event in self.events()]

    def asked(self, account: str = "") -> list[str]:
        return [question.operation for question in self.caiso[account].asked]

    def look(self) -> None:
        """The loop came round, and the responder looked and gave what a rule gives."""
        before = self.responder._automatic.turns
        self.responder.look()

        def has_looked() -> bool:
            self.responder._came.put(None)  # wakes it
            return self.responder._automatic.turns >= before + 2

        eventually(has_looked)
