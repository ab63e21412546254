"""The console against whoever means it ill: over its port, over the bus, and from another site's page."""

import gzip
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import timedelta
from urllib.parse import quote, urlencode

import pytest
from chromium import PHONE, Watched
from chromium import browser as opened_browser
from console_process import ConsoleProcess
from console_users import ANNA, BEN, EVE, PASSWORD, kept
from console_visitor import Visitor
from gateway_process import CONFIG, TOPICS, Ingest, dot, now, status
from msgspec.structs import replace
from playwright.sync_api import Browser
from real_mosquitto import Mosquitto, remove_mosquitto, start_mosquitto

from dotbus.contracts.alarms import AlarmState
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import Environment, InstructionAnswer, Instructions, KnownInstruction
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.testing import samples

pytestmark = pytest.mark.integration
EVIL = "<img src=x onerror=\"alert('it ran')\"><script>alert(1)</script>\u202e"
PLANTS = ("north field", "50% & <b>", "a/b?c#d", "a%20b", "s\u00f8l \U0001f31e", "x" * 128)
OF_PLANTS = "".join(
    f'[[plant]]\nname = {json.dumps(name, ensure_ascii=False)}\n[[plant.resource]]\nid = "UNIT_{place}"\n'
    for place, name in enumerate(PLANTS)
)
CONFIG_OF_PLANTS = CONFIG.replace("[modbus]", f"{OF_PLANTS}[modbus]")
LIVE = "body[data-live=live]"
MANY = 1000


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as one:
        yield one


@pytest.fixture(scope="module")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    broker = start_mosquitto(tmp_path_factory.mktemp("broker"))
    yield broker
    remove_mosquitto(broker)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory, mosquitto: Mosquitto) -> Iterator[ConsoleProcess]:
    """Without users: whoever connects from this machine operates."""
    process = ConsoleProcess(tmp_path_factory.mktemp("console"), mosquitto, CONFIG_OF_PLANTS, LOCAL_ROLE="engineer")
    yield process
    assert process.stop() == 0


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory, mosquitto: Mosquitto) -> Iterator[ConsoleProcess]:
    """With users."""
    folder = tmp_path_factory.mktemp("signed")
    users = kept(folder / "users.json", ANNA, BEN, EVE)
    process = ConsoleProcess(folder, mosquitto, CONFIG_OF_PLANTS, USERS_FILE=str(users))
    yield process
    assert process.stop() == 0


@pytest.fixture
def ingest(mosquitto: Mosquitto) -> Iterator[Ingest]:
    started = Ingest(mosquitto.port)
    yield started
    started.bus.stop()


def ill_said() -> list[Outgoing]:
    """Every message that a page shows something of, with markup wherever it may have a text."""
    here = {"environment": Environment.PRODUCTION, "time": now()}
    source = f"ads_ingest/{EVIL}"
    said = status()
    known = KnownInstruction(
        what=EVIL,
        standing=EVIL,
        start_at=now(),
        end_at=now() + timedelta(hours=2),
        instructed_mw=40.0,
        answer=InstructionAnswer(answer=EVIL, is_open=True, open_until=now() + timedelta(minutes=10)),
        instruction_uid=EVIL,
        batch_uid=EVIL,
        batch_type=1,
        batch_status=1,
        batch_until=now() + timedelta(hours=2),
        told_at=now(),
    )
    instructions = Instructions(
        **here, source="ads_ingest/a", plant=EVIL, resource_id=EVIL, heard_at=now(), instructions=(known,)
    )
    upstream = replace(said.upstreams[0], name=EVIL, ok=False, last_error=EVIL, complaints=(EVIL,))
    ill = replace(said, source=source, instance=EVIL, software_version=EVIL, upstreams=(upstream,), complaints=(EVIL,))
    texts = dict.fromkeys(("plant", "about", "rule", "text", "next_step", "comment", "shelved_by", "acknowledged_by"), EVIL)
    alarm = replace(samples.alarm_status(), **here, **texts, state=AlarmState.UNACKNOWLEDGED, because=EVIL)
    gap = replace(samples.upstream_gap(), **here, source=source, upstream=EVIL, detail=EVIL)
    return [
        Outgoing(TOPICS.dot(EVIL, EVIL), encode(replace(dot(), plant=EVIL, resource_id=EVIL)), retain=True),
        Outgoing(TOPICS.instructions(EVIL, EVIL), encode(instructions), retain=True),
        Outgoing(TOPICS.service("ads_ingest", EVIL), encode(ill), retain=True),
        Outgoing(TOPICS.alarm_state(EVIL, EVIL, EVIL), encode(alarm), retain=True),
        Outgoing(TOPICS.gap("ads_ingest", EVIL), encode(gap)),
    ]


