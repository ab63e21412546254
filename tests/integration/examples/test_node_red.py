"""Node-RED's flow of docs/clients.md, run without an editor at the broker as it is deployed: what it shows and sends."""

import json
import os
import shutil
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from chromium import Watched, browser, violations
from example_ingest import PLANT, Ingest, dot, ingesting, instructions
from integration.deploy.test_deploy_mosquitto import TOPICS, Broker, broker
from real_mosquitto import free_port
from waiting import eventually

from dotbus.contracts.messages import Environment, InstructionAction
from dotbus.testing import samples

pytestmark = pytest.mark.integration
EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "node-red"
GOOD, UNCERTAIN, BAD = 192, 64, 0
STARTED_WITHIN_S = 40.0
__all__ = ["broker"]  # a fixture


@dataclass
class NodeRed:
    """A Node-RED that runs the flow."""

    address: str

    def get(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.address}{path}", timeout=10) as answer:
            return str(answer.read().decode())

    def dots(self) -> dict[str, dict[str, Any]]:
        """What it shows of each resource."""
        return {each["resource"]: each for each in json.loads(self.get("/dotbus/state"))["dots"]}

    def open(self, resource: str) -> list[dict[str, Any]]:
        """What it shows of a resource as to be answered."""
        return [each for each in json.loads(self.get("/dotbus/state"))["open"] if each["resource"] == resource]

    def accept(self, **told: str) -> tuple[int, dict[str, Any]]:
        """The status and the answer to an acceptance."""
        head = {"Content-Type": "application/json"}
        asked = urllib.request.Request(f"{self.address}/dotbus/accept", json.dumps(told).encode(), head, method="POST")
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read())


def is_there(node_red: NodeRed) -> bool:
    try:
        return bool(node_red.get("/dotbus/state"))
    except OSError:
        return False


@pytest.fixture(scope="module")
def node_red(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeRed]:
    home = tmp_path_factory.mktemp("node-red")
    for name in ("flows.json", "flows_cred.json", "settings.js"):
        shutil.copy(EXAMPLE / name, home)
    told = {
        "DOTBUS_HOST": "127.0.0.1",
        "DOTBUS_PORT": str(broker.port),
        "DOTBUS_CA": str(broker.credentials / "operator" / "ca.pem"),
        "DOTBUS_USER": "plant-sierra",
        "DOTBUS_PASSWORD": broker.password("plant-sierra"),
        "DOTBUS_ENVIRONMENT": "simulator",
        "PORT": str(free_port()),
    }
    command = ["node", str(EXAMPLE / "node_modules" / "node-red" / "red.js"), "--userDir", str(home), "flows.json"]
    with (home / "log.txt").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **told}, cwd=home, stdout=log, stderr=subprocess.STDOUT)
    started = NodeRed(f"http://127.0.0.1:{told['PORT']}")
    try:
        eventually(lambda: process.poll() is not None or is_there(started), STARTED_WITHIN_S)
        assert process.poll() is None, (home / "log.txt").read_text(encoding="utf-8")
        yield started
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(scope="module")
def ingest(broker: Broker) -> Iterator[Ingest]:
    ca = broker.credentials / "operator" / "ca.pem"
    with ingesting(broker.port, broker.password("ads_ingest"), ca, TOPICS) as connected:
        yield connected


def seen(ingest: Ingest, node_red: NodeRed, resource: str, quality: int) -> dict[str, Any]:
    """What it shows of a resource once that has this quality. Heartbeats come meanwhile, as they do."""

    def found() -> dict[str, Any] | None:
        ingest.beat()
        shown = node_red.dots().get(resource)
        return shown if shown and shown["quality"] == quality else None

    return eventually(found, every_s=0.3)


def test_it_shows_a_dot_with_its_quality_and_age(node_red: NodeRed, ingest: Ingest):
    ingest.dot(dot("SOLAR R/1"))
    shown = seen(ingest, node_red, "SOLAR R/1", GOOD)
    assert (shown["plant"], shown["dot_mw"], shown["reasons"]) == ("sierra", 12.0, [])
    assert 0 <= shown["age_s"] < 60


