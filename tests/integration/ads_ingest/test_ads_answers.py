"""Answers to instructions, from a requester of somebody else's over a real Mosquitto to the simulator's response service."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
import requests
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from real_mosquitto import Mosquitto, free_port
from simulator_client import EXAMPLE, Keys, simulating
from waiting import eventually

from dotbus.runtime.installation.file import load_installation
from dotbus.runtime.schedule import utc_now
from simulators.server import Addresses

pytestmark = pytest.mark.integration

TOPICS = load_installation(EXAMPLE).topics
PLANT, RESOURCE = "sierra", "SIERRA_2_SOLAR1"
EVENTS, INSTRUCTIONS = TOPICS.response(PLANT, RESOURCE), TOPICS.instructions(PLANT, RESOURCE)
RULE = """
[[automatic_acceptance]]
name = "small"
resources = ["SIERRA_*"]
max_mw = 50.0
dry_run = {dry_run}
"""


@dataclass
class Stack:
    """A simulator, a broker and what was started between them."""

    admin_url: str
    broker: Mosquitto
    environment: dict[str, str]
    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, name: str = "a", **own: str) -> None:
        places = {"ADS_INGEST_INSTANCE": name, "ADS_INGEST_STATE_DIR": str(self.folder / name)}
        command = [sys.executable, "-m", "ads_ingest"]
        self.running[name] = subprocess.Popen(command, env={**self.environment, **places, **own})

    def kill(self, name: str = "a") -> None:
        process = self.running.pop(name)
        process.kill()
        process.wait()

    def admin(self, path: str, **order: object) -> Any:
        url = self.admin_url + path
        reply = requests.post(url, json=order, timeout=10) if order else requests.get(url, timeout=10)
        assert reply.ok, reply.text
        return reply.json()

    def issue(self, dot_mw: float = 40.0) -> dict[str, Any]:
        """An hourly pre-dispatch, received now and open for a while. Returns its instruction."""
        batch = self.admin("/issue", kind="hourly", resources=[RESOURCE], dot_mw=dot_mw)
        return {"batch_uid": batch["batch_uid"], **batch["instructions"][0]}

    def answers(self) -> list[tuple[str, int]]:
        """What the simulator's response service was asked, and its result codes."""
        return [(each["operation"], each["result_code"]) for each in self.admin("/answers")]

    def instruction(self, uid: str) -> dict[str, Any]:
        """An instruction as the simulator has it now."""
        batches = self.admin("/sent")["batches"]
        return next(each for batch in batches for each in batch["instructions"] if each["instruction_uid"] == uid)

    def run(self, *arguments: str, **own: str) -> tuple[int, str, str]:
        """The command line. Returns exit status, output and errors."""
        command = [sys.executable, "-m", "ads_ingest", *arguments]
        done = subprocess.run(command, env={**self.environment, **own}, capture_output=True, text=True, timeout=60, check=False)
        return done.returncode, done.stdout, done.stderr


