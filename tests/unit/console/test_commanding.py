"""What is sent for somebody at a page, held against what ads_ingest itself makes of it, and what they are told became of it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from answering_bench import T0, TOPICS, Bench, known
from msgspec.structs import replace
from waiting import eventually

from console.access.people import Person, Role, Visit
from console.commanding import Answer, Commander, Outcome
from dotbus.contracts.codec import decode_as
from dotbus.contracts.messages import Environment, InstructionAction, InstructionResponse
from dotbus.runtime.mqtt.messages import PublishRefused, PublishTimedOut
from dotbus.testing.bus import FakeBus

ANNA = Visit(Person("anna", Role.OPERATOR), "token", "session")
ACCEPT = Answer(
    plant="north", resource="R1", batch_uid="H1", instruction_uid="H1-R1", action=InstructionAction.ACCEPT, accept_dot_mw=40.0
)


class World:
    """A commander, and an ads_ingest that hears it."""

    def __init__(self, folder: Path, reply_within_s: float = 30.0) -> None:
        self.bus = FakeBus()
        self.commander = Commander(self.bus, TOPICS, Environment.SIMULATOR, "console/a", lambda: T0, reply_within_s)
        self.bus.start()
        self.bench = Bench(folder)

    @property
    def command(self) -> InstructionResponse:
        return decode_as(self.bus.published[-1].payload, InstructionResponse)

    def answer(self, answer: Answer, visit: Visit = ANNA) -> Outcome:
        """Sent, judged, sent on to CAISO, and told."""

        async def story() -> Outcome:
            asking = asyncio.ensure_future(self.commander.answer(answer, visit, "10.0.0.1"))
            await asyncio.to_thread(eventually, lambda: self.bus.published)
            said, replies = self.bus.published[-1], len(self.bench.bus.published)
            self.bench.bus.deliver(said.topic, said.payload, received_at=T0)
            await asyncio.to_thread(self.bench.reply, replies + 1)
            reply = self.bench.bus.published[-1]
            self.bus.deliver(reply.topic, reply.payload)
            return await asking

        return asyncio.run(story())

    def answer_alone(self) -> Outcome:
        """Nobody hears it."""
        return asyncio.run(self.commander.answer(ACCEPT, ANNA, "10.0.0.1"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    one = World(tmp_path)
    yield one
    one.bench.stop()


@pytest.mark.parametrize(
    ("answer", "asked"),
    [
        (ACCEPT, "acceptInstruction"),
        (replace(ACCEPT, action=InstructionAction.PARTIAL, accept_dot_mw=15.5, reason_code=13), "partialAcceptInstruction"),
        (replace(ACCEPT, action=InstructionAction.DECLINE, accept_dot_mw=None, reason_code=10), "declineInstruction"),
    ],
)
def test_each_answer_reaches_caiso_with_who_gave_it(world: World, answer: Answer, asked: str):
    assert world.answer(answer).outcome == "taken"
    assert world.bench.asked() == [asked]
    event = world.bench.events()[-1]
    assert (event.requested_by, event.asked_by, event.asked_from) == ("anna", "anna", "10.0.0.1")
    assert (event.accept_dot_mw, event.reason_code) == (answer.accept_dot_mw, answer.reason_code)


def test_nobody_proved_who_they_are_where_nobody_signs_in(world: World):
    world.answer(ACCEPT, Visit(Person("somebody at this machine", Role.OPERATOR), "token"))
    assert (world.command.requested_by, world.command.asked_by) == ("somebody at this machine", None)


def test_what_is_another_instruction_by_now_than_was_seen_is_refused_with_why(world: World):
    world.bench.known["R1"] = (replace(known(), instructed_mw=60.0),)
    outcome = world.answer(ACCEPT)
    assert outcome == Outcome(outcome="refused", detail="accept takes the whole DOT of 60 MW; to take 40 MW of it use partial")
    assert world.bench.asked() == []


def test_no_reply_is_told_as_what_it_is(tmp_path: Path):
    outcome = World(tmp_path, reply_within_s=0.01).answer_alone()
    assert outcome.outcome == "no reply"
    assert "it may have been carried out" in outcome.detail


def test_a_command_counts_for_no_longer_than_its_reply_is_waited_for(world: World):
    world.answer(ACCEPT)
    assert world.command.expires_at is not None
    assert (world.command.expires_at - world.command.time).total_seconds() == world.commander.reply_within_s


def test_what_was_surely_not_sent_and_what_may_have_been_are_told_apart(world: World):
    world.bus.refuse = PublishRefused("not allowed", [])
    assert world.answer_alone() == Outcome(outcome="not sent", detail="not allowed")
    world.bus.refuse = PublishTimedOut("no acknowledgement")
    assert world.answer_alone().outcome == "unknown"
    world.bus.turn(connected=False)
    assert world.answer_alone() == Outcome(outcome="not sent", detail="the console does not hear the broker")


def test_a_reply_to_somebody_elses_command_is_passed_over(world: World):
    world.bench.ask(command_id="another")
    world.bench.reply()
    reply = world.bench.bus.published[-1]
    world.bus.deliver(reply.topic, reply.payload)
    world.bus.deliver(reply.topic, b"no reply at all")
    assert world.answer(ACCEPT).detail == "CAISO has this answer already: accept"
