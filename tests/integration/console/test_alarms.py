"""Alarms at the page, with the service of alarms as it runs: seen, acknowledged, shelved and refused."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alarms_process import CONFIG
from alarms_process import Process as AlarmsProcess
from chromium import DESK, PHONE, Watched, keep_picture, violations
from chromium import browser as opened_browser
from console_process import ConsoleProcess
from console_users import ANNA, BEN, EVE, PASSWORD, kept
from console_visitor import Visitor
from listening import Listener
from msgspec.structs import replace
from playwright.sync_api import Browser, Page
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.contracts.alarms import AlarmState
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmStatus, Environment
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.testing import samples

pytestmark = pytest.mark.integration
TOPICS = Topics()
DOWN = {"plant": "installation", "about": "ads_ingest/a", "rule": "service-down"}
ROW = "#alarms tr:has-text('ads_ingest/a')"


class World:
    """A console, the service of alarms, and an ads_ingest that is down."""

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.listener = Listener(broker.port, [Subject.ALARM_STATE])
        self.alarms = AlarmsProcess(folder / "alarms", broker.port)
        self.alarms.start()
        users = kept(folder / "users.json", ANNA, BEN, EVE)
        self.console = ConsoleProcess(folder, broker, CONFIG, USERS_FILE=str(users))
        status = replace(
            samples.service_status(),
            source="ads_ingest/a",
            service="ads_ingest",
            instance="a",
            online=False,
            time=datetime.now(UTC),
            environment=Environment.SIMULATOR,
        )
        self.listener.bus.publish([Outgoing(TOPICS.service("ads_ingest", "a"), encode(status), retain=True)])
        eventually(lambda: self.state() is AlarmState.UNACKNOWLEDGED, within_s=30)

    def alarm(self) -> AlarmStatus | None:
        said = self.listener.latest().get(TOPICS.alarm_state(*DOWN.values()))
        return said if isinstance(said, AlarmStatus) else None

    def state(self) -> AlarmState | None:
        return alarm.state if (alarm := self.alarm()) else None


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as one:
        yield one


@pytest.fixture
def world(tmp_path: Path, broker: Mosquitto) -> Iterator[World]:
    one = World(tmp_path, broker)
    yield one
    assert one.console.stop() == 0
    one.alarms.stop()
    one.listener.bus.stop()


def signed_in(page: Page, world: World, name: str, path: str = "/") -> Page:
    page.goto(world.console.address + path)
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("text=Sign in")
    page.wait_for_selector(ROW)
    return page


def test_an_alarm_is_acknowledged_and_shelved_by_name_and_with_why(world: World, browser: Browser):
    page = signed_in(browser.new_page(), world, "eve")
    assert "\u25b2 high" in page.inner_text(ROW)
    page.click(f"{ROW} >> button:has-text('Acknowledge')")
    page.wait_for_selector(f"{ROW}:has-text('acknowledged by eve')")
    assert world.state() is AlarmState.ACKNOWLEDGED

    page.click(f"{ROW} >> button:has-text('Shelve')")
    assert page.is_disabled("dialog .send"), "to shelve needs a comment"
    page.fill("dialog input", "new firmware until noon")
    page.select_option("dialog select", "60")
    keep_picture(page, "shelve")
    page.click("dialog .send")
    page.wait_for_selector("dialog .outcome:has-text('taken')")
    page.click("dialog button:has-text('Close')")
    page.wait_for_selector(f"{ROW}:has-text('new firmware until noon')")
    alarm = world.alarm()
    assert alarm is not None
    assert (alarm.state, alarm.shelved_by, alarm.comment) == (AlarmState.SHELVED, "eve", "new firmware until noon")

    page.click(f"{ROW} >> button:has-text('Unshelve')")
    eventually(lambda: world.state() is not AlarmState.SHELVED)
    assert page.locator(f"{ROW} [role=status]:not(:empty)").count() == 0


@pytest.mark.parametrize(("name", "path", "status"), [("ben", "/", 403), ("anna", "/plants/sierra", 404)])
def test_a_viewer_and_who_is_of_one_plant_see_an_alarm_of_all_plants_and_do_nothing_to_it(
    world: World, browser: Browser, name: str, path: str, status: int
):
    page = signed_in(browser.new_page(), world, name, path)
    assert page.locator(f"{ROW} button").count() == 0
    visitor = Visitor(world.console)
    visitor.sign_in(name)
    assert visitor.post("/alarms", DOWN | {"action": "acknowledge"}).status == status
    visitor.leave()
    assert world.state() is AlarmState.UNACKNOWLEDGED


def test_what_was_raised_again_since_it_was_seen_is_not_acknowledged_unseen(world: World):
    visitor = Visitor(world.console)
    visitor.sign_in("eve")
    reply = visitor.post("/alarms", DOWN | {"action": "acknowledge", "raised_at": "2026-01-01T00:00:00Z"})
    visitor.leave()
    assert reply.status == 200
    assert '"refused"' in reply.text
    assert "raised again" in reply.text
    assert world.state() is AlarmState.UNACKNOWLEDGED


def test_without_the_service_it_is_said_that_nobody_watches(world: World, browser: Browser):
    nobody = "#alarms .outcome:has-text('Nobody watches for alarms')"
    page = signed_in(browser.new_page(), world, "ben")
    assert page.locator(nobody).count() == 0
    world.alarms.stop()
    page.wait_for_selector(nobody)


def test_nobody_is_kept_from_reading_any_page_at_desk_and_phone_light_and_dark(world: World, browser: Browser):
    for name, size in (("desk", DESK), ("phone", PHONE)):
        for scheme in ("light", "dark"):
            watched = Watched(browser, None, size=size, color_scheme=scheme)
            page = watched.page
            page.goto(world.console.address)
            assert violations(page) == []
            keep_picture(page, f"sign-in-{name}-{scheme}")
            signed_in(page, world, "eve")
            for part, path in (("all", "/"), ("plant", "/plants/sierra")):
                page.goto(world.console.address + path)
                page.wait_for_selector(ROW)
                assert violations(page) == []
                assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{part} {name}"
                keep_picture(page, f"{part}-{name}-{scheme}")
            assert watched.faults == []
            page.context.close()