def test_it_shows_no_megawatts_that_are_stale_or_of_a_test(node_red: NodeRed, ingest: Ingest):
    ingest.dot(dot("OLD", heard_ago_s=600, valid_for_s=90))
    ingest.dot(dot("TEST", environment=Environment.STAGE))
    for resource, reason in {"OLD": "stale", "TEST": "wrong_environment"}.items():
        shown = seen(ingest, node_red, resource, BAD)
        assert (shown["dot_mw"], reason in shown["reasons"]) == (None, True)


def test_a_source_that_says_goodbye_leaves_its_dots_in_doubt(node_red: NodeRed, ingest: Ingest):
    ingest.dot(dot("LEFT"))
    seen(ingest, node_red, "LEFT", GOOD)
    ingest.beat(online=False)
    assert eventually(lambda: node_red.dots()["LEFT"]["quality"] == UNCERTAIN)
    assert node_red.dots()["LEFT"]["reasons"] == ["source_offline"]


def test_an_instruction_is_accepted_on_its_command_topic_and_the_reply_comes_back(node_red: NodeRed, ingest: Ingest):
    said = instructions("HYDRO")
    ingest.say(TOPICS.instructions(PLANT, "HYDRO"), said, retained=True)
    (open_still,) = eventually(lambda: node_red.open("HYDRO"))
    uid = said.instructions[0].instruction_uid
    assert open_still["instruction_uid"] == uid

    status, answer = node_red.accept(plant=PLANT, resource="HYDRO", instruction_uid=uid, name="M. Ortiz")
    ((topic, response_topic, command),) = ingest.commands
    assert (status, answer["outcome"], answer["detail"]) == (200, "taken", samples.respond_reply().detail)
    assert topic == TOPICS.respond(PLANT, "HYDRO", "accept")
    assert response_topic == f"{TOPICS.respond_reply(PLANT, 'HYDRO', 'accept')}/node-red"
    assert (command.action, command.instruction_uid, command.requested_by) == (InstructionAction.ACCEPT, uid, "M. Ortiz")
    assert command.environment is Environment.SIMULATOR
    assert command.command_id == answer["command_id"]


@pytest.mark.parametrize("changed", [{"instruction_uid": "nothing of the sort"}, {"name": ""}, {"resource": "SOLAR"}])
def test_what_is_not_open_or_asked_for_by_nobody_is_not_sent(node_red: NodeRed, ingest: Ingest, changed: dict[str, str]):
    said = instructions("PUMPS")
    ingest.say(TOPICS.instructions(PLANT, "PUMPS"), said, retained=True)
    eventually(lambda: node_red.open("PUMPS"))
    before = len(ingest.commands)
    asked = {"plant": PLANT, "resource": "PUMPS", "instruction_uid": said.instructions[0].instruction_uid, "name": "M. Ortiz"}
    status, _answer = node_red.accept(**{**asked, **changed})
    assert (status, len(ingest.commands)) == (409, before)


def test_its_page_shows_what_it_knows_accepts_and_does_not_outlive_it(node_red: NodeRed, ingest: Ingest):
    ingest.dot(dot("SOLAR R/1"))
    ingest.say(TOPICS.instructions(PLANT, "WIND"), instructions("WIND"), retained=True)
    seen(ingest, node_red, "SOLAR R/1", GOOD)
    with browser() as opened:
        watched = Watched(opened, None)
        page = watched.page
        page.goto(f"{node_red.address}/dotbus")
        assert page.wait_for_selector("#dots tr.good").inner_text().split("\t")[:2] == ["SOLAR R/1", "12"]
        assert violations(page) == []
        page.fill("#name", "M. Ortiz")
        page.click("#open tr:has-text('WIND') button")
        page.wait_for_selector("#reply:has-text('taken')")
        assert all(address.startswith(node_red.address) for address in watched.asked)
        page.route("**/dotbus/state", lambda route: route.abort())
        page.wait_for_selector("#word:has-text('does not answer')")
        assert page.query_selector("#dots tr") is None