@dataclass
class Requester:
    """A client of somebody else's, which asks and hears replies and events."""

    client: mqtt.Client
    heard: list[mqtt.MQTTMessage]

    def ask(
        self, action: str, instruction: dict[str, Any], command_id: str, *, is_retained: bool = False, **told: object
    ) -> None:
        command = {
            "kind": "respond",
            "version": 1,
            "environment": "simulator",
            "source": "screen/1",
            "time": utc_now().isoformat().replace("+00:00", "Z"),
            "batch_uid": instruction["batch_uid"],
            "instruction_uid": instruction["instruction_uid"],
            "action": action,
            "requested_by": "somebody",
            "command_id": command_id,
            **told,
        }
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.ResponseTopic = f"{TOPICS.respond_reply(PLANT, RESOURCE, action)}/screen-1"
        properties.CorrelationData = command_id.encode()
        self.client.publish(TOPICS.respond(PLANT, RESOURCE, action), json.dumps(command), 1, is_retained, properties)

    def replies(self, command_id: str) -> list[dict[str, Any]]:
        came = [each for each in tuple(self.heard) if each.topic.endswith("/screen-1")]
        return [json.loads(each.payload) for each in came if each.properties.CorrelationData == command_id.encode()]

    def reply(self, command_id: str, number: int = 1, within_s: float = 30.0) -> dict[str, Any]:
        """The how manieth reply to a command."""
        return eventually(lambda: (replies := self.replies(command_id))[number - 1 :] and replies[number - 1], within_s)

    def events(self, command_id: str | None = None) -> list[tuple[str, str]]:
        """Source and outcome of what was said of a command; an event that comes again after a crash is the same."""
        said = [json.loads(each.payload) for each in tuple(self.heard) if each.topic == EVENTS]
        once = {each["id"]: each for each in said}.values()
        return [(each["source"], each["outcome"]) for each in once if command_id in {None, each["command_id"]}]

    def until_answering(self) -> None:
        """Wait until somebody takes commands."""
        probe, nothing = new_id(), {"batch_uid": "none", "instruction_uid": "none"}

        def is_answered() -> bool:
            self.ask("accept", nothing, probe)
            return bool(self.replies(probe))

        eventually(is_answered, within_s=30, every_s=0.2)

    def until_open(self, instruction: dict[str, Any]) -> None:
        """Wait until the bus says that an instruction can be answered."""

        def is_open() -> bool:
            states = [json.loads(each.payload) for each in tuple(self.heard) if each.topic == INSTRUCTIONS]
            known = states[-1]["instructions"] if states else []
            return any(
                each["instruction_uid"] == instruction["instruction_uid"] and (each.get("answer") or {}).get("is_open")
                for each in known
            )

        eventually(is_open, within_s=30)
        self.until_answering()


@pytest.fixture(scope="module")
def caiso(keys: Keys) -> Iterator[Addresses]:
    with simulating(keys, EXAMPLE, utc_now, interval_s=120, hold_s=30) as addresses:
        yield addresses


@pytest.fixture
def stack(broker: Mosquitto, caiso: Addresses, keys: Keys, tmp_path: Path) -> Iterator[Stack]:
    environment = {
        **os.environ,
        "ADS_INGEST_CONFIG": str(EXAMPLE),
        "ADS_INGEST_URL": caiso.ads,
        "ADS_INGEST_CERTIFICATE_FILE": str(keys.client),
        "ADS_INGEST_CA_FILE": str(keys.authority),
        "ADS_INGEST_POLL_S": "0.3",
        "ADS_INGEST_RECHECK_S": "0.5",
        "ADS_INGEST_TIMEOUT_S": "10",
        "ADS_INGEST_MQTT_PORT": str(broker.port),
    }
    made = Stack(caiso.admin, broker, environment, tmp_path)
    yield made
    for name in list(made.running):
        made.kill(name)
    made.admin("/faults", service="ads", fault="timeout", operation="acceptInstruction", times=0)


@contextmanager
def requester(broker: Mosquitto) -> Iterator[Requester]:
    heard: list[mqtt.MQTTMessage] = []
    subscribed: list[int] = []
    client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
    client.on_message = lambda _c, _u, message: heard.append(message)
    client.on_subscribe = lambda *_: subscribed.append(1)
    client.connect("127.0.0.1", broker.port)
    client.loop_start()
    client.subscribe([(f"{TOPICS.root}/plant/{PLANT}/{RESOURCE}/#", mqtt.SubscribeOptions(qos=1))])
    eventually(lambda: subscribed)
    try:
        yield Requester(client, heard)
    finally:
        client.disconnect()
        client.loop_stop()


def new_id() -> str:
    return uuid.uuid4().hex


def test_somebodys_client_answers_and_caiso_says_so_in_the_state(stack: Stack) -> None:
    with requester(stack.broker) as screen:
        stack.start()
        instruction, command = stack.issue(), new_id()
        before = len(stack.answers())
        screen.until_open(instruction)
        screen.ask("partial", instruction, command, accept_dot_mw=15.0, reason_code=13)
        reply = screen.reply(command)
        assert (reply["outcome"], reply["result_code"]) == ("taken", 0)
        assert stack.answers()[before:] == [("partialAcceptInstruction", 0)]
        assert stack.instruction(instruction["instruction_uid"])["accept_dot_mw"] == 15.0

        def told() -> bool:
            states = [json.loads(each.payload) for each in tuple(screen.heard) if each.topic == INSTRUCTIONS]
            return any(
                each["instruction_uid"] == instruction["instruction_uid"] and each["answer"]["answer"] == "partly accepted"
                for each in states[-1]["instructions"]
            )

        eventually(told)
        eventually(lambda: screen.events(command) == [("ads_ingest/a", "sending"), ("ads_ingest/a", "taken")])


