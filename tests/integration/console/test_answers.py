"""Instructions answered at the page: who may, what is shown before it is sent, and what is told of it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from chromium import browser as opened_browser
from chromium import keep_picture, violations
from console_process import ConsoleProcess
from console_users import ANNA, BEN, EVE, PASSWORD, kept
from console_visitor import Visitor
from gateway_process import CONFIG, TOPICS, Ingest, dot, now, status
from playwright.sync_api import Browser, Page
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.contracts.codec import decode_as, encode
from dotbus.contracts.messages import (
    Environment,
    InstructionAnswer,
    InstructionResponse,
    InstructionResponseReply,
    Instructions,
    KnownInstruction,
)
from dotbus.contracts.topics import Subject
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.mqtt.messages import Delivery, Outgoing
from dotbus.runtime.settings.settings import BusSettings

pytestmark = pytest.mark.integration
ANSWER = {
    "plant": "sierra",
    "resource": "SOLAR",
    "batch_uid": "H1",
    "instruction_uid": "H1-SOLAR",
    "action": "accept",
    "accept_dot_mw": 40.0,
}


def instructions() -> Instructions:
    one = KnownInstruction(
        what="dot",
        standing="in force",
        start_at=now() + timedelta(hours=1),
        end_at=now() + timedelta(hours=2),
        instructed_mw=40.0,
        answer=InstructionAnswer(answer="none", is_open=True, open_until=now() + timedelta(minutes=10)),
        instruction_uid="H1-SOLAR",
        batch_uid="H1",
        batch_type=1,
        batch_status=1,
        batch_until=now() + timedelta(hours=2),
        told_at=now(),
    )
    return Instructions(
        environment=Environment.PRODUCTION,
        source="ads_ingest/a",
        time=now(),
        plant="sierra",
        resource_id="SOLAR",
        heard_at=now(),
        instructions=(one,),
    )


class Answerer:
    """Hears commands at the real broker, and replies as ads_ingest would with a CAISO that says `outcome`."""

    def __init__(self, port: int) -> None:
        self.outcome, self.detail = "taken", "CAISO has taken the answer"
        self.heard: list[InstructionResponse] = []
        self.bus, self._hears = (Bus(BusSettings(port=port), name, clock=now) for name in ("answerer", "answerer-hears"))
        self._hears.subscribe([TOPICS.every(Subject.RESPOND)], self._reply)
        for bus in (self.bus, self._hears):
            bus.start()
            eventually(lambda bus=bus: bus.connected)  # type: ignore[misc]  # mypy infers no type for a bound default

    def _reply(self, delivery: Delivery) -> None:
        delivery.ack()
        command = decode_as(delivery.payload, InstructionResponse)
        self.heard.append(command)
        reply = InstructionResponseReply(
            environment=Environment.PRODUCTION,
            source="ads_ingest/a",
            time=now(),
            batch_uid=command.batch_uid,
            instruction_uid=command.instruction_uid,
            outcome=self.outcome,
            result_code=0,
            detail=self.detail,
            command_id=command.command_id,
        )
        self.bus.publish([Outgoing(f"{delivery.topic}/reply", encode(reply))])

    def stop(self) -> None:
        self.bus.stop()
        self._hears.stop()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as one:
        yield one


@pytest.fixture
def console(tmp_path: Path, broker: Mosquitto) -> Iterator[ConsoleProcess]:
    process = ConsoleProcess(tmp_path, broker, CONFIG, USERS_FILE=str(kept(tmp_path / "users.json", ANNA, BEN, EVE)))
    ingest = Ingest(broker.port)
    ingest.say(status(), dot())
    said = Outgoing(TOPICS.instructions("sierra", "SOLAR"), encode(instructions()), retain=True)
    ingest.bus.publish([said])
    yield process
    ingest.bus.stop()
    assert process.stop() == 0


@pytest.fixture
def answerer(broker: Mosquitto) -> Iterator[Answerer]:
    one = Answerer(broker.port)
    yield one
    one.stop()


@pytest.fixture
def visitor(console: ConsoleProcess) -> Iterator[Visitor]:
    one = Visitor(console)
    yield one
    one.leave()


def signed_in(browser: Browser, console: ConsoleProcess, name: str) -> Page:
    page = browser.new_page()
    page.goto(console.address + "/plants/sierra")
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("text=Sign in")
    page.wait_for_selector("#instructions tr.open")
    return page


@pytest.mark.parametrize("name", ["anna", "eve"])
def test_whoever_operates_takes_a_part_and_is_told_that_caiso_has_taken_it(
    console: ConsoleProcess, answerer: Answerer, browser: Browser, name: str
):
    page = signed_in(browser, console, name)
    page.click("#instructions button")
    assert page.is_disabled("dialog .send"), "nothing was chosen yet"
    page.check("dialog input[value=partial]")
    page.fill("dialog input[type=number]", "41")
    assert "Say how much" in page.inner_text("dialog .sent")
    page.fill("dialog input[type=number]", "15.5")
    page.select_option("dialog select", "13")
    for shown in ("partial", "15.5 MW", "13 Unit derate", "H1-SOLAR", name):
        assert shown in page.inner_text("dialog .sent")
    assert violations(page) == []
    keep_picture(page, f"answer-{name}")
    assert answerer.heard == [], "nothing was sent by looking"
    page.click("dialog .send")
    page.wait_for_selector("dialog .outcome:has-text('taken: CAISO has taken the answer')")
    (command,) = answerer.heard
    assert (command.action, command.accept_dot_mw, command.reason_code) == ("partial", 15.5, 13)
    assert (command.requested_by, command.asked_by) == (name, name)
    assert page.is_disabled("dialog .send"), "it goes once"
    page.click("dialog button:has-text('Close')")
    page.wait_for_selector("dialog", state="detached")
    assert '"event": "command over"' in console.log.read_text()


def test_what_is_refused_is_told_with_why(console: ConsoleProcess, answerer: Answerer, browser: Browser):
    answerer.outcome, answerer.detail = "refused", "the time for answers ended"
    page = signed_in(browser, console, "anna")
    page.click("#instructions button")
    page.check("dialog input[value=accept]")
    page.click("dialog .send")
    page.wait_for_selector("dialog .outcome:has-text('refused: the time for answers ended')")


def test_a_viewer_has_no_button_and_is_refused_what_it_would_do(
    console: ConsoleProcess, answerer: Answerer, browser: Browser, visitor: Visitor
):
    assert signed_in(browser, console, "ben").locator("#instructions button").count() == 0
    visitor.sign_in("ben")
    assert visitor.post("/answers", ANSWER).status == 403
    assert answerer.heard == []


def test_what_no_page_of_ours_asks_for_is_refused(visitor: Visitor, answerer: Answerer):
    assert visitor.post("/answers", ANSWER).status == 401
    visitor.sign_in("anna")
    assert visitor.post("/answers", ANSWER, csrf="made up").status == 403
    assert visitor.post("/answers", ANSWER | {"plant": "delta"}).status == 404
    for wrong in (ANSWER | {"action": "grab"}, ANSWER | {"plant": ""}, ANSWER | {"more": 1}, [], None):
        assert visitor.post("/answers", wrong).status == 400
    assert answerer.heard == []
    assert visitor.post("/answers", ANSWER).status == 200