@pytest.mark.parametrize("path", ["/", "/plants/" + quote(EVIL, safe="")])
def test_markup_in_any_text_from_the_bus_is_text_and_turns_nothing_around(
    console: ConsoleProcess, ingest: Ingest, browser: Browser, path: str
):
    watched = Watched(browser, None, PHONE)
    page = watched.page
    page.on("dialog", lambda dialog: watched.faults.append(dialog.message))
    page.goto(console.address + path)
    page.wait_for_selector(LIVE)
    ingest.bus.publish(ill_said())
    for where in ("#plants", "#resources", "#instructions", "#services", "#alarms", "#gaps"):
        page.wait_for_selector(f"{where}:has-text('<script>alert(1)')")
    page.click("#instructions button")
    page.check("dialog input[value=accept]")
    assert EVIL[:20] in page.inner_text("dialog")
    page.click("dialog button:has-text('Cancel')")
    page.click("#alarms button:has-text('Shelve')")
    assert EVIL[:20] in page.inner_text("dialog")
    assert page.locator("img, body script").count() == 0
    assert "\u202e" not in page.inner_text("body")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "however long a name is"
    assert watched.faults == []


@pytest.mark.parametrize("plant", PLANTS)
def test_a_plant_of_any_name_has_a_page_to_which_a_link_and_the_signing_in_lead(
    signed: ConsoleProcess, browser: Browser, plant: str
):
    watched = Watched(browser, None)
    page = watched.page
    page.goto(f"{signed.address}/plants/{quote(plant, safe='')}")
    page.fill("#name", "ben")
    page.fill("#password", PASSWORD)
    page.click("text=Sign in")
    page.wait_for_selector(LIVE)
    assert page.inner_text("h1") == plant
    page.goto(signed.address)
    page.wait_for_selector(LIVE)
    page.locator("nav a").get_by_text(plant, exact=True).click()
    page.wait_for_function("(name) => document.querySelector('h1').textContent === name", arg=plant)
    assert watched.faults == []
    page.context.close()


def test_a_thousand_connections_that_ask_for_nothing_keep_nobody_out(signed: ConsoleProcess):
    silent = []
    try:
        for number in range(MANY):
            one = socket.create_connection(("127.0.0.1", signed.port), timeout=10)
            if number % 2:
                one.sendall(b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\nname=")
            silent.append(one)
        visitor = Visitor(signed)
        assert visitor.sign_in("eve").status == 303
        assert next(visitor.events()) == "picture"
        visitor.leave()
    finally:
        for one in silent:
            one.close()


def test_what_is_no_request_and_what_has_no_end_is_refused_in_plain_text(signed: ConsoleProcess):
    for sent, status_line in (
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"HTTP/1.1 400"),
        (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000, b"HTTP/1.1 431"),
    ):
        with socket.create_connection(("127.0.0.1", signed.port), timeout=10) as one:
            one.sendall(sent)
            assert one.recv(4096).startswith(status_line)


@pytest.mark.parametrize("path", ["/events", "/session", "/trends?plant=sierra&resource=SOLAR"])
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_other_sites_page_can_open_streams_here_or_ask(console: ConsoleProcess, path: str, site: str):
    """Without users a browser on this machine would be let in whoever made it ask: 500 streams, and nobody else sees a page."""
    request = urllib.request.Request(console.address + path, headers={"Sec-Fetch-Site": site})
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(request, timeout=20)


def test_another_site_may_lead_to_a_page(console: ConsoleProcess):
    led = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    with urllib.request.urlopen(urllib.request.Request(console.address + "/plants/sierra", headers=led), timeout=20) as reply:
        assert reply.status == 200
        assert reply.headers["Cross-Origin-Resource-Policy"] == "same-origin"


def test_a_trend_is_sent_packed_to_whoever_takes_it_so(console: ConsoleProcess, ingest: Ingest):
    ingest.say(status(), dot())
    asked = {"plant": "sierra", "resource": "SOLAR", "hours": 24}
    address = f"{console.address}/trends?{urlencode(asked)}"
    packed = urllib.request.Request(address, headers={"Accept-Encoding": "gzip"})
    with urllib.request.urlopen(packed, timeout=20) as reply:
        assert reply.headers["Content-Encoding"] == "gzip"
        told = json.loads(gzip.decompress(reply.read()))
    with urllib.request.urlopen(address, timeout=20) as reply:
        assert reply.headers["Content-Encoding"] is None
        assert json.loads(reply.read()).keys() == told.keys()
    assert "Accept-Encoding" in reply.headers["Vary"]
