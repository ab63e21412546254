"""The console as it runs: its own process, a real broker, an ingest's messages, and a real Chromium that looks at the page."""

import csv
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from chromium import DESK, PHONE, Watched, violations
from chromium import browser as opened_browser
from console_process import ConsoleProcess
from gateway_process import CONFIG, TOPICS, Ingest, dot, status
from playwright.sync_api import Browser, Page
from real_mosquitto import Mosquitto
from waiting import eventually

from dotbus.contracts.codec import encode
from dotbus.runtime.mqtt.messages import Outgoing

pytestmark = pytest.mark.integration
SOLAR = "resource/sierra/SOLAR"
NUMBER, STATE = ".card .dot .number", ".card .state"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as one:
        yield one


@pytest.fixture
def console(tmp_path: Path, broker: Mosquitto) -> Iterator[ConsoleProcess]:
    process = ConsoleProcess(tmp_path, broker, CONFIG)
    yield process
    process.go_on()
    if process.process.poll() is None:
        assert process.stop() == 0


@pytest.fixture
def ingest(broker: Mosquitto) -> Iterator[Ingest]:
    started = Ingest(broker.port)
    yield started
    started.bus.stop()


def opened(browser: Browser, console: ConsoleProcess, path: str = "/", **options: Any) -> Watched:
    watched = Watched(browser, None, **options)
    watched.open(console.address + path)
    watched.page.wait_for_selector("body[data-live=live]")
    return watched


def shows(page: Page, selector: str, text: str, within_s: float) -> None:
    says = "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)"
    page.wait_for_function(says, arg=[selector, text], timeout=within_s * 1000)


def test_a_dot_is_on_the_page_within_two_seconds_also_one_of_a_third_partys_publisher(
    console: ConsoleProcess, ingest: Ingest, broker: Mosquitto, browser: Browser
):
    watched = opened(browser, console)
    ingest.say(status(), dot(dot_mw=12.5))
    shows(watched.page, NUMBER, "12.5", 2)
    ingest.say(status())  # the first heartbeat that it hears shows that the clocks agree
    shows(watched.page, STATE, "good", 2)

    said = encode(dot(dot_mw=33.25))
    publish = ["mosquitto_pub", "-p", str(broker.port), "-q", "1", "-r", "-t", TOPICS.dot("sierra", "SOLAR"), "-s"]
    subprocess.run(publish, input=said, check=True)
    shows(watched.page, NUMBER, "33.3", 2)
    assert watched.faults == []


def test_quality_falls_on_the_page_when_the_ingest_vanishes_and_again_when_caiso_is_not_heard(
    console: ConsoleProcess, ingest: Ingest, browser: Browser
):
    watched = opened(browser, console, "/plants/sierra")
    ingest.say(status(), dot())
    shows(watched.page, STATE, "good", 3)
    ingest.say(status(online=False))
    shows(watched.page, STATE, "ads_ingest is not running", 3)
    shows(watched.page, STATE, "CAISO not heard for", 5)  # the installation's file says: after 3 s
    assert watched.page.inner_text(NUMBER) == "\u2013", "what is bad has no number"
    assert "Start ads_ingest/a" in watched.page.inner_text("#services")
    assert watched.page.locator("#abnormal li[data-level=bad]").count() >= 1


def test_a_page_whose_console_hangs_says_so_by_its_own_clock_and_lives_again(
    console: ConsoleProcess, ingest: Ingest, browser: Browser
):
    watched = opened(browser, console)
    ingest.say(status(), dot())
    shows(watched.page, STATE, "good", 3)
    console.freeze()
    watched.page.wait_for_selector("body[data-live=broken]", timeout=6000)
    assert "No word from the console for 4 s" in watched.page.inner_text("#live")
    shows(watched.page, "#live", "for 6 s", 4)
    assert watched.page.evaluate("getComputedStyle(document.querySelector('main')).opacity") < "0.6"
    console.go_on()
    watched.page.wait_for_selector("body[data-live=live]", timeout=6000)


def test_a_page_whose_console_is_gone_says_so_at_once(console: ConsoleProcess, browser: Browser):
    watched = opened(browser, console)
    assert console.stop() == 0
    watched.page.wait_for_selector("body[data-live=broken]", timeout=1500)


def test_a_lost_broker_is_said_and_everything_is_in_doubt(
    console: ConsoleProcess, ingest: Ingest, broker: Mosquitto, browser: Browser
):
    watched = opened(browser, console)
    ingest.say(status(), dot())
    shows(watched.page, STATE, "good", 3)
    broker.kill()
    shows(watched.page, "#abnormal", "the console does not hear the broker", 5)
    shows(watched.page, STATE, "\u25c7", 3)


@pytest.mark.parametrize(("size", "scheme"), [(DESK, "light"), (DESK, "dark"), (PHONE, "light"), (PHONE, "dark")])
@pytest.mark.parametrize("path", ["/", "/plants/sierra"])
def test_nobody_is_kept_from_reading_a_page(
    console: ConsoleProcess, ingest: Ingest, browser: Browser, size: tuple[int, int], scheme: str, path: str
):
    watched = opened(browser, console, path, size=size, color_scheme=scheme)
    ingest.say(status(online=False), dot())
    shows(watched.page, STATE, "ads_ingest is not running", 3)

    assert violations(watched.page) == []
    assert watched.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than the screen"
    assert watched.faults == []
    assert {address.split("/")[2] for address in watched.asked} == {console.address.split("/")[2]}


