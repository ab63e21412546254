"""The OpenAPI document holds: whatever it allows or forbids is answered as it says, over a real database (schemathesis)."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
import schemathesis
from historian_api import NP15, Client, asked_here, kept, prices_of
from historian_parts import dispatch
from hypothesis import HealthCheck, given, settings
from real_postgres import Postgres, new_database
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dotbus.testing import samples
from historian.api.app import OPENAPI

pytestmark = pytest.mark.integration

DOCUMENT = msgspec.json.decode((Path(__file__).parents[4] / "schemas/openapi.json").read_bytes())
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {found.ok().label: found.ok() for found in SCHEMA.get_all_operations()}
CHECKS = [
    not_a_server_error,
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
]
HOSTILE = (
    "'; DROP TABLE price; --",
    "1 OR 1=1",
    "' UNION SELECT key_hash::text FROM api_key --",
    "%(start)s",
    "%s%s%n",
    "$1",
    "\\'; SELECT pg_sleep(100); --",
    "{{7*7}}${7*7}",
    "<script>alert(1)</script>",
    "../../etc/passwd",
    "x" * 3000,
    "\0",
    "\ud800".encode("utf-8", "surrogatepass"),
    b"\xff\xfe",
    "\r\nSet-Cookie: a=b",
    "",
    " ",
    "null",
    "NaN",
    "-1",
    "99999999999999999999999",
    "1e400",
)


@pytest.fixture(scope="module")
def api(postgres: Postgres) -> Iterator[Client]:
    """An API over a database with some of everything."""
    url = new_database(postgres)
    prices = prices_of(datetime(2026, 10, 13, 7, 0, tzinfo=UTC), [30.0, None, -5.0], first_seq=10)
    everything = (
        dispatch(5),
        samples.trajectory_batch(),
        samples.service_status(),
        samples.telemetry(),
        samples.upstream_gap(),
    )
    with kept(url, *prices, *everything) as filled, asked_here(filled, requests_per_s=10_000) as client:
        yield client


def test_the_document_that_is_served_is_the_committed_one(api: Client):
    assert api.ask(OPENAPI).json() == DOCUMENT


@pytest.mark.parametrize("label", OPERATIONS)
def test_every_question_is_answered_as_the_document_says(api: Client, label: str):
    @settings(max_examples=40, suppress_health_check=list(HealthCheck), database=None)
    @given(case=OPERATIONS[label].as_strategy())
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(base_url=api.address, checks=CHECKS)

    ask()


def _paths() -> Iterator[tuple[str, list[str], list[str]]]:
    for path, methods in DOCUMENT["paths"].items():
        parameters = methods["get"].get("parameters", [])
        places = {place: [one["name"] for one in parameters if one["in"] == place] for place in ("path", "query")}
        yield path, places["path"], places["query"]


@pytest.mark.parametrize(("path", "in_path", "in_query"), list(_paths()))
def test_no_word_of_any_parameter_is_taken_for_anything_but_a_word(
    api: Client, path: str, in_path: list[str], in_query: list[str]
):
    kept_before = api.ask("/row-count").json()
    plain = path
    for name in in_path:
        plain = plain.replace(f"{{{name}}}", {"node": NP15, "day_of_week": "monday"}.get(name, "sierra"))

    for word in HOSTILE:
        for name in in_query:
            answer = api.ask(plain, **{name: word})
            assert answer.status_code in {200, 400, 404}, (name, word, answer.text)
            assert _tells_nothing(answer.text)
        for name in in_path:
            text = word if isinstance(word, bytes) else word.encode()
            encoded = "".join(f"%{byte:02x}" for byte in text)
            answer = api.ask(path.replace(f"{{{name}}}", encoded).replace("{node}", NP15).replace("{day_of_week}", "monday"))
            assert answer.status_code in {200, 400, 404}, (name, word, answer.text)
            assert _tells_nothing(answer.text)
    assert api.ask("/row-count").json() == kept_before


def _tells_nothing(text: str) -> bool:
    """Neither our code nor the database's own words are for whoever asks."""
    return not any(word in text for word in ("Traceback", "psycopg", "sqlalchemy", "syntax error", "FROM price", "relation "))
