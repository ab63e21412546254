"""Alarms out, to a real mail server and a real HTTP server: each once, whoever was away or killed, and a flood is one mail."""

import base64
import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from alarms_process import Process
from listening import Listener
from msgspec.structs import replace
from real_mosquitto import Mosquitto, free_port
from receiving import MailServer, Program
from waiting import eventually

from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmChanged, ServiceStatus
from dotbus.contracts.topics import Subject, Topics
from dotbus.runtime.mqtt.messages import Outgoing
from dotbus.testing import samples

pytestmark = pytest.mark.integration
TOPICS = Topics()
PASSWORD, KEY = "swordfish-4711", "key-of-the-pager-0815"


def receivers(mail_port: int, hook_port: int) -> str:
    return f"""
[[alarms.email]]
name = "control-room"
host = "127.0.0.1"
port = {mail_port}
tls = "none"
username = "dotbus"
from = "dotbus@example.com"
to = ["gone@example.com", "a@example.com"]
gather_s = 1.0
pause_s = 1.0
flood_pause_s = 1.0

[[alarms.webhook]]
name = "pager"
tell = ["raised", "returned"]
timeout_s = 2.0
"""


@pytest.fixture
def listener(broker: Mosquitto) -> Iterator[Listener]:
    listener = Listener(broker.port, (Subject.ALARM, Subject.SERVICE))
    yield listener
    listener.bus.stop()


@pytest.fixture
def program() -> Iterator[Program]:
    program = Program()
    program.start()
    yield program
    program.stop()


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """Not started yet."""
    server = MailServer(free_port(), "dotbus", PASSWORD)
    yield server
    server.stop()


@pytest.fixture
def service(broker, listener, program, mail_server, tmp_path: Path) -> Iterator[Process]:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "control-room.password").write_text(f"{PASSWORD}\n")
    (secrets / "pager.secret").write_text(f"{KEY}\n")
    (secrets / "pager.url").write_text(f"http://127.0.0.1:{program.port}/in/very-secret-path\n")
    more = receivers(mail_server.port, program.port)
    process = Process(tmp_path / "alarms", broker.port, more, ALARMS_SECRETS_DIR=str(secrets))
    process.start()
    eventually(lambda: is_online(listener), within_s=30)
    yield process
    process.kill()
    log = process.log.read_text()
    for secret in (PASSWORD, KEY, "very-secret-path"):
        assert secret not in log


def is_online(listener: Listener) -> bool:
    status = listener.latest().get(TOPICS.service("alarms", "main"))
    return isinstance(status, ServiceStatus) and status.online


def say(listener: Listener, *names: str, online: bool) -> None:
    now = datetime.now(UTC)
    plain = {"online": online, "time": now, "started_at": now - timedelta(hours=1)}
    said = [replace(samples.service_status(), source=f"ads_ingest/{one}", instance=one, **plain) for one in names]
    messages = [Outgoing(TOPICS.service("ads_ingest", one.instance), encode(one), retain=True) for one in said]
    listener.bus.publish(messages)


def raised(listener: Listener) -> list[str]:
    return [one.id for one in listener.of(AlarmChanged) if one.what == "raised"]


def test_alarms_that_come_while_the_mail_server_is_down_are_one_mail_once_it_is_up_and_a_kill_doubles_none(
    listener, service, mail_server, program
):
    mail_server.refuse["gone@example.com"] = "550 no such user"
    names = [f"s{n:03}" for n in range(60)]
    say(listener, *names, online=False)
    eventually(lambda: len(raised(listener)) == 60, within_s=30)
    eventually(lambda: len(program.came) == 60, within_s=30)  # who is there is told meanwhile
    service.kill()
    mail_server.start()
    service.start()
    eventually(lambda: mail_server.mails, within_s=30)
    say(listener, "s000", online=True)
    eventually(lambda: len(program.told) == 61, within_s=30)
    ((to, subject, text),) = mail_server.mails
    assert (to, subject) == ("a@example.com", "[simulator] FLOOD of 60 alarm events (60 high): ads_ingest/s000 is offline")
    assert all(f"installation/ads_ingest/{name}/service-down" in text for name in names)

    assert [body["type"] for body in program.told] == ["alarm.raised"] * 60 + ["alarm.returned"]
    assert [body["data"]["id"] for body in program.told[:60]] == raised(listener)


def test_a_webhook_is_signed_tried_again_and_passes_over_what_is_never_taken(listener, service, mail_server, program):
    program.answers = [503, 429, 204, 400]
    say(listener, "a", online=False)
    eventually(lambda: len(program.came) == 1, within_s=30)
    headers, body, _ = program.came[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(KEY.encode(), signed, hashlib.sha256)).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert headers["webhook-id"] == raised(listener)[0]
    say(listener, "b", online=False)
    eventually(lambda: program.answers == [], within_s=30)
    say(listener, "c", online=False)
    eventually(lambda: len(program.came) == 2, within_s=30)
    assert program.came[1][2]["data"]["about"] == "ads_ingest/c"
    eventually(lambda: "were refused, and are not told" in service.log.read_text())


def test_one_who_hangs_holds_up_neither_the_others_nor_the_alarms_and_is_complained_of(listener, service, mail_server, program):
    mail_server.start()
    program.hangs.clear()
    say(listener, "a", online=False)
    eventually(lambda: any(to == "a@example.com" for to, _, _ in mail_server.mails), within_s=30)

    def complaints() -> list[str]:
        return list(listener.latest()[TOPICS.service("alarms", "main")].complaints)

    eventually(lambda: complaints() == ["pager cannot be told of alarms: 127.0.0.1: ReadTimeout"], within_s=30)
    say(listener, "a", online=True)
    eventually(lambda: any(one.what == "returned" for one in listener.of(AlarmChanged)), within_s=30)
    assert service.stop() == 0, "it does not wait for who hangs"
