"""Webhook: what happened to an alarm as an HTTP request, signed as Standard Webhooks asks (standardwebhooks.com, 2023).

The only door to requests. A failure never names the address: it may be a secret.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Final

import requests
from requests.auth import AuthBase

from alarms.out.sending import Away, WillNeverBeTaken
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmChanged
from dotbus.runtime.settings.addresses import host_of, is_this_machine

_KEY_PREFIX: Final = "whsec_"
_MAY_CHANGE: Final = frozenset({401, 403, 404, 407, 408, 409, 421, 423, 425, 429})
"""Statuses of 400 to 499 that say nothing against the request itself: its time, or somebody's settings."""
_GOOD, _FIRST_OF_CLIENT, _FIRST_OF_SERVER = range(200, 300), 400, 500


class Webhook:
    """Posts events to one address, one after the other, in their order.

    Args:
        url: the address.
        key: of the signatures, as its file has it; None where nothing is signed.
        timeout_s: for how long the other side may say nothing.
        authority_file: who signs its certificate, in place of the system's authorities.
    """

    takes_most = 1

    def __init__(self, url: str, key: str | None, timeout_s: float, authority_file: Path | None) -> None:
        self._url = url
        self._key = None if key is None else key_of(key)
        self._timeout_s = timeout_s
        self._session = requests.Session()
        self._session.auth = _Nobody()
        if authority_file is not None:
            self._session.verify = str(authority_file)
        if is_this_machine(host_of(url)):
            self._session.trust_env = False  # no proxy knows this machine

    def wait_s(self, events: Sequence[AlarmChanged], now_s: float) -> float:  # noqa: ARG002  # as every way out
        """None: a program can take many."""
        return 0.0

    def sent(self, events: Sequence[AlarmChanged], now_s: float) -> None:
        """Nothing follows from it."""

    def send(self, events: Sequence[AlarmChanged], now: datetime) -> None:
        """Each as a request of its own."""
        for event in events:
            self._post(event.id, body_of(event), now)

    def _post(self, event_id: str, body: bytes, now: datetime) -> None:
        headers = {"Content-Type": "application/json", "User-Agent": "dotbus", **signed(event_id, body, self._key, now)}
        try:
            with self._session.post(
                self._url, data=body, headers=headers, timeout=self._timeout_s, stream=True, allow_redirects=False
            ) as response:
                status = response.status_code
        except requests.RequestException as error:
            raise Away(f"{host_of(self._url)}: {type(error).__name__}") from None  # its text has the address
        if status in _GOOD:
            return
        is_for_ever = status < _FIRST_OF_SERVER and status not in _MAY_CHANGE
        redirect = "; it sends elsewhere, so give that address" if status < _FIRST_OF_CLIENT else ""
        raise (WillNeverBeTaken if is_for_ever else Away)(f"{host_of(self._url)} answers with status {status}{redirect}")


def body_of(event: AlarmChanged) -> bytes:
    """The event as JSON: its type, its time, and the message as it is on the bus."""
    data = json.loads(encode(event))
    return json.dumps({"type": f"alarm.{event.what}", "timestamp": data["changed_at"], "data": data}).encode()


def key_of(text: str) -> bytes:
    """A key as Standard Webhooks writes it, `whsec_` and base64, or any other text as it is."""
    if not text.startswith(_KEY_PREFIX):
        return text.encode()
    return base64.b64decode(text.removeprefix(_KEY_PREFIX), validate=True)


def signed(event_id: str, body: bytes, key: bytes | None, now: datetime) -> dict[str, str]:
    """The headers that say which event it is, when it was sent, and that it was us."""
    at = str(int(now.timestamp()))
    headers = {"webhook-id": event_id, "webhook-timestamp": at}
    if key is None:
        return headers
    digest = hmac.digest(key, f"{event_id}.{at}.".encode() + body, hashlib.sha256)
    return {**headers, "webhook-signature": f"v1,{base64.b64encode(digest).decode()}"}


class _Nobody(AuthBase):
    """Without it requests would take a password for the host out of ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request
