"""`[[alarms.email]]` and `[[alarms.webhook]]` of dotbus.toml: who is told of alarms without looking at a screen, and of which.

Secrets are not here: each receiver's are files that have its name, in a folder that the service's environment names.
"""

import re
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, StrictInt, ValidationInfo, field_validator

from dotbus.contracts.alarms import AlarmPriority
from dotbus.runtime.installation.toml_values import Flag, Name, Number, Section
from dotbus.runtime.settings.addresses import host_of, is_this_machine, web_address

_MAIL: Final = re.compile(r"[^@\s<>,;\"]+@[^@\s<>,;\"]+")
FILE_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""What a receiver's name must be: it names files of secrets."""


class Told(StrEnum):
    """What of an alarm a receiver is told."""

    RAISED = "raised"
    RETURNED = "returned"
    ACKNOWLEDGED = "acknowledged"
    SHELVED = "shelved"


def _is_mail_address(address: str) -> str:
    if not (_MAIL.fullmatch(address) and address.isascii()):
        raise ValueError("must be one address such as operators@example.com")
    return address


MailAddress = Annotated[str, Field(max_length=254), AfterValidator(_is_mail_address)]
TimeOut = Annotated[Number, Field(gt=0, le=120)]


class AlarmReceiver(Section):
    """What every receiver has.

    Attributes:
        name: tells it from others, in logs, metrics and the names of its files of secrets.
        priorities: of which alarms it is told.
        plants: of whose alarms; `installation` has those of no plant. None is all.
        tell: what of them. What leaves the shelf, suppression or out-of-service and holds still was raised, too.
        timeout_s: for how long the other side may say nothing.
    """

    name: Name
    priorities: tuple[AlarmPriority, ...] = tuple(AlarmPriority)
    plants: tuple[Name, ...] | None = None
    tell: Annotated[tuple[Told, ...], Field(min_length=1)] = (Told.RAISED,)
    timeout_s: TimeOut = 20.0


class EmailReceiver(AlarmReceiver):
    """People with a mailbox.

    Attributes:
        host: of the mail server that takes our mails.
        tls: `starttls`, `tls` from the first byte, or `none`, which is for this machine alone. Never less than is said.
        port: of the server; that of the kind of TLS unless given.
        username: who we are there; its password is in the file NAME.password.
        sender: from whom the mails are.
        to: to whom. Each gets a mail of his own, and one who is refused keeps nobody else from it.
        gather_s: what comes within so many seconds of the first is one mail.
        pause_s: for how long after a mail no other is sent.
        flood_pause_s: the same after one that told of a flood, unless something critical waits.
    """

    host: Name
    tls: Literal["starttls", "tls", "none"] = "starttls"
    port: Annotated[StrictInt, Field(ge=1, le=65535)] | None = None
    username: Name | None = None
    sender: Annotated[MailAddress, Field(alias="from")]
    to: Annotated[tuple[MailAddress, ...], Field(min_length=1, max_length=50)]
    gather_s: Annotated[Number, Field(ge=0, le=600)] = 10.0
    pause_s: Annotated[Number, Field(ge=0, le=3600)] = 60.0
    flood_pause_s: Annotated[Number, Field(ge=0, le=86_400)] = 600.0

    @field_validator("tls")
    @classmethod
    def _tls_to_another_machine(cls, tls: str, others: ValidationInfo) -> str:
        host = others.data.get("host")
        if tls == "none" and host is not None and not is_this_machine(host):
            raise ValueError(f"{host} is not this machine, so the connection must be TLS")
        return tls


class WebhookReceiver(AlarmReceiver):
    """A program that takes HTTP. The key of its signatures is in the file NAME.secret.

    Attributes:
        url: where each event is posted to. None where it is a secret itself: then it is in the file NAME.url.
        signed: whether requests are signed; only who cannot check it does without.
    """

    url: Annotated[str, Field(max_length=2000)] | None = None
    signed: Flag = True

    @field_validator("url")
    @classmethod
    def _is_safe(cls, url: str | None) -> str | None:
        return None if url is None else webhook_address(url)


def webhook_address(url: str) -> str:
    """An address that alarms may be posted to.

    Raises:
        ValueError: it is none, or everybody on the way could read them.
    """
    address = web_address(url, "https", "http")
    if address.startswith("http:") and not is_this_machine(host_of(address)):
        raise ValueError("must begin with https://: it is on another machine")
    return address