def test_what_caiso_would_not_take_is_refused_in_words_and_never_sent(stack: Stack) -> None:
    with requester(stack.broker) as screen:
        stack.start()
        instruction = stack.issue()
        before = len(stack.answers())
        screen.until_open(instruction)
        for name, told in {"mw": {"accept_dot_mw": 41.0, "reason_code": 13}, "reason": {"accept_dot_mw": 1.0}}.items():
            screen.ask("partial", instruction, f"{instruction['instruction_uid']}-{name}", **told)
        refused = [screen.reply(f"{instruction['instruction_uid']}-{name}")["refused_by"] for name in ("mw", "reason")]
        assert refused == ["megawatts", "reason"]
        assert len(stack.answers()) == before


@pytest.mark.parametrize(("fault", "answered"), [("timeout", 0), ("drip_headers", 1)])
def test_killed_while_caiso_is_asked_nobody_knows_whether_it_has_it_or_not_and_it_is_never_sent_twice(
    stack: Stack, fault: str, answered: int
) -> None:
    with requester(stack.broker) as screen:
        stack.start()
        instruction, command = stack.issue(), new_id()
        screen.until_open(instruction)
        stack.admin("/faults", service="ads", fault=fault, operation="acceptInstruction", times=1)
        before = len(stack.answers())
        screen.ask("accept", instruction, command)
        eventually(lambda: screen.events(command) == [("ads_ingest/a", "sending")])
        eventually(lambda: stack.admin("/faults")["pending"] == [])
        eventually(lambda: len(stack.answers()) - before == answered)
        stack.kill()
        stack.start()
        eventually(lambda: screen.events(command)[-1:] == [("ads_ingest/a", "unknown")], within_s=30)
        screen.ask("accept", instruction, command)
        reply = screen.reply(command)
        assert (reply["outcome"], reply["result_code"]) == ("unknown", None)
        assert "the process ended" in reply["detail"]
        assert len(stack.answers()) - before == answered
        assert screen.events(command) == [("ads_ingest/a", "sending"), ("ads_ingest/a", "unknown")]


def test_killed_at_any_step_the_same_command_again_is_answered_and_caiso_has_it_once_at_the_most(stack: Stack) -> None:
    with requester(stack.broker) as screen:
        for step in range(4):
            stack.start()
            instruction, command = stack.issue(), new_id()
            screen.until_open(instruction)

            def answered(uid: str = instruction["instruction_uid"]) -> list[int]:
                return [each["result_code"] for each in stack.admin("/answers") if each["instruction_uid"] == uid]

            reached = (lambda: True, lambda: screen.events(command), answered, lambda: screen.replies(command))  # noqa: B023
            screen.ask("accept", instruction, command)
            eventually(reached[step], every_s=0.001)
            stack.kill()
            before = len(screen.replies(command))
            stack.start()
            screen.until_answering()
            screen.ask("accept", instruction, command)
            outcome = screen.reply(command, before + 1)["outcome"]
            assert outcome in {"taken", "unknown"}
            assert len(answered()) <= 1
            assert answered() == [0] or outcome == "unknown"
            stack.kill()


def test_two_instances_ask_caiso_once_however_often_the_command_comes(stack: Stack) -> None:
    with requester(stack.broker) as screen:
        for name in ("a", "b"):
            stack.start(name)
        instruction, command = stack.issue(), new_id()
        before = len(stack.answers())
        screen.until_open(instruction)
        eventually(lambda: {each.topic for each in screen.heard})
        screen.ask("accept", instruction, command)
        assert screen.reply(command)["outcome"] == "taken"
        eventually(lambda: len(screen.events(command)) == 2)
        for number in range(2, 8):  # they fall to one instance or to the other
            screen.ask("accept", instruction, command)
            assert screen.reply(command, number)["outcome"] == "taken"
        assert stack.answers()[before:] == [("acceptInstruction", 0)]
        assert len({source for source, _outcome in screen.events(command)}) == 1


