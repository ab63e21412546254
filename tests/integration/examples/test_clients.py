"""The example clients in Python and Node.js, run as docs/clients.md says, at the broker as it is deployed."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme
from cutting_proxy import CuttingProxy
from example_ingest import Ingest, dot, ingesting, lines_of
from integration.deploy.test_deploy_mosquitto import TOPICS, Broker, broker
from waiting import eventually

from dotbus.contracts.messages import Environment

pytestmark = pytest.mark.integration
EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
COMMANDS = {
    "python": [sys.executable, str(EXAMPLES / "python" / "follow_plant.py"), "--database"],
    "node": ["node", str(EXAMPLES / "node" / "follow-plant.mjs"), "--events"],
}
GOOD, UNCERTAIN, BAD = 192, 64, 0
__all__ = ["broker"]  # a fixture


@dataclass
class Follower:
    """A client that runs. What it says is read from its output."""

    process: subprocess.Popen[bytes]
    output: Path

    def says(self) -> list[dict[str, Any]]:
        return lines_of(self.output.read_text(encoding="utf-8"))

    def last(self, resource: str) -> dict[str, Any]:
        """What it said last of a resource's DOT."""
        told = [line for line in self.says() if line.get("resource") == resource and "quality" in line]
        return told[-1] if told else {"quality": None, "reasons": [], "dot_mw": None}

    def events(self) -> list[tuple[str, int]]:
        return [(line["event"], line["missing"]) for line in self.says() if "event" in line]


Start = Callable[..., Follower]


@pytest.fixture(params=COMMANDS)
def start(request: pytest.FixtureRequest, broker: Broker, tmp_path: Path) -> Iterator[Start]:
    """Starts the client in one language; what it keeps of one start is there at the next."""
    running: list[Follower] = []
    password = tmp_path / "password"
    password.write_text(broker.password("plant-sierra") + "\n")

    def run(*resources: str, **changed: str) -> Follower:
        told = {"host": "127.0.0.1", "port": str(broker.port), "ca": str(broker.credentials / "operator" / "ca.pem")}
        told |= {"user": "plant-sierra", "password-file": str(password), "plant": "sierra", "environment": "simulator"}
        told |= {"client-id": f"{request.param}-{tmp_path.name}", **changed}
        options = [part for name, value in told.items() for part in (f"--{name}", value)]
        options += [part for resource in resources for part in ("--resource", resource)]
        output = tmp_path / f"{len(running)}.txt"
        with output.open("wb") as file:
            command = [*COMMANDS[request.param], str(tmp_path / "events"), *options]
            process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        running.append(Follower(process, output))
        return running[-1]

    yield run
    for follower in running:
        follower.process.kill()
        follower.process.wait()


@pytest.fixture(scope="module")
def ingest(broker: Broker) -> Iterator[Ingest]:
    ca = broker.credentials / "operator" / "ca.pem"
    with ingesting(broker.port, broker.password("ads_ingest"), ca, TOPICS) as connected:
        yield connected


def seen(ingest: Ingest, follower: Follower, resource: str, quality: int) -> dict[str, Any]:
    """What is said of a resource once it has this quality. Heartbeats come meanwhile, as they do."""

    def found() -> dict[str, Any] | None:
        ingest.beat()
        return told if (told := follower.last(resource))["quality"] == quality else None

    return eventually(found, every_s=0.3)


def test_a_client_shows_what_holds_and_nothing_else_as_good(start: Start, ingest: Ingest):
    ingest.dot(dot("OLD", heard_ago_s=600, valid_for_s=90))  # retained, as a broker repeats it for ever
    ingest.dot(dot("TEST", environment=Environment.STAGE))
    follower = start("SILENT")
    ingest.dot(dot("NEW R/1"))

    told = seen(ingest, follower, "NEW R/1", GOOD)
    assert (told["dot_mw"], told["reasons"]) == (12.0, [])
    assert told["age_s"] < 60
    for resource, reason in {"OLD": "stale", "TEST": "wrong_environment", "SILENT": "never_received"}.items():
        told = follower.last(resource)
        assert (told["quality"], told["dot_mw"]) == (BAD, None)
        assert reason in told["reasons"]


def test_what_nobody_vouches_for_any_more_turns_bad_without_a_message(start: Start, ingest: Ingest):
    follower = start()
    ingest.dot(dot("BRIEF", valid_for_s=4))
    assert seen(ingest, follower, "BRIEF", GOOD)["dot_mw"] == 12.0
    assert seen(ingest, follower, "BRIEF", BAD)["reasons"] == ["stale"]


def test_a_source_that_says_goodbye_leaves_its_dots_in_doubt(start: Start, ingest: Ingest):
    ingest.dot(dot("LEFT"))
    follower = start()
    seen(ingest, follower, "LEFT", GOOD)
    ingest.beat(online=False)
    told = eventually(lambda: (last := follower.last("LEFT"))["quality"] == UNCERTAIN and last)
    assert (told["dot_mw"], told["reasons"]) == (12.0, ["source_offline"])


def test_without_the_broker_a_dot_is_in_doubt_until_it_is_said_again(start: Start, ingest: Ingest, broker: Broker):
    way = CuttingProxy(broker.port)
    try:
        follower = start(port=str(way.port))
        ingest.dot(dot("FAR"))
        seen(ingest, follower, "FAR", GOOD)
        way.close()
        told = eventually(lambda: (last := follower.last("FAR"))["quality"] == UNCERTAIN and last)
        assert (told["dot_mw"], told["reasons"]) == (12.0, ["broker_lost"])
        way.open()
        assert seen(ingest, follower, "FAR", GOOD)["dot_mw"] == 12.0
    finally:
        way.close()


def test_a_dispatch_is_acted_on_once_though_it_comes_again_and_the_client_is_killed(start: Start, ingest: Ingest):
    first = start("SILENT")
    eventually(lambda: first.last("SILENT")["quality"] == BAD and seen_connected(ingest, first))
    ingest.dispatch(1, "R1")
    ingest.dispatch(1, "R1")
    ingest.dispatch(2, "R1")
    eventually(lambda: len(first.events()) == 2)
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    ingest.dispatch(2, "R1")  # while nobody is there: the broker keeps both
    ingest.dispatch(5, "R1")

    second = start()
    ingest.dispatch(5, "R1")
    ingest.dispatch(4, "R1")
    eventually(lambda: len(second.events()) == 2)
    assert first.events() == [("dispatch/1/1/R1", 0), ("dispatch/2/1/R1", 0)]
    assert second.events() == [("dispatch/5/1/R1", 2), ("dispatch/4/1/R1", 1)]


def seen_connected(ingest: Ingest, follower: Follower) -> bool:
    """Whether it hears the bus."""
    ingest.dot(dot("HEARD"))
    return follower.last("HEARD")["quality"] is not None


@pytest.mark.parametrize("wrong", ["password-file", "ca"])
def test_a_client_with_another_password_or_ca_says_so_and_hears_nothing(
    start: Start, ingest: Ingest, tmp_path: Path, wrong: str
):
    ingest.dot(dot("SECRET"))
    other = tmp_path / "other"
    other.write_bytes(b"not the password" if wrong == "password-file" else trustme.CA().cert_pem.bytes())
    follower = start(**{wrong: str(other)})
    why = {"password-file": "not authori", "ca": "certificate"}[wrong]
    eventually(lambda: why in follower.output.read_text(encoding="utf-8").lower())
    assert follower.last("SECRET")["quality"] is None
