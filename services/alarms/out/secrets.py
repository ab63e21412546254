"""Secrets of receivers: files that have a receiver's name, in one folder. Read once, at the start; never told.

| file | holds |
| --- | --- |
| NAME.password | of an e-mail receiver's `username` |
| NAME.secret | the key that a webhook's requests are signed with |
| NAME.url | a webhook's address, where that is a secret itself |
| NAME.pem | who signs the other side's certificate, in place of the system's authorities |
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from alarms.out.webhook import key_of
from dotbus.runtime.installation.alarm_receivers import AlarmReceiver, EmailReceiver, WebhookReceiver, webhook_address
from dotbus.runtime.installation.alarms import Alarms
from dotbus.runtime.settings.mistakes import Collector, ConfigurationRefused, Mistake

VARIABLE: Final = "ALARMS_SECRETS_DIR"
T = TypeVar("T")


@dataclass(frozen=True)
class Secrets:
    """What a receiver needs besides what `dotbus.toml` says of it.

    Attributes:
        password: at the mail server.
        key: of the signatures.
        url: where to post.
        authority_file: who signs the other side.
    """

    password: str | None = field(default=None, repr=False)
    key: str | None = field(default=None, repr=False)
    url: str | None = field(default=None, repr=False)
    authority_file: Path | None = None


def read_secrets(alarms: Alarms, folder: Path | None) -> dict[str, Secrets]:
    """The secrets of each receiver, by its name.

    Raises:
        ConfigurationRefused: with each file that is missing or wrong.
    """
    collector, found = Collector(), dict[str, Secrets]()
    for receiver in (*alarms.emails, *alarms.webhooks):
        if secrets := collector.load(partial(_of, receiver, folder)):
            found[receiver.name] = secrets
    collector.finish()
    return found


def _of(receiver: AlarmReceiver, folder: Path | None) -> Secrets:
    authority = folder / f"{receiver.name}.pem" if folder else None
    own = authority if authority and authority.is_file() else None
    match receiver:
        case EmailReceiver() if receiver.username:
            return Secrets(password=_read(receiver, folder, "password"), authority_file=own)
        case WebhookReceiver():
            key = _read(receiver, folder, "secret") if receiver.signed else None
            url = receiver.url or _read(receiver, folder, "url")
            _require(receiver, "secret", lambda: key_of(key or ""))
            return Secrets(key=key, url=_require(receiver, "url", lambda: webhook_address(url)), authority_file=own)
    return Secrets(authority_file=own)


def _read(receiver: AlarmReceiver, folder: Path | None, kind: str) -> str:
    if folder is None:
        raise _refused(receiver, kind, f"is needed, and {VARIABLE} names no folder")
    try:
        text = (folder / f"{receiver.name}.{kind}").read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is no text in UTF-8"
        raise _refused(receiver, kind, f"cannot be read in {folder}: {reason}") from error
    if not text:
        raise _refused(receiver, kind, "is empty")
    return text


def _require(receiver: AlarmReceiver, kind: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError:
        what = (
            "must be a text, or whsec_ and base64" if kind == "secret" else "must be a web address, https:// to another machine"
        )
        raise _refused(receiver, kind, what) from None


def _refused(receiver: AlarmReceiver, kind: str, reason: str) -> ConfigurationRefused:
    return ConfigurationRefused([Mistake("environment", VARIABLE, f"{receiver.name}.{kind} {reason}")])
