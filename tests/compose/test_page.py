"""The console of the compose stack that runs, in a real Chromium: as a trial opens, and with users as a plant has it."""

from collections.abc import Iterator
from typing import Any

import pytest
from chromium import DESK, PHONE, Watched, go, keep_picture, violations
from chromium import browser as opened_browser
from compose_stack import ComposeStack
from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as NotInTime

pytestmark = pytest.mark.e2e
PASSWORD = "correct horse battery"
VIEWER, OPERATOR, ENGINEER = "ben", "omar", "eve"
LIVE = "body[data-live=live]"
OF_BESS = "[...document.querySelectorAll('.card')].find((card) => card.querySelector('h3').textContent === 'SIERRA_2_BESS1')"
BESS = ".card:has(h3:text-is('SIERRA_2_BESS1'))"
DOWN = {"plant": "installation", "about": "ads_ingest/main", "rule": "service-down", "action": "acknowledge"}
ROW = "#alarms tr:has(td[data-level=bad]):has-text('ads_ingest/main is offline')"
ANSWER = {"plant": "sierra", "resource": "SIERRA_2_BESS1", "batch_uid": "b", "instruction_uid": "i", "action": "accept"}
SOON_S = 2.0


@pytest.fixture(scope="module")
def stack() -> ComposeStack:
    return ComposeStack()


@pytest.fixture(scope="module")
def browser(stack: ComposeStack) -> Iterator[Browser]:
    with opened_browser(stack.console_key) as one:
        yield one


@pytest.fixture(scope="module")
def signed(stack: ComposeStack) -> ComposeStack:
    """The same stack, once people have to sign in."""
    stack.add_users(PASSWORD, (VIEWER, "viewer"), (OPERATOR, "operator"), (ENGINEER, "engineer", "--plant", "delta"))
    stack.start("console")  # in place of the one that opens for everybody
    return stack


def signed_in(browser: Browser, stack: ComposeStack, name: str, path: str = "/") -> Watched:
    watched = Watched(browser, None)
    page = watched.page
    go(page, stack.console + path)
    page.fill("#name", name)
    page.fill("#password", PASSWORD)
    page.click("text=Sign in")
    page.wait_for_selector(LIVE)
    return watched


def look_at(page: Page, name: str) -> None:
    """By the rules of axe-core, and as a picture for people, at a desk and on a phone."""
    for width, size in (("desk", DESK), ("phone", PHONE)):
        page.set_viewport_size({"width": size[0], "height": size[1]})
        assert violations(page) == [], f"{name} {width}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than a {width}"
        keep_picture(page, f"compose-{name}-{width}")
    page.set_viewport_size({"width": DESK[0], "height": DESK[1]})


def asked(page: Page, path: str, content: object = None) -> int:
    """The status that somebody gets who asks from their own page, whatever that page would have let them do."""
    asks = """async ([path, content]) => {
      const { csrf } = await (await fetch('/session')).json();
      const posted = { method: 'POST', headers: { 'X-CSRF-Token': csrf }, body: JSON.stringify(content) };
      const abort = new AbortController();
      const answer = await fetch(path, { ...(content ? posted : {}), signal: abort.signal });
      abort.abort();
      return answer.status;
    }"""
    status: int = page.evaluate(asks, [path, content])
    return status


def test_a_trial_opens_without_a_password_by_its_own_authority(stack: ComposeStack, browser: Browser):
    watched = Watched(browser, None)
    page = watched.open(stack.console)
    page.wait_for_selector(f"{LIVE} .card .state[data-level=good]", timeout=60_000)
    assert page.inner_text("#environment") == "SIMULATOR"
    look_at(page, "trial")
    go(page, stack.console + "/plants/sierra")
    page.wait_for_selector(".trend canvas")
    look_at(page, "plant")
    assert asked(page, "/alarms", DOWN) == 403, "whoever comes from beyond the container looks"
    assert watched.faults == ["Failed to load resource: the server responded with a status of 403 (Forbidden)"]
    page.context.close()


