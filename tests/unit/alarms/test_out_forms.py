"""What is told looks as its readers expect: a flood is one mail, no text of others a header, and others check the signature."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from alarms_world import CONFIG, installation
from hypothesis import given
from hypothesis import strategies as st

from alarms.out.mail import Mailer, mail_of
from alarms.out.secrets import Secrets, read_secrets
from alarms.out.webhook import body_of, key_of, signed
from dotbus.contracts.alarms import AlarmPriority
from dotbus.contracts.messages import AlarmChanged, Environment
from dotbus.runtime.installation.alarm_receivers import EmailReceiver
from dotbus.runtime.installation.file import understand_installation
from dotbus.runtime.settings.mistakes import ConfigurationRefused
from dotbus.testing import samples

AT = datetime(2026, 10, 13, 14, 0, tzinfo=UTC)
EMAIL = """
[[alarms.email]]
name = "control-room"
host = "smtp.example.com"
username = "dotbus"
from = "dotbus@example.com"
to = ["a@example.com"]
"""
WEBHOOK = """
[[alarms.webhook]]
name = "pager"
url = "https://pager.example.com/in"
"""


def event(number: int = 0, **more) -> AlarmChanged:
    return msgspec.structs.replace(
        samples.alarm_changed(), id=f"alarm/{number}", **({"what": "raised", "comment": None} | more)
    )


def mail(*events: AlarmChanged):
    return mail_of(events, "dotbus@example.com", "a@example.com", AT)


def test_one_alarm_is_a_mail_whose_subject_says_it():
    it = mail(event(environment=Environment.PRODUCTION, text="the DOT of S1 is stale"))
    assert it["Subject"] == "critical raised: the DOT of S1 is stale (sierra)"
    assert it["Message-ID"].endswith("@example.com>")


def test_a_test_system_says_that_it_is_one():
    assert mail(event())["Subject"].startswith("[simulator] critical raised: ")


def test_a_flood_is_one_mail_with_the_worst_in_its_subject():
    events = [event(n, priority=AlarmPriority.LOW, text=f"low {n}") for n in range(499)]
    it = mail(*events, event(499, text="the worst"))
    assert it["Subject"] == "[simulator] FLOOD of 500 alarm events (1 critical, 499 low): the worst"
    assert "and 300 more" in it.get_content()


def test_the_same_events_again_are_the_same_message():
    assert mail(event(1), event(2))["Message-ID"] == mail(event(1), event(2))["Message-ID"] != mail(event(1))["Message-ID"]


@given(st.text(max_size=300), st.text(max_size=50))
def test_no_text_of_others_becomes_a_header_or_a_line_of_its_own(text: str, comment: str):
    parsed = mail(event(text=text, comment=comment))
    head, _, _ = parsed.as_bytes().partition(b"\n\n")
    allowed = {"from", "to", "date", "subject", "message-id", "auto-submitted", "content-type", "mime-version"}
    names = {line.split(b":")[0].decode().lower() for line in head.splitlines() if line[:1] not in b" \t"}
    assert names <= allowed | {"content-transfer-encoding"}
    assert len(parsed.get_content().splitlines()) <= 3


def receiver(**more) -> EmailReceiver:
    plain = {"name": "r", "host": "localhost", "tls": "none", "from": "a@b.c", "to": ["d@e.f"]}
    return EmailReceiver(**(plain | more))


def test_what_comes_within_seconds_is_one_mail_and_the_next_waits_for_its_pause():
    it = Mailer(receiver(gather_s=10.0, pause_s=60.0, flood_pause_s=600.0), "d@e.f", None, None)
    low, critical = event(priority=AlarmPriority.LOW), event()
    assert it.wait_s([low], 100.0) == 10.0
    assert it.wait_s([low, low], 106.0) == 4.0
    assert it.wait_s([low, low], 110.0) == 0.0
    it.sent([low, low], 110.0)
    assert it.wait_s([low], 111.0) == 59.0
    assert it.wait_s([low], 170.0) == 0.0
    it.sent([low] * 11, 170.0)
    assert it.wait_s([low], 180.0) == 590.0, "after a flood it pauses longer"
    assert it.wait_s([low, critical], 180.0) == 50.0, "but for what is critical"


def test_a_webhooks_body_has_the_message_as_on_the_bus_and_its_type():
    body = json.loads(body_of(event()))
    assert (body["type"], body["timestamp"], body["data"]["kind"]) == ("alarm.raised", "2026-10-13T14:14:00Z", "alarm")


def test_the_signature_is_that_of_standard_webhooks():
    """Worked out as its specification says: HMAC-SHA256 of id.timestamp.body, in base64, after v1."""
    body = b'{"test": 2432232314}'
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", body, key_of("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), at)
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_another_key_or_body_is_another_signature():
    def of(key: str, body: bytes) -> str:
        return signed("id", body, key_of(key), AT)["webhook-signature"]

    expected = base64.b64encode(hmac.digest(b"plain text", b"id.1791900000.{}", hashlib.sha256)).decode()
    assert of("plain text", b"{}") == f"v1,{expected}"
    assert len({of("plain text", b"{}"), of("plain text", b"[]"), of("another", b"{}")}) == 3


def secrets(folder: Path | None, more: str) -> dict[str, Secrets]:
    return read_secrets(installation(more).alarms, folder)


def test_secrets_are_files_of_the_receivers_names_and_show_in_no_text(tmp_path: Path):
    (tmp_path / "control-room.password").write_text("swordfish\n")
    (tmp_path / "pager.secret").write_text("whsec_c3dvcmRmaXNo")
    (tmp_path / "pager.url").write_text("https://pager.example.com/swordfish")
    found = secrets(tmp_path, EMAIL + WEBHOOK.replace('url = "https://pager.example.com/in"\n', ""))
    assert found["control-room"].password == "swordfish"
    assert found["pager"].url == "https://pager.example.com/swordfish"
    assert "swordfish" not in str(found)
    assert "c3dv" not in str(found)


@pytest.mark.parametrize(
    ("files", "more", "reason"),
    [
        (None, EMAIL, "control-room.password is needed, and ALARMS_SECRETS_DIR names no folder"),
        ({}, EMAIL, "control-room.password cannot be read in"),
        ({"control-room.password": "\n"}, EMAIL, "control-room.password is empty"),
        ({}, WEBHOOK, "pager.secret cannot be read"),
        ({"pager.secret": "whsec_!"}, WEBHOOK, "pager.secret must be a text, or whsec_ and base64"),
        (
            {"pager.secret": "x", "pager.url": "http://pager.example.com"},
            WEBHOOK.replace('url = "https://pager.example.com/in"\n', ""),
            "pager.url must be a web address, https:// to another machine",
        ),
    ],
)
def test_a_secret_that_is_missing_or_wrong_is_told_by_its_file(tmp_path: Path, files, more: str, reason: str):
    for name, text in (files or {}).items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ConfigurationRefused) as refused:
        secrets(None if files is None else tmp_path, more)
    (mistake,) = refused.value.mistakes
    assert reason in str(mistake)
    assert "whsec_!" not in str(mistake)


@pytest.mark.parametrize(
    ("more", "place", "reason"),
    [
        (EMAIL + 'tls = "none"\n', "alarms.email[0].tls", "is not this machine, so the connection must be TLS"),
        (EMAIL.replace("a@example.com", "a@example.com\\nBcc: x@y"), "alarms.email[0].to[0]", "must be one address"),
        (EMAIL.replace("control-room", "../x"), "alarms.email[0].name", "letters, digits"),
        (EMAIL + 'plants = ["nevada"]\n', "alarms.email[0].plants[0]", "'nevada' is no plant"),
        (EMAIL + 'priorities = ["urgent"]\n', "alarms.email[0].priorities[0]", "critical"),
        (EMAIL + "tell = []\n", "alarms.email[0].tell", "at least one"),
        (WEBHOOK.replace("https:", "http:"), "alarms.webhook[0].url", "must begin with https://"),
        (WEBHOOK.replace("https://", "https://u:p@"), "alarms.webhook[0].url", "must not hold"),
        (EMAIL + WEBHOOK.replace("pager", "control-room", 1), "alarms.webhook[0].name", "given twice"),
    ],
)
def test_a_mistake_about_who_is_told_is_told_with_its_place_and_line(more: str, place: str, reason: str):
    file = understand_installation(CONFIG + more, Path("dotbus.toml"))
    (mistake,) = file.mistakes
    assert mistake.key == place
    assert reason in mistake.reason
    assert mistake.line is not None
