"""Mail: what happened to alarms as one e-mail, and the mail server that takes it. The only door to smtplib.

The server is spoken to anew for each mail: they are few, and a connection that is kept dies unnoticed.
"""

import hashlib
import smtplib
import ssl
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Final

from alarms.out.sending import Away, WillNeverBeTaken
from dotbus.contracts.alarms import FLOOD_ABOVE, AlarmPriority
from dotbus.contracts.messages import AlarmChanged, Environment
from dotbus.runtime.installation.alarm_receivers import EmailReceiver

_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}
_LISTED_MOST: Final = 200
_SUBJECT_MOST: Final = 200
_UNFOLDED: Final = policy.default.clone(max_line_length=900)
"""Below SMTP's 998: a subject that Python folds begins with a space to many who read it."""
_NEVER: Final = 500
"""From here on what the server says of a mail itself is for ever."""


class Mailer:
    """Mails to one address, no closer to each other than its settings say.

    Args:
        receiver: how, and how often.
        to: the address.
        password: of the user at the mail server.
        authority_file: who signs the server's certificate, in place of the system's authorities.
    """

    takes_most = 5000

    def __init__(self, receiver: EmailReceiver, to: str, password: str | None, authority_file: Path | None) -> None:
        self._receiver = receiver
        self._to = to
        self._password = password
        self._since_s: float | None = None
        self._not_before_s = self._critical_not_before_s = float("-inf")
        self._tls = ssl.create_default_context(cafile=authority_file)
        self._tls.minimum_version = ssl.TLSVersion.TLSv1_2

    def wait_s(self, events: Sequence[AlarmChanged], now_s: float) -> float:
        """Until they have gathered, and the pause after the last mail is over."""
        if self._since_s is None:
            self._since_s = now_s
        is_critical = any(one.priority is AlarmPriority.CRITICAL for one in events)
        pause_until_s = self._critical_not_before_s if is_critical else self._not_before_s
        return max(0.0, self._since_s + self._receiver.gather_s - now_s, pause_until_s - now_s)

    def send(self, events: Sequence[AlarmChanged], now: datetime) -> None:
        """As one mail."""
        mail = mail_of(events, self._receiver.sender, self._to, now)
        try:
            self._hand_over(mail)
        except smtplib.SMTPDataError as error:
            raise (WillNeverBeTaken if error.smtp_code >= _NEVER else Away)(_said(error.smtp_code, error.smtp_error)) from error
        except smtplib.SMTPRecipientsRefused as error:  # a wrong address or user can be put right, and the mail is good still
            raise Away(_said(*error.recipients[self._to])) from error
        except smtplib.SMTPResponseException as error:
            raise Away(_said(error.smtp_code, error.smtp_error)) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Away(f"{type(error).__name__}: {_one_line(str(error))}") from error

    def sent(self, events: Sequence[AlarmChanged], now_s: float) -> None:
        """They are gone: from now on the next ones gather."""
        self._since_s = None
        self._critical_not_before_s = now_s + self._receiver.pause_s
        is_flood = len(events) > FLOOD_ABOVE
        pause_s = max(self._receiver.flood_pause_s, self._receiver.pause_s) if is_flood else self._receiver.pause_s
        self._not_before_s = now_s + pause_s

    def _hand_over(self, mail: EmailMessage) -> None:
        server = self._connect()
        try:
            if self._receiver.tls == "starttls":
                server.starttls(context=self._tls)
            if self._receiver.username:
                server.login(self._receiver.username, self._password or "")
            server.send_message(mail, self._receiver.sender, [self._to])
            with suppress(OSError, smtplib.SMTPException):  # it has the mail
                server.quit()
        finally:
            server.close()

    def _connect(self) -> smtplib.SMTP:
        receiver = self._receiver
        port = receiver.port or _PORTS[receiver.tls]
        if receiver.tls == "tls":
            return smtplib.SMTP_SSL(receiver.host, port, timeout=receiver.timeout_s, context=self._tls)
        return smtplib.SMTP(receiver.host, port, timeout=receiver.timeout_s)


def mail_of(events: Sequence[AlarmChanged], sender: str, to: str, now: datetime) -> EmailMessage:
    """One mail of all of them. The same events again are the same Message-ID, so that who gets it twice can tell."""
    mail = EmailMessage(_UNFOLDED)
    mail["From"], mail["To"], mail["Date"] = sender, to, format_datetime(now)
    mail["Subject"] = _subject(events)[:_SUBJECT_MOST]
    digest = hashlib.sha256("\n".join([to, *(one.id for one in events)]).encode()).hexdigest()[:32]
    mail["Message-ID"] = f"<{digest}@{sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(_text(events))
    return mail


def _subject(events: Sequence[AlarmChanged]) -> str:
    first = min(events, key=lambda one: list(AlarmPriority).index(one.priority))
    mark = "" if first.environment is Environment.PRODUCTION else f"[{first.environment}] "
    if len(events) == 1:
        return _one_line(f"{mark}{first.priority} {first.what}: {first.text} ({first.plant})")
    counts = Counter(one.priority for one in events)
    words = ", ".join(f"{counts[priority]} {priority}" for priority in AlarmPriority if counts[priority])
    flood = "FLOOD of " if len(events) > FLOOD_ABOVE else ""
    return _one_line(f"{mark}{flood}{len(events)} alarm events ({words}): {first.text}")


def _text(events: Sequence[AlarmChanged]) -> str:
    lines = [line for one in events[:_LISTED_MOST] for line in _lines(one)]
    if more := events[_LISTED_MOST:]:
        lines.append(f"and {len(more)} more: `dotbus alarms history` has all of them")
    return "\n".join(lines) + "\n"


def _lines(event: AlarmChanged) -> list[str]:
    by = f" by {event.changed_by}" if event.changed_by else ""
    head = (
        f"{event.changed_at:%Y-%m-%d %H:%M:%S}Z  {event.priority}  {event.what}{by}  {event.plant}/{event.about}/{event.rule}"
    )
    said = [one for one in (event.text, event.comment) if one]
    return [_one_line(head), *(f"    {_one_line(one)}" for one in said)]


def _one_line(text: str) -> str:
    """What others say may hold line breaks, which would begin a header of their own."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _said(code: int, reply: bytes | str) -> str:
    text = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    return f"the mail server says {code} {_one_line(text)}"
