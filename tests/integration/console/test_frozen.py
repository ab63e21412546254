"""A page that is behind never looks live: whatever its line, its clocks, its tab, the broker or its own code does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import Watched
from chromium import browser as opened_browser
from console_process import ConsoleProcess
from gateway_process import CONFIG, Ingest, dot, status
from playwright.sync_api import Browser, Page
from real_mosquitto import Mosquitto
from slow_line import SlowLine
from waiting import eventually

pytestmark = pytest.mark.integration
LIVE, BROKEN = "body[data-live=live]", "body[data-live=broken]"
DOT = ".card .dot .number"


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
    started.say(status(), dot())
    yield started
    started.bus.stop()


@pytest.fixture
def line(console: ConsoleProcess) -> Iterator[SlowLine]:
    one = SlowLine(console.port)
    yield one
    one.close()


def live(browser: Browser, address: str) -> Watched:
    watched = Watched(browser, None)
    watched.open(address)
    watched.page.wait_for_selector(LIVE)
    return watched


def shows(page: Page, selector: str, text: str, within_s: float) -> None:
    says = "([selector, text]) => document.querySelector(selector)?.textContent.includes(text)"
    page.wait_for_function(says, arg=[selector, text], timeout=within_s * 1000)


def test_what_comes_late_over_a_slow_line_is_old_however_regularly_it_comes(line: SlowLine, ingest: Ingest, browser: Browser):
    watched = live(browser, f"http://127.0.0.1:{line.port}/")
    page = watched.page
    line.late_s = 6.0
    page.wait_for_selector(BROKEN, timeout=8000)
    ingest.say(status(), dot(dot_mw=33.25))
    shows(page, DOT, "33.3", 15)  # it is told, late, and a page that counted from what comes would take that for new
    assert page.locator(BROKEN).count() == 1
    assert "No word from the console for" in page.inner_text("#live")
    line.late_s = 0.0
    page.wait_for_selector(LIVE, timeout=10_000)
    assert watched.faults == []


@pytest.mark.parametrize(("stepped_s", "within_s"), [(600, 2), (-3600, 7)])
def test_neither_a_clock_that_is_set_nor_one_that_stood_while_the_machine_slept_makes_a_frozen_page_live(
    console: ConsoleProcess, browser: Browser, stepped_s: int, within_s: float
):
    """While a machine sleeps the clock that nobody sets stands; the other is ahead when it wakes."""
    page = live(browser, console.address).page
    console.freeze()
    page.evaluate(f"(() => {{ const real = Date.now; Date.now = () => real() + {stepped_s * 1000}; }})()")
    page.wait_for_selector(BROKEN, timeout=within_s * 1000)
    assert page.inner_text("#clock") == "", "a clock that goes on looks live"
    console.go_on()
    page.wait_for_selector(LIVE, timeout=6000)


def test_a_page_that_nobody_sees_leaves_its_stream_to_others_and_is_not_live_until_it_has_it_again(
    console: ConsoleProcess, ingest: Ingest, browser: Browser
):
    watched = live(browser, f"{console.address}/plants/sierra")
    page = watched.page
    turned = "(seen) => { Object.defineProperty(document, 'hidden', { value: seen !== 'seen', configurable: true });"
    turned += " document.dispatchEvent(new Event('visibilitychange')); }"
    page.evaluate(turned, "hidden")
    page.wait_for_selector(BROKEN)
    eventually(lambda: console.metric("dotbus_console_pages") == 0.0)
    ingest.say(status(), dot(dot_mw=21.75))
    with page.expect_response("**/trends?*"):  # of which it was told nothing meanwhile
        page.evaluate(turned, "seen")
    page.wait_for_selector(LIVE)
    shows(page, DOT, "21.8", 3)
    assert watched.faults == []


def test_a_page_that_cannot_show_what_it_is_told_says_so_and_not_that_it_is_live(
    console: ConsoleProcess, ingest: Ingest, browser: Browser
):
    watched = live(browser, console.address)
    page = watched.page
    page.evaluate("(() => { Number.prototype.toFixed = () => { throw new Error('it fails'); }; })()")
    ingest.say(status(), dot(dot_mw=44.0))
    shows(page, "#live", "cannot show what it is told", 5)
    assert page.locator(BROKEN).count() == 1
    page.reload()
    page.wait_for_selector(LIVE)
    assert any("it fails" in fault for fault in watched.faults)


def test_a_page_that_is_opened_while_the_console_does_not_answer_asks_until_it_does(console: ConsoleProcess, browser: Browser):
    page = Watched(browser, None).page
    page.route("**/session", lambda route: route.abort())
    page.goto(console.address)
    shows(page, "#live", "The console does not answer", 5)
    page.unroute("**/session")
    page.wait_for_selector(LIVE, timeout=5000)


def test_a_broker_that_hangs_puts_everything_in_doubt_though_its_connection_stands(
    console: ConsoleProcess, ingest: Ingest, broker: Mosquitto, browser: Browser
):
    page = live(browser, console.address).page
    ingest.say(status())
    shows(page, ".card .state", "good", 5)
    broker.pause()
    try:
        page.wait_for_selector(".card .state:not([data-level=good])", timeout=20_000)
        shows(page, "#abnormal", "does not hear the broker", 20)
        assert page.locator(LIVE).count() == 1, "the page hears its console all the same"
    finally:
        broker.resume()
    page.wait_for_function("() => !document.querySelector('#abnormal').textContent.includes('the broker')", timeout=20_000)
