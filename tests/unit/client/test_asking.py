"""How the client asks, held against what it puts on the wire."""

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPResponse

from dotbus.client import AnswerCut, BadQuestion, Client, NotNow, Refused, TooOften
from dotbus.client.asking import TIMES, WAIT_MOST_S, Asking, Said, Several, asking_of_environment

HERE, ELSEWHERE = "http://127.0.0.1:8090", "https://dotbus.example"


class Scripted(BaseAdapter):
    """Answers as it is told to, one after the other."""

    def __init__(self, *answers: tuple[int, Any, dict[str, str]]) -> None:
        super().__init__()
        self.answers = list(answers)
        self.asked: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **_others: Any) -> requests.Response:
        self.asked.append(request)
        status, document, headers = self.answers.pop(0)
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        raw = HTTPResponse(io.BytesIO(body), headers, status, preload_content=False)
        return requests.adapters.HTTPAdapter().build_response(request, raw)

    def close(self) -> None:
        """Nothing is open."""


def told(detail: str = "", **others: object) -> dict[str, object]:
    return {"type": "/problems/a-sort", "title": "A title", "status": 400, "detail": detail, **others}


def put_before(asking: Asking, adapter: Scripted) -> None:
    for scheme in ("http://", "https://"):
        asking._session.mount(scheme, adapter)


def scripted(
    url: str, *answers: tuple[int, Any, dict[str, str]], key: str | None = None
) -> tuple[Asking, Scripted, list[float]]:
    waited: list[float] = []
    asking, adapter = Asking(url, key, wait=waited.append), Scripted(*answers)
    put_before(asking, adapter)
    return asking, adapter, waited


def test_who_asks_too_often_waits_as_long_as_the_api_says():
    busy = (429, told(), {"Retry-After": "2"})
    asking, adapter, waited = scripted(HERE, busy, busy, (200, {"rows": []}, {}))

    assert asking.document("/v1/plants", {}) == {"rows": []}
    assert waited == [2.0, 2.0]
    assert len(adapter.asked) == 3


@pytest.mark.parametrize(("status", "error"), [(429, TooOften), (503, NotNow)])
def test_waiting_has_an_end(status: int, error: type[Refused]):
    asking, adapter, waited = scripted(HERE, *[(status, told("later"), {"Retry-After": "9999"})] * TIMES)

    with pytest.raises(error, match="A title: later"):
        asking.document("/v1/plants", {})
    assert waited == [WAIT_MOST_S] * (TIMES - 1)
    assert adapter.answers == []


@pytest.mark.parametrize("status", [400, 404, 500, 504])
def test_what_will_not_work_is_not_asked_again(status: int):
    asking, adapter, waited = scripted(HERE, (status, told(), {}))

    with pytest.raises(Refused):
        asking.document("/v1/plants", {})
    assert (len(adapter.asked), waited) == (1, [])


@pytest.mark.parametrize("body", [b"<html>a proxy</html>", b"[]", b"null", b'{"near": "x"}'])
def test_a_refusal_that_is_no_problem_is_told_by_its_status(body: bytes):
    asking, _, _ = scripted(HERE, (418, body, {}))

    with pytest.raises(BadQuestion, match="HTTP status 418"):
        asking.document("/v1/plants", {})


def test_an_answer_that_is_no_json_is_none():
    asking, _, _ = scripted(HERE, (200, b"<html>", {}))

    with pytest.raises(AnswerCut, match="no JSON"):
        asking.document("/v1/plants", {})


def test_a_key_is_not_taken_elsewhere():
    asking, adapter, _ = scripted(ELSEWHERE, (302, b"", {"Location": "https://other.example/"}), key="secret")

    with pytest.raises(Refused):
        asking.document("/v1/plants", {})
    assert len(adapter.asked) == 1


def test_a_key_goes_to_another_machine_by_https_alone():
    with pytest.raises(ValueError, match="https alone"):
        Asking("http://dotbus.example", "secret")

    asking, adapter, _ = scripted(ELSEWHERE, (200, {}, {}), key="secret")
    asking.document("/v1/plants", {})
    assert adapter.asked[0].headers["Authorization"] == "Bearer secret"


def test_without_a_key_no_password_of_the_user_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """requests would say the one of ~/.netrc."""
    (tmp_path / "netrc").write_text("machine dotbus.example login anna password hers\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    asking, adapter, _ = scripted(ELSEWHERE, (200, {}, {}))

    asking.document("/v1/plants", {})

    assert "Authorization" not in adapter.asked[0].headers


def test_a_key_comes_out_of_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "key").write_text("of-the-file\n")
    monkeypatch.setenv("DOTBUS_API_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("DOTBUS_API_URL", ELSEWHERE)
    asking, adapter = asking_of_environment(), Scripted((200, {}, {}))
    put_before(asking, adapter)

    asking.document("/v1/plants", {})

    assert adapter.asked[0].headers["Authorization"] == "Bearer of-the-file"
    assert adapter.asked[0].url == f"{ELSEWHERE}/v1/plants"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, ""),
        ("TH_NP15_GEN-APND", "?of=TH_NP15_GEN-APND"),
        (Several.of("of", ["a", "b&c"]), "?of=a&of=b%26c"),
        (60, "?of=60"),
        (date(2026, 3, 8), "?of=2026-03-08"),
        (datetime(2026, 3, 8, 1, tzinfo=UTC), "?of=2026-03-08T01%3A00%3A00%2B00%3A00"),
    ],
)
def test_parameters_are_said_as_the_api_understands_them(value: Said, said: str):
    asking, adapter, _ = scripted(HERE, (200, {}, {}))

    asking.document("/v1/prices", {"of": value})

    assert adapter.asked[0].url == f"{HERE}/v1/prices{said}"


NOBODY = Client("http://127.0.0.1:1")
"""Whoever asks it is told that it was not reached."""


@pytest.mark.parametrize(
    ("asking", "name"),
    [
        (lambda: NOBODY.set_point(["A", "B"]), "resource"),
        (lambda: NOBODY.trajectory(("A",)), "resource"),
        (lambda: NOBODY.prices("A", market=["RTM", "DAM"]), "market"),
        (lambda: NOBODY.resources(plant=["sierra"]), "plant"),
        (lambda: NOBODY.nodes({"A"}), "name"),
    ],
)
def test_several_of_which_there_is_one_are_refused_before_anything_is_asked(asking: Callable[[], object], name: str):
    with pytest.raises(TypeError, match=f"{name}: one is asked for here"):
        asking()


@pytest.mark.parametrize("none", [[], (), frozenset()])
def test_to_name_none_of_several_is_a_mistake_and_does_not_ask_for_all(none: object):
    for asking in (
        NOBODY.prices,
        NOBODY.dot,
        NOBODY.instructions,
        NOBODY.dot_latest,
        NOBODY.compliance,
        NOBODY.dispatch_batches,
    ):
        with pytest.raises(ValueError, match="none is named; leave it out to ask for all"):
            asking(none)
    with pytest.raises(ValueError, match="component: none is named"):
        NOBODY.prices("A", component=none)
