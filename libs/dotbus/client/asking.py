"""Asking: one API over HTTP. The client's only door to requests."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import requests
import urllib3
from requests.auth import AuthBase

from dotbus.client.columns import Json
from dotbus.client.errors import AnswerCut, NotNow, NotReached, Refused, TooOften, refusal_of
from dotbus.runtime.settings.addresses import host_of, is_this_machine, web_address

OPENAPI: Final = "/v1/openapi.json"
JSON: Final = "application/json"
ARROW: Final = "application/vnd.apache.arrow.stream"
URL_VARIABLE: Final = "DOTBUS_API_URL"
KEY_VARIABLE: Final = "DOTBUS_API_KEY"
KEY_FILE_VARIABLE: Final = "DOTBUS_API_KEY_FILE"
CA_FILE_VARIABLE: Final = "DOTBUS_API_CA_FILE"
DEFAULT_URL: Final = "http://127.0.0.1:8090"
TIMES: Final = 4
"""So often a question is asked before its error is told: the API says how long to wait in between."""
WAIT_MOST_S: Final = 30.0
CONNECT_WITHIN_S: Final = 10.0

Word: TypeAlias = str | int | float | date | datetime


class Several(tuple[Word, ...]):
    """What is said one after the other."""

    __slots__ = ()

    @classmethod
    def of(cls, name: str, value: Word | Sequence[Word] | None) -> "Several | None":
        """One, or several; None is not said at all.

        Raises:
            ValueError: there are several, and none of them: that may be a mistake, and would ask for all.
        """
        if value is None:
            return None
        several = cls((value,) if isinstance(value, Word) else value)
        if not several:
            raise ValueError(f"{name}: none is named; leave it out to ask for all")
        return several


Said: TypeAlias = Word | Several | None
"""What a parameter may be: None is not said at all."""


class Asking:
    """The API at one address.

    Args:
        url: such as https://dotbus.example:8090.
        key: what `historian api keys make` gave; None where none is needed.
        ca_file: certificates to trust in place of the system's, PEM.
        read_within_s: as long as the API may say nothing.
        wait: how to wait.

    Raises:
        ValueError: the address is none, or would show the key to everybody on the way.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        ca_file: str | None = None,
        *,
        read_within_s: float = 120.0,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._url = web_address(url, "http", "https")
        is_here = is_this_machine(host_of(url))
        if key and not is_here and urlsplit(url).scheme != "https":
            raise ValueError(f"{url}: a key is said over https alone, or everybody on the way could read it")
        self._session = requests.Session()
        self._session.auth = _Bearer(key)
        if ca_file is not None:
            self._session.verify = ca_file
        if is_here:
            self._session.headers["Accept-Encoding"] = "identity"  # to pack takes longer than to carry
            self._session.trust_env = False  # no proxy knows this machine
        self._within_s = CONNECT_WITHIN_S, read_within_s
        self._wait = wait

    @cached_property
    def openapi(self) -> Json:
        """What the API says of its questions.

        Raises:
            NoAnswer: it does not say it.
        """
        return self.document(OPENAPI, {})

    def document(self, path: str, parameters: Mapping[str, Said]) -> Json:
        """The JSON that a question is answered with.

        Raises:
            NoAnswer: there is none.
        """
        with self.answer(path, parameters, JSON) as response:
            return json_of(response)

    @contextmanager
    def answer(self, path: str, parameters: Mapping[str, Said], accept: str) -> Iterator[requests.Response]:
        """An answer, of which only the head was read.

        Raises:
            NoAnswer: there is none, or it ends before its end.
        """
        response = self._patiently(path, parameters, accept)
        with response, _whole():
            yield response

    def _patiently(self, path: str, parameters: Mapping[str, Said], accept: str) -> requests.Response:
        for _ in range(TIMES - 1):
            try:
                return self._once(path, parameters, accept)
            except (TooOften, NotNow) as error:
                if error.retry_after_s is None:
                    raise
                self._wait(min(error.retry_after_s, WAIT_MOST_S))
        return self._once(path, parameters, accept)

    def _once(self, path: str, parameters: Mapping[str, Said], accept: str) -> requests.Response:
        said = [(name, word(one)) for name, value in parameters.items() for one in _several(value)]
        try:
            response = self._session.get(
                f"{self._url}{path}",
                params=said,
                headers={"Accept": accept},
                timeout=self._within_s,
                stream=True,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise NotReached(f"{self._url} does not answer: {error}") from error
        if response.status_code != requests.codes.ok:
            with response, _whole():
                raise _refusal(response)
        return response


@cache
def asking_at(url: str, key: str | None, ca_file: str | None) -> Asking:
    """The API at one address, the same one each time: its connections and what it says of itself are kept.

    Raises:
        ValueError: as `Asking`.
    """
    return Asking(url, key, ca_file)


def asking_of_environment(url: str | None = None, key: str | None = None, ca_file: str | None = None) -> Asking:
    """The API that is meant; what is not given is as DOTBUS_API_URL, _KEY, _KEY_FILE and _CA_FILE say now.

    Raises:
        ValueError: as `Asking`.
        OSError: the key's file cannot be read.
    """
    told = os.environ
    file = told.get(KEY_FILE_VARIABLE)
    known = key or told.get(KEY_VARIABLE) or (Path(file).expanduser().read_text(encoding="utf-8").strip() if file else None)
    return asking_at(url or told.get(URL_VARIABLE, DEFAULT_URL), known, ca_file or told.get(CA_FILE_VARIABLE))


class _Bearer(AuthBase):
    """The key, or none: without it requests would take a password for the host out of ~/.netrc."""

    def __init__(self, key: str | None) -> None:
        self._key = key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request


def word(value: Word) -> str:
    """A parameter as it is said: times and dates as ISO 8601."""
    return value.isoformat() if isinstance(value, date) else str(value)


def json_of(response: requests.Response) -> Json:
    """The JSON of an answer.

    Raises:
        AnswerCut: it is none.
    """
    try:
        return json.loads(response.content)
    except ValueError as error:
        raise AnswerCut(f"{response.url} answered with no JSON: it may be something else than the API") from error


def require_words(parameters: Mapping[str, Said]) -> None:
    """See that one word is said of which there is one, before anything is asked.

    Raises:
        TypeError: something else is.
    """
    for name, value in parameters.items():
        if not isinstance(value, Word | Several | None):
            raise TypeError(f"{name}: one is asked for here, and not {value!r}; ask once for each")


def _several(value: Said) -> Sequence[Word]:
    return () if value is None else value if isinstance(value, Several) else (value,)


def _refusal(response: requests.Response) -> Refused:
    try:
        document = json.loads(response.content)
    except ValueError:
        document = None
    return refusal_of(response.status_code, document, response.headers.get("Retry-After"))


@contextmanager
def _whole() -> Iterator[None]:
    try:
        yield
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        raise AnswerCut(f"the answer ended before its end: {error}") from error