def test_a_command_that_reaches_two_instances_at_once_is_asked_of_caiso_once_and_told_to_all(stack: Stack) -> None:
    with requester(stack.broker) as screen:
        for name in ("a", "b"):
            stack.start(name)
        instruction = stack.issue()
        screen.until_open(instruction)
        known = f"*{instruction['batch_uid'][:30]}*"
        eventually(lambda: all(any((stack.folder / name / "archive").rglob(known)) for name in ("a", "b")), within_s=30)
        for _ in range(5):
            command, before = new_id(), len(stack.answers())
            for _ in range(6):
                screen.ask("partial", instruction, command, accept_dot_mw=float(before % 39), reason_code=13)
            eventually(lambda command=command: len(screen.replies(command)) == 6)
            assert {reply["outcome"] for reply in screen.replies(command)} == {"taken"}
            assert len(stack.answers()) == before + 1
            outcomes = [outcome for _source, outcome in screen.events(command)]
            assert [outcome for outcome in outcomes if outcome not in {"sending", "elsewhere"}] == ["taken"]


def test_a_retained_command_is_refused_in_words_while_we_listen_and_does_not_come_again(stack: Stack) -> None:
    with requester(stack.broker) as screen:
        stack.start()
        instruction, command = stack.issue(), new_id()
        screen.until_open(instruction)
        before = len(stack.answers())
        screen.ask("accept", instruction, command, is_retained=True)
        assert "retain" in screen.reply(command)["detail"]
        assert len(stack.answers()) == before
        screen.client.publish(TOPICS.respond(PLANT, RESOURCE, "accept"), b"", qos=1, retain=True)


@pytest.mark.parametrize(("dry_run", "outcomes", "asked"), [("true", ["dry-run"], 0), ("false", ["sending", "taken"], 1)])
def test_of_two_instances_one_accepts_by_a_rule_once_the_other_when_that_one_is_gone_and_a_dry_run_asks_nothing(
    stack: Stack, tmp_path: Path, dry_run: str, outcomes: list[str], asked: int
) -> None:
    config = tmp_path / "dotbus.toml"
    config.write_text(EXAMPLE.read_text() + RULE.format(dry_run=dry_run))
    with requester(stack.broker) as screen:
        for name in ("a", "b"):
            stack.start(name, ADS_INGEST_CONFIG=str(config))

        def said(uid: str) -> list[tuple[str, str]]:
            events = [json.loads(each.payload) for each in tuple(screen.heard) if each.topic == EVENTS]
            once = {each["id"]: each for each in events}.values()
            return [(each["source"], each["outcome"]) for each in once if each["instruction_uid"] == uid]

        first = stack.issue(dot_mw=30.0)["instruction_uid"]
        eventually(lambda: [outcome for _source, outcome in said(first)] == outcomes, within_s=30)
        ((source, _), *_) = said(first)
        stack.kill(source.removeprefix("ads_ingest/"))
        second = stack.issue(dot_mw=31.0)["instruction_uid"]
        eventually(lambda: [outcome for _source, outcome in said(second)] == outcomes, within_s=60)
        assert {each for each, _outcome in said(second)} == {"ads_ingest/a", "ads_ingest/b"} - {source}
        for uid, dot_mw in ((first, 30.0), (second, 31.0)):
            assert [outcome for _source, outcome in said(uid)] == outcomes
            assert len([each for each in stack.admin("/answers") if each["instruction_uid"] == uid]) == asked
            assert stack.instruction(uid)["accept_dot_mw"] == (dot_mw if asked else None)


def test_a_command_line_accepts_and_says_what_became_of_it(stack: Stack) -> None:
    with requester(stack.broker) as screen:
        stack.start()
        instruction = stack.issue()
        uid = instruction["instruction_uid"]
        screen.until_open(instruction)
        status, said, _ = stack.run("accept", RESOURCE, uid, "--by", "the operator")
        assert (status, said) == (
            0,
            "taken: CAISO has taken the answer: ADS received the response and accepted it (CAISO's result code 0)\n",
        )
        assert stack.instruction(uid)["accept_dot_mw"] == 40.0
        status, said, _ = stack.run("accept", RESOURCE, uid)
        assert (status, said) == (1, "refused: CAISO has this answer already: accept\n")
        status, said, told = stack.run("decline", RESOURCE, uid, "--reason", "11")
        assert (status, said.partition(":")[0]) == (0, "taken"), told
        assert stack.instruction(uid)["accept_dot_mw"] == 0.0
        status, _, told = stack.run("accept", RESOURCE, "another")
        assert status == 1
        assert f"nothing was sent: {RESOURCE} has no instruction another now; these can be answered: " in told
        requested = [json.loads(each.payload)["requested_by"] for each in screen.heard if each.topic == EVENTS]
        assert "the operator" in requested


