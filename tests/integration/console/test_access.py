"""Who is let in to the console as it runs: signing in and out, roles, plants, and what ends a session."""

import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
import trustme
from chromium import browser as opened_browser
from console_process import ConsoleProcess
from console_users import ANNA, BEN, EVE, PASSWORD, kept
from console_visitor import Visitor
from gateway_process import CONFIG
from playwright.sync_api import Browser
from real_mosquitto import Mosquitto, remove_mosquitto, start_mosquitto

from console.access.failed_tries import OF_USER_HERE
from console.access.users import NAME_MOST

pytestmark = pytest.mark.integration
TWO_PLANTS = CONFIG.replace("[modbus]", '[[plant]]\nname = "delta"\n[[plant.resource]]\nid = "HYDRO"\n[modbus]')


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
def served(tmp_path_factory: pytest.TempPathFactory, mosquitto: Mosquitto) -> Iterator[ConsoleProcess]:
    """One for all: each test has its file of users as it was at first."""
    folder = tmp_path_factory.mktemp("console")
    process = ConsoleProcess(folder, mosquitto, TWO_PLANTS, USERS_FILE=str(kept(folder / "users.json", ANNA, BEN, EVE)))
    yield process
    assert process.stop() == 0


@pytest.fixture
def users(served: ConsoleProcess) -> Path:
    return kept(served.file.parent / "users.json", ANNA, BEN, EVE)


@pytest.fixture
def console(served: ConsoleProcess, users: Path) -> ConsoleProcess:
    return served


@pytest.fixture
def visitor(console: ConsoleProcess) -> Iterator[Visitor]:
    one = Visitor(console)
    yield one
    one.leave()


def test_in_a_browser_one_signs_in_is_led_to_the_page_that_was_asked_for_and_signs_out(
    console: ConsoleProcess, browser: Browser
):
    page = browser.new_page()
    page.goto(console.address + "/plants/sierra")
    assert "/sign-in" in page.url
    page.fill("#name", "anna")
    page.fill("#password", "wrong")
    page.click("text=Sign in")
    assert page.inner_text("[role=alert]") == "Name and password are not those of a user here."
    page.fill("#name", "anna")
    page.fill("#password", PASSWORD)
    page.click("text=Sign in")
    page.wait_for_selector("body[data-live=live]")
    assert page.url.endswith("/plants/sierra")
    page.wait_for_selector("text=anna, operator")
    page.click("text=Sign out")
    page.wait_for_selector("#password")
    page.goto(console.address + "/plants/sierra")
    assert "/sign-in" in page.url


def test_a_page_whose_session_ended_leads_to_where_one_signs_in(console: ConsoleProcess, browser: Browser, users: Path):
    page = browser.new_page()
    page.goto(console.address)
    page.fill("#name", "ben")
    page.fill("#password", PASSWORD)
    page.click("text=Sign in")
    page.wait_for_selector("body[data-live=live]")
    kept(users, ANNA)
    page.wait_for_url("**/sign-in?next=/", timeout=8000)


@pytest.mark.parametrize("path", ["/", "/plants/sierra"])
def test_without_a_session_a_page_leads_to_the_form(visitor: Visitor, path: str):
    reply = visitor.ask("GET", path)
    assert (reply.status, reply.headers["Location"]) == (303, f"/sign-in?next={path}")


@pytest.mark.parametrize("path", ["/events", "/session", "/trends?plant=sierra&resource=SOLAR"])
def test_without_a_session_nothing_is_told(visitor: Visitor, path: str):
    assert visitor.ask("GET", path).status == 401
    visitor.cookies[f"dotbus-session-{visitor.console.port}"] = "made up"
    assert visitor.ask("GET", path).status == 401


def test_a_cookie_is_for_this_site_alone_and_for_no_script(visitor: Visitor):
    cookie = visitor.sign_in("ben").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Path=/" in cookie
    assert "Secure" not in cookie, "without TLS a browser would not send it back"


def test_who_is_of_one_plant_has_that_plant_alone(visitor: Visitor):
    assert visitor.sign_in("anna").status == 303
    assert visitor.ask("GET", "/").headers["Location"] == "/plants/sierra"
    for path in ("/plants/delta", "/events?plant=delta", "/trends?plant=delta&resource=HYDRO"):
        assert visitor.ask("GET", path).status == 404
    assert visitor.ask("GET", "/plants/sierra").status == 200
    told = visitor.open("GET", "/events")
    lines = [told.readline() for _ in range(6)]
    assert b"SOLAR" in b"".join(lines)
    assert b"delta" not in b"".join(lines)


def test_after_signing_out_the_token_is_worth_nothing_and_its_stream_ends_at_once(visitor: Visitor):
    visitor.sign_in("ben")
    kept_cookies, stream = dict(visitor.cookies), visitor.events()
    assert next(stream) == "picture"
    assert visitor.post("/sign-out").status == 204
    assert len(list(stream)) <= 2
    visitor.cookies = kept_cookies
    assert visitor.ask("GET", "/session").status == 401


