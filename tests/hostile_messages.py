"""Deliveries that no honest source makes: messages with values, structure, bytes or topics changed, drawn by Hypothesis."""

import json
import re
from typing import Any

import msgspec
from historian_parts import TOPICS, topic_of
from hypothesis import strategies as st

from dotbus.contracts.codec import encode
from dotbus.testing import samples

KEPT = (
    samples.dispatch(),
    msgspec.structs.replace(samples.dispatch(), id="unnamed", instructions=()),
    samples.trajectory_batch(),
    samples.answered(),
    samples.written(),
    samples.telemetry(),
    samples.prices(),
    samples.upstream_gap(),
    samples.service_status(),
    samples.replay_reply(),
)
TOPIC_OF = {type(message).__struct_config__.tag: topic_of(message) for message in KEPT}
OTHERS = tuple(message for message in samples.every_message() if type(message) not in {type(kept) for kept in KEPT})
# What JSON's own encoder would not write is put in afterwards.
RAW = {
    '"@nan"': "NaN",
    '"@infinity"': "1e999",
    '"@surrogate"': '"\\ud800"',
    '"@half"': '"a\\udc00b"',
    '"@digits"': "1" + "0" * 400,
    '"@time"': '"\\u0030001-01-01T00:00:00+14:00"',
    '"@nested"': "[" * 2000 + "]" * 2000,
}
INTEGERS = (0, -1, 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**62, 2**63 - 1, 2**63, 2**65, 10**300)
NUMBERS = (*INTEGERS, 0.5, 5e-324, 1e15, -1e15, 1e308, -1e308)
TEXTS = (
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "a␀b",
        "\t\n\r\\",
        "\\N",
        "null",
        "\\.",
        "a\n\\.\nb",
        '"',
        '{"',
        "]\n[",
        "%s",
        "'; DROP TABLE price",
    ),
    *("n" * 200, "n" * 201, "漢" * 200, "n" * 40_000, "a/b", "+", "#", "\x85\u2028", "é😀", "production", "mars", "simulator"),
)
TIMES = (
    *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *(
        "2036-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "2026-10-13T07:10:00-07:00",
        "2026-02-30T00:00:00Z",
        "2026-10-13T14:10:00",
    ),
    *("0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "2026-10-13T14:10:00.123456789Z", "9999-12-31T23:58:00Z"),
)
hostile_values = st.sampled_from([None, True, False, [], {}, ["x"], {"a": "b"}, {"\0": "\0"}, *NUMBERS, *TEXTS, *TIMES]) | (
    st.sampled_from([text.strip('"') for text in RAW])
)


def values_like(value: Any) -> st.SearchStrategy[Any]:
    """Values of the same type, such as a decoder takes."""
    if isinstance(value, str):
        return st.sampled_from(TIMES if re.match(r"\d{4}-\d", value) else TEXTS)
    if isinstance(value, int) and not isinstance(value, bool):
        return st.sampled_from(INTEGERS)
    of_kind = {
        float: st.sampled_from(NUMBERS),
        dict: st.dictionaries(st.sampled_from(TEXTS), st.sampled_from(TEXTS), max_size=3),
        list: st.permutations([*value, *value[:1]]) if isinstance(value, list) else hostile_values,
    }
    return of_kind.get(type(value), hostile_values)


def places(document: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value within a document."""
    entries = document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    return [deeper for key, value in entries for deeper in ((*path, key), *places(value, (*path, key)))]


@st.composite
def changed_documents(draw, message) -> bytes:
    """A message with some of its values replaced, left out, repeated or added to."""
    document = json.loads(encode(message))
    for _ in range(draw(st.integers(0, 3))):
        *way, last = draw(st.sampled_from(places(document)))
        within = document
        for key in way:
            within = within[key]
        match draw(st.sampled_from(["replace"] * 9 + ["remove", "repeat", "add"])):
            case "replace":
                within[last] = draw(values_like(within[last]) if draw(st.integers(0, 4)) else hostile_values)
            case "remove":
                del within[last]
            case "repeat" if isinstance(within, list):
                within.append(within[last])
            case _ if isinstance(within, dict):
                within[draw(st.sampled_from(TEXTS))] = draw(hostile_values)
        if not places(document):
            break
    return _written(document)


def _written(document: Any) -> bytes:
    text = json.dumps(document, ensure_ascii=False)
    for placeholder, raw in RAW.items():
        text = text.replace(placeholder, raw)
    return text.encode("utf-8", "surrogatepass")


@st.composite
def broken_bytes(draw, payloads) -> bytes:
    """A payload that was cut, or some of whose bytes are others."""
    payload = bytearray(draw(payloads))
    if draw(st.booleans()):
        return bytes(payload[: draw(st.integers(0, len(payload)))])
    for _ in range(draw(st.integers(1, 3))):
        if payload:
            payload[draw(st.integers(0, len(payload) - 1))] = draw(st.integers(0, 255))
    return bytes(payload)


_PLACES = {
    "dispatch": lambda said: TOPICS.dispatch(said["plant"], said["resource_id"]),
    "trajectory-batch": lambda said: TOPICS.trajectory_batch(said["plant"], said["resource_id"]),
    "response": lambda said: TOPICS.response(said["plant"], said["resource_id"]),
    "prices": lambda said: TOPICS.prices(said["market"]),
    "gap": lambda said: TOPICS.gap(*said["source"].split("/", 1)),
    "service": lambda said: TOPICS.service(said["service"], said["instance"]),
    "replay-reply": lambda said: TOPICS.replay_reply(*said["source"].split("/", 1)),
}


def topic_for(payload: bytes) -> str | None:
    """Where a payload says that it belongs."""
    try:
        said = json.loads(payload)
        return _PLACES[said["kind"]](said)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


@st.composite
def hostile_deliveries(draw) -> tuple[str, bytes]:
    """A topic and a payload."""
    documents = st.sampled_from(KEPT * 4 + OTHERS).flatmap(changed_documents)
    kind = draw(st.integers(0, 19))
    rest = (broken_bytes(documents), broken_bytes(documents), st.binary(max_size=50), st.just(b""))
    payload = draw(rest[kind] if kind < len(rest) else documents)
    topics = st.sampled_from([*TOPIC_OF.values(), TOPICS.dot("sierra", "R"), "elsewhere", "dotbus/v1/market//prices"])
    own = (topic_for(payload) or "").encode("utf-8", "ignore").decode()  # as the bus decodes it
    return (own if own and draw(st.integers(0, 9)) else draw(topics)), payload
