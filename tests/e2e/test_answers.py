"""The story of an answer: an hourly pre-dispatch, accepted by the plant, as CAISO and the database have it afterwards."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import sqlalchemy as sa
from listening import Listener
from plant_stack import RESOURCES, PlantStack
from real_mosquitto import Mosquitto, remove_mosquitto, start_mosquitto
from real_postgres import Postgres, new_database
from waiting import eventually

from dotbus.contracts.messages import Instructions
from dotbus.contracts.topics import Subject

pytestmark = pytest.mark.e2e

RESOURCE = RESOURCES[0]
PARTS = ("simulator", "historian", "ads_ingest")
LASTS = {"simulator": {"INTERVAL_S": "120", "HOLD_S": "30"}, "ads_ingest": {"RECHECK_S": "1"}}
"""An hourly pre-dispatch can be answered for half an interval."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    (tmp_path / "broker").mkdir()
    broker = start_mosquitto(tmp_path / "broker")
    yield broker
    remove_mosquitto(broker)


@pytest.fixture
def stack(tmp_path: Path, broker: Mosquitto, postgres: Postgres) -> Iterator[PlantStack]:
    folder = tmp_path / "stack"
    folder.mkdir()
    made = PlantStack(folder, broker, new_database(postgres), settings=LASTS)
    made.start(*PARTS)
    yield made
    made.stop()


def issued(stack: PlantStack) -> tuple[str, str]:
    """Batch and instruction of an hourly pre-dispatch of 40 MW that was just received."""
    order = {"kind": "hourly", "resources": [RESOURCE], "dot_mw": 40.0}
    batch = requests.post(f"http://127.0.0.1:{stack.port('admin')}/issue", json=order, timeout=20).json()
    return batch["batch_uid"], batch["instructions"][0]["instruction_uid"]


def answer(stack: PlantStack, *arguments: str) -> tuple[int, str]:
    """The command line of ads_ingest, as an operator runs it. Returns exit status and output."""
    environment = {"ADS_INGEST_CONFIG": str(stack.folder / "dotbus.toml"), "ADS_INGEST_MQTT_PORT": str(stack.broker.port)}
    command = [sys.executable, "-m", "ads_ingest", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=90, check=False)
    return done.returncode, done.stdout


def kept(stack: PlantStack, instruction_uid: str) -> list[tuple]:
    """What the database says of the answers to an instruction, in their order."""
    text = sa.text(
        "SELECT action, outcome, result_code, requested_by, accept_dot_mw FROM dotbus.instruction_response"
        " WHERE instruction_uid = :uid ORDER BY seq"
    )
    with stack.rows._engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text, {"uid": instruction_uid})]


def accepted_mw(stack: PlantStack, instruction_uid: str) -> float | None:
    """How much of an instruction the simulator has as accepted."""
    sent = (each for batch in stack.sent().batches for each in batch.instructions)
    return next(each.accept_dot_mw for each in sent if each.instruction_uid == instruction_uid)


def asked(stack: PlantStack, instruction_uid: str) -> list[int]:
    """The result codes that the simulator gave to answers to an instruction."""
    answers = requests.get(f"http://127.0.0.1:{stack.port('admin')}/answers", timeout=20).json()
    return [each["result_code"] for each in answers if each["instruction_uid"] == instruction_uid]


def until_said(stack: PlantStack, instruction_uid: str) -> None:
    """Wait until the bus tells of an instruction."""
    listener = Listener(stack.broker.port, [Subject.INSTRUCTIONS])
    try:
        eventually(
            lambda: any(
                known.instruction_uid == instruction_uid for state in listener.of(Instructions) for known in state.instructions
            ),
            within_s=50,
        )
    finally:
        listener.bus.stop()


def test_what_the_operator_accepts_caiso_has_and_the_database_says_who_did(stack: PlantStack) -> None:
    _batch_uid, uid = issued(stack)
    until_said(stack, uid)
    status, said = answer(stack, "accept", RESOURCE, uid, "--by", "night shift")
    assert (status, said.partition(":")[0]) == (0, "taken")
    assert accepted_mw(stack, uid) == 40.0
    assert asked(stack, uid) == [0]
    taken = [("accept", "sending", None, "night shift", None), ("accept", "taken", 0, "night shift", None)]
    eventually(lambda: kept(stack, uid) == taken, within_s=30)
    status, said = answer(stack, "accept", RESOURCE, uid)
    assert (status, said.partition(":")[0]) == (1, "refused")
    assert asked(stack, uid) == [0], "CAISO was not asked again"


def test_killed_between_asking_and_the_answer_it_is_never_sent_twice_and_the_database_says_that_nobody_knows(
    stack: PlantStack,
) -> None:
    batch_uid, uid = issued(stack)
    until_said(stack, uid)
    stack.ask_simulator("/faults", service="ads", fault="timeout", operation="acceptInstruction", times=1)
    named = ("accept", RESOURCE, uid, "--batch", batch_uid, "--by", "me", "--command-id", "once")
    operator = subprocess.Popen(
        [sys.executable, "-m", "ads_ingest", *named],
        env={"ADS_INGEST_CONFIG": str(stack.folder / "dotbus.toml"), "ADS_INGEST_MQTT_PORT": str(stack.broker.port)},
    )
    eventually(lambda: [row[1] for row in kept(stack, uid)] == ["sending"], within_s=30)
    stack.kill("ads_ingest")
    operator.kill()
    operator.wait()
    stack.start("ads_ingest")
    eventually(lambda: [row[1] for row in kept(stack, uid)] == ["sending", "unknown"], within_s=30)
    status, said = answer(stack, *named)
    assert (status, said.partition(":")[0]) == (3, "unknown")
    assert asked(stack, uid) == [], "the simulator never came to answer the first, and there was no second"
    assert [row[1] for row in kept(stack, uid)] == ["sending", "unknown"]