def test_with_another_password_or_without_the_user_the_stream_ends(visitor: Visitor, users: Path):
    command = [sys.executable, "-m", "launcher", "users"]
    for arguments in (["password", "ben"], ["remove", "eve"]):
        visitor.sign_in(arguments[1])
        stream = visitor.events()
        assert next(stream) == "picture"
        subprocess.run([*command, *arguments, "--file", users], input=b"another horse battery\n", check=True)
        assert len(list(islice(stream, 60))) < 60, "one a second, and the command takes some of them"
        assert visitor.ask("GET", "/session").status == 401


@pytest.mark.parametrize("token", ["", "made up"])
def test_no_other_site_can_have_somebody_signed_out(visitor: Visitor, token: str):
    visitor.sign_in("ben")
    assert visitor.post("/sign-out", csrf=token).status == 403
    assert visitor.ask("GET", "/session").status == 200


def test_no_other_site_can_have_somebody_signed_in_as_another(visitor: Visitor):
    """Who enters something would enter it under a stranger's name."""
    assert visitor.fill("ben", PASSWORD, next="/", token="made up").status == 403
    form_of_another = Visitor(visitor.console)
    form_of_another.ask("GET", "/sign-in")
    visitor.cookies = form_of_another.cookies
    assert visitor.fill("ben", PASSWORD, next="/", token="").status == 403
    assert visitor.ask("GET", "/session").status == 401


@pytest.mark.parametrize(
    "onward", ["//evil.example", "https://evil.example", "/plants/../x", "/\\evil.example", "/plants/a?b", ""]
)
def test_nobody_is_led_elsewhere(visitor: Visitor, onward: str):
    assert visitor.sign_in("ben", onward=onward).headers["Location"] == "/"


def test_a_name_in_the_form_is_text_and_no_markup(visitor: Visitor):
    assert "<b>" not in visitor.ask("GET", '/sign-in?next=/plants/"><b>').text


def test_too_many_wrong_passwords_have_to_wait_and_are_told_for_how_long(visitor: Visitor):
    for _ in range(OF_USER_HERE):
        assert visitor.sign_in("ben", "wrong").status == 401
    reply = visitor.sign_in("ben")
    assert (reply.status, reply.headers["Retry-After"]) == (429, "1") or reply.status == 303, "a second may have passed"
    assert visitor.sign_in("eve").status == 303, "nobody else has to wait"


def test_what_was_typed_in_is_in_no_log_unless_it_is_a_users_name(visitor: Visitor):
    assert visitor.sign_in("hunter2hunter2", "wrong").status == 401
    assert visitor.sign_in("eve", "swordfish").status == 401  # who did not fail in another test
    assert visitor.sign_in("x" * NAME_MOST * 2, "wrong").status == 401
    log = visitor.console.log.read_text()
    assert "hunter2" not in log
    assert "swordfish" not in log
    assert '"user": "eve"' in log


def test_a_body_without_end_is_not_read(visitor: Visitor):
    assert visitor.ask("POST", "/sign-in", "x" * 100_000).status == 413


def test_with_tls_the_cookie_is_sent_over_nothing_else(tmp_path: Path, mosquitto: Mosquitto, users: Path):
    authority, file = trustme.CA(), tmp_path / "server.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(file))
    trusts = ssl.create_default_context()
    authority.configure_trust(trusts)
    console = ConsoleProcess(tmp_path, mosquitto, CONFIG, HOST="0.0.0.0", CERTIFICATE_FILE=str(file), USERS_FILE=str(users))
    try:
        visitor = Visitor(console, trusts)
        cookie = visitor.sign_in("ben").headers["Set-Cookie"]
        assert cookie.startswith("__Host-")
        assert "Secure" in cookie
        assert visitor.ask("GET", "/session").status == 200
    finally:
        assert console.stop() == 0


def test_beyond_this_machine_it_does_not_start_without_users_and_says_what_to_do(tmp_path: Path, mosquitto: Mosquitto):
    config = tmp_path / "dotbus.toml"
    config.write_text(CONFIG)
    variables = {"CONSOLE_CONFIG": str(config), "CONSOLE_HOST": "0.0.0.0", "CONSOLE_MQTT_PORT": str(mosquitto.port)}
    ended = subprocess.run(
        [sys.executable, "-m", "console"], env=variables, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 2
    (line,) = ended.stderr.splitlines()
    assert line.startswith("environment: CONSOLE_HOST: is beyond this machine")
    assert "dotbus users add" in line


def test_an_idle_session_is_over_and_one_with_an_open_page_is_not(tmp_path: Path, mosquitto: Mosquitto, users: Path):
    console = ConsoleProcess(
        tmp_path, mosquitto, CONFIG, USERS_FILE=str(users), SESSION_IDLE_MIN="0.05", SESSION_HOURS_MOST="0.002"
    )
    try:
        idle, looking = Visitor(console), Visitor(console)
        idle.sign_in("ben")
        looking.sign_in("ben")
        stream = looking.events()
        until = time.monotonic() + 4  # longer than the 3 s that a session may be idle
        while time.monotonic() < until:
            next(stream)
        assert idle.ask("GET", "/session").status == 401
        assert looking.ask("GET", "/session").status == 200
        list(stream)  # it ends in any case, 7.2 s after it was begun
        assert looking.ask("GET", "/session").status == 401
    finally:
        assert console.stop() == 0