def test_a_dot_that_the_simulator_changes_is_on_the_page_within_two_seconds(stack: ComposeStack, browser: Browser):
    """Counted from the simulator's change: up to 1 s until ads_ingest asks again (ADS_INGEST_POLL_S of a trial) is in it.

    On a busy machine one change may take longer; one of some that does not shows that nothing on the way waits for more.
    """
    page = Watched(browser, None).open(stack.console)
    page.wait_for_selector(f"{LIVE} {BESS} .state[data-level=good]", timeout=60_000)
    page.evaluate(f"""() => {{
      const number = {OF_BESS}.querySelector('.dot .number');
      window.seen = {{}};
      new MutationObserver(() => {{ window.seen[number.textContent] ??= Date.now() / 1000; }})
        .observe(number, {{ characterData: true, childList: true, subtree: true }});
    }}""")
    took: list[float | None] = []
    for number in (37.3, 12.6, 21.4, 44.2, 8.9, 31.7, 15.2, 26.8):
        ordered = stack.order("/issue", kind="five_minute", resources=["SIERRA_2_BESS1"], dot_mw=number)
        try:
            at: Any = page.wait_for_function("(text) => window.seen[text]", arg=str(number), timeout=8000).json_value()
        except NotInTime:  # it was for an interval that ended meanwhile
            took.append(None)
            continue
        took.append(round(at - ordered.at, 2))
        if at - ordered.at <= SOON_S:
            break
    assert took[-1] is not None
    assert took[-1] <= SOON_S, took
    page.context.close()


def test_each_role_signs_in_and_is_refused_what_it_may_not(signed: ComposeStack, browser: Browser):
    form = Watched(browser, None)
    go(form.page, signed.console + "/plants/sierra")
    assert "/sign-in" in form.page.url, "nobody gets in without a password any more"
    look_at(form.page, "sign-in")
    form.page.fill("#name", VIEWER)
    form.page.fill("#password", "wrong")
    form.page.click("text=Sign in")
    form.page.wait_for_selector("[role=alert]:has-text('Name and password are not those of a user here.')")
    form.page.context.close()

    looks = signed_in(browser, signed, VIEWER).page
    assert looks.inner_text("#who span") == "ben, viewer"
    assert [asked(looks, path, content) for path, content in (("/alarms", DOWN), ("/answers", ANSWER))] == [403, 403]
    assert asked(looks, "/plants/delta") == 200

    of_delta = signed_in(browser, signed, ENGINEER).page
    assert of_delta.url.endswith("/plants/delta")
    refused = ("/plants/sierra", "/events?plant=sierra", "/trends?plant=sierra&resource=SIERRA_2_BESS1")
    assert [asked(of_delta, path) for path in refused] == [404, 404, 404]
    assert [asked(of_delta, path, content) for path, content in (("/alarms", DOWN), ("/answers", ANSWER))] == [404, 404]
    assert "SIERRA" not in of_delta.inner_text("body")

    operates = signed_in(browser, signed, OPERATOR).page
    assert asked(operates, "/answers", {**ANSWER, "more": 1}) == 400, "who may is told what is wrong instead"
    for page in (looks, of_delta, operates):
        page.context.close()


def test_quality_falls_when_ads_ingest_stops_and_its_alarm_is_acknowledged_by_whoever_may(
    signed: ComposeStack, browser: Browser
):
    looking, operating = signed_in(browser, signed, VIEWER), signed_in(browser, signed, OPERATOR)
    page = operating.page
    page.wait_for_selector(f"{BESS} .state[data-level=good]", timeout=60_000)
    signed.compose("stop", "ads-ingest")
    page.wait_for_selector(f"{BESS} .state:not([data-level=good]):has-text('ads_ingest is not running')", timeout=20_000)
    page.wait_for_selector("#abnormal li:has-text('ads_ingest is not running')")
    page.wait_for_selector(f"{ROW} >> button:has-text('Acknowledge')", timeout=60_000)
    look_at(page, "alarm")
    looking.page.wait_for_selector(ROW)
    assert looking.page.locator(f"{ROW} button").count() == 0
    page.click(f"{ROW} >> button:has-text('Acknowledge')")
    page.wait_for_selector(f"{ROW}:has-text('acknowledged by {OPERATOR}')")
    looking.page.wait_for_selector(f"{ROW}:has-text('acknowledged by {OPERATOR}')")
    go(looking.page, signed.console + "/plants/sierra")
    looking.page.wait_for_selector(".trend canvas")
    look_at(looking.page, "plant-in-doubt")

    signed.start("ads-ingest")
    page.wait_for_selector(f"{BESS} .state[data-level=good]", timeout=60_000)
    assert operating.faults == []
    assert looking.faults == []