def test_the_trend_is_drawn_goes_on_and_is_the_same_as_a_table_and_as_csv(
    console: ConsoleProcess, ingest: Ingest, browser: Browser
):
    ingest.say(status(), dot(dot_mw=12.5))
    watched = opened(browser, console, "/plants/sierra")
    page = watched.page
    page.wait_for_selector(".trend canvas")
    ingest.say(status(), dot(dot_mw=12.5))
    shows(page, STATE, "good", 3)
    page.click("text=As a table")
    page.wait_for_function(
        "() => document.querySelector('.trend .scroll tbody')?.textContent.includes('12.50')", timeout=15_000
    )
    with page.expect_download() as waiting:
        page.click("text=CSV")
    with Path(waiting.value.path()).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"time", "dot_mw", "set_point_mw", "quality"} <= set(rows[0])
    assert any(float(row["dot_mw"]) == 12.5 and row["quality"] == "good" for row in rows if row["dot_mw"])
    assert page.locator(".trend .scroll tbody tr").count() == len(rows)
    assert violations(page) == []
    assert watched.faults == []


@pytest.mark.parametrize("hours", ["0", "25", "x", "nan"])
def test_a_trend_of_no_hours_that_are_kept_is_refused(console: ConsoleProcess, hours: str):
    with pytest.raises(urllib.error.HTTPError, match="400"):
        urllib.request.urlopen(f"{console.address}/trends?plant=sierra&resource=SOLAR&hours={hours}", timeout=20)


def test_a_name_from_the_bus_is_text_and_no_markup(console: ConsoleProcess, ingest: Ingest, browser: Browser):
    name = "<img src=x onerror=alert(1)>"
    said = msgspec.structs.replace(dot(), plant="unassigned", resource_id=name)
    watched = opened(browser, console)
    ingest.bus.publish([Outgoing(TOPICS.dot("unassigned", name), encode(said), retain=True)])
    watched.page.wait_for_function("() => document.querySelectorAll('.card').length === 2")
    assert name in watched.page.inner_text("#resources")
    assert watched.faults == []


def test_a_page_that_does_not_read_costs_nothing_and_gets_the_newest_when_it_does(console: ConsoleProcess, ingest: Ingest):
    slow = socket.create_connection(("127.0.0.1", console.port))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(f"GET /events HTTP/1.1\r\nHost: 127.0.0.1:{console.port}\r\n\r\n".encode())
    live = console.events()
    assert next(live)[0] == "picture"
    ingest.say(status(), dot(dot_mw=7.5))
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        _kind, told = next(live)
        if SOLAR in told["parts"] and told["parts"][SOLAR]["dot"]["mw"]["value"] == 7.5:
            break
    else:
        pytest.fail("another page is told meanwhile")
    slow.close()
    eventually(lambda: console.metric("dotbus_console_pages") == 1.0)


def test_a_page_of_a_plant_that_there_is_not_is_told_so_by_having_no_resources(console: ConsoleProcess):
    kind, told = next(console.events("/events?plant=nowhere"))
    assert kind == "picture"
    assert [key for key in told["parts"] if key.startswith("resource/")] == []


@pytest.mark.parametrize("path", ["/static/../settings.py", "/static/%2e%2e/settings.py", "/plants/", "/other"])
def test_nothing_else_is_served(console: ConsoleProcess, path: str):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(console.address + path, timeout=20)


def test_another_sites_name_for_this_machine_is_refused(console: ConsoleProcess):
    request = urllib.request.Request(console.address + "/events", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=20)


SENT = "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"


@pytest.mark.parametrize(("path", "most"), [("/", 20_000), ("/plants/sierra", 50_000)])
def test_all_that_a_browser_is_sent_of_a_page_is_far_below_100_kb(
    console: ConsoleProcess, ingest: Ingest, browser: Browser, path: str, most: int
):
    """But for the stream, which is told packed by nobody and has no end."""
    ingest.say(status(), dot())
    page = opened(browser, console, path).page
    ingest.say(status(), dot())  # a browser that took long to start finds that nobody has spoken for as long
    shows(page, NUMBER, "12.5", 40)
    if path != "/":
        page.wait_for_selector(".trend canvas")
    files = page.evaluate(f"{SENT}.filter((one) => !/\\/events\\b/.test(one.name)).map((one) => [one.name, one.transferSize])")
    assert any("alarms.js" in name for name, _ in files)
    assert any("/trends?" in name for name, _ in files) == (path != "/")
    assert 5_000 < sum(size for _, size in files) < most


def test_all_that_a_plants_page_consists_of_is_below_100_kb_unpacked(console: ConsoleProcess, browser: Browser):
    page = opened(browser, console, "/plants/sierra").page
    page.wait_for_selector(".trend canvas")
    parts = page.evaluate(
        f"{SENT}.filter((one) => !/\\?|session$/.test(one.name)).map((one) => [one.name, one.decodedBodySize])"
    )
    assert any("charts.js" in name for name, _ in parts)
    assert 90_000 < sum(size for _, size in parts) < 100_000