def test_a_command_line_that_hears_nothing_says_that_nobody_knows(stack: Stack) -> None:
    status, _, told = stack.run("accept", RESOURCE, "I", "--batch", "B", "--within-s", "1")
    assert status == 3
    assert "unknown: nobody answered in time" in told
    assert "--command-id" in told


def test_a_command_line_says_in_time_that_there_is_no_broker(stack: Stack) -> None:
    status, _, told = stack.run("accept", RESOURCE, "I", "--batch", "B", ADS_INGEST_MQTT_PORT=str(free_port()))
    assert status == 1
    assert "nothing was sent: the broker at 127.0.0.1:" in told


def test_a_slow_caiso_holds_back_neither_the_dispatches_nor_the_next_command_for_long(stack: Stack) -> None:
    with requester(stack.broker) as screen:
        stack.start()
        instruction, slow, next_one = stack.issue(), new_id(), new_id()
        screen.until_open(instruction)
        stack.admin("/faults", service="ads", fault="timeout", operation="acceptInstruction", times=1)
        screen.ask("accept", instruction, slow)
        eventually(lambda: screen.events(slow) == [("ads_ingest/a", "sending")])
        another = stack.issue(dot_mw=12.0)
        screen.until_open(another)
        assert screen.replies(slow) == [], "the new instruction came while CAISO did not answer"
        screen.ask("accept", another, next_one)
        assert screen.reply(slow)["outcome"] == "unknown"
        assert screen.reply(next_one)["outcome"] == "taken"


def test_a_loop_that_waits_for_caiso_holds_back_no_answer(stack: Stack) -> None:
    with requester(stack.broker) as screen:
        stack.start(ADS_INGEST_TIMEOUT_S="120")
        instruction, command = stack.issue(), new_id()
        screen.until_open(instruction)
        stack.admin("/faults", service="ads", fault="timeout", operation="getDispatchBatchesSinceUID", times=1)
        eventually(lambda: stack.admin("/faults")["pending"] == [])
        screen.ask("accept", instruction, command)
        assert screen.reply(command, within_s=15)["outcome"] == "taken", "CAISO holds the loop's question for 30 s"


def test_of_several_accounts_the_one_that_sees_the_resource_answers(stack: Stack, keys: Keys) -> None:
    for client, plant in (("guest", "DELTA_*"), ("sierra", "SIERRA_*")):
        stack.admin("/clients", client=client, resources=[plant])
    accounts = stack.folder / "accounts.toml"
    names = (("delta", keys.guest), ("sierra", keys.sierra))
    accounts.write_text("".join(f'[[account]]\nname = "{name}"\ncertificate_file = "{file}"\n' for name, file in names))
    with requester(stack.broker) as screen:
        stack.start(ADS_INGEST_ACCOUNTS_FILE=str(accounts), ADS_INGEST_CERTIFICATE_FILE="")
        instruction, command = stack.issue(), new_id()
        screen.until_open(instruction)
        screen.ask("accept", instruction, command)
        assert screen.reply(command)["outcome"] == "taken"
        answered = [each for each in stack.admin("/answers") if each["instruction_uid"] == instruction["instruction_uid"]]
        assert [each["client"] for each in answered] == ["sierra"]


@pytest.mark.parametrize("fault", ["malformed", "busy", "http_503", "cut"])
def test_after_any_reply_without_a_result_code_nobody_knows_and_what_came_is_kept(stack: Stack, fault: str) -> None:
    with requester(stack.broker) as screen:
        stack.start()
        instruction, command = stack.issue(), new_id()
        screen.until_open(instruction)
        stack.admin("/faults", service="ads", fault=fault, operation="acceptInstruction", times=1)
        screen.ask("accept", instruction, command)
        assert screen.reply(command)["outcome"] == "unknown"
        assert list((stack.folder / "a" / "quarantine").glob("*acceptInstruction*"))
