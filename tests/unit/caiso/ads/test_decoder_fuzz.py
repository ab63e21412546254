"""Whatever bytes answer a question, the client gives records or one typed error, and neither is larger than its bound.

Documents are grown from CAISO's names and others, put into a reply in each way that ADS has been seen to use and some that it
has not, and damaged on the way. What is found here and outlives its mending stands as an example.
"""

import base64
import contextlib
import gzip
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import msgspec
import pytest
from ads_replies import envelope, fault, sample
from hypothesis import example, given, settings
from hypothesis import strategies as st

from caiso.ads import (
    AdsClient,
    AdsFailure,
    LoadFollowingRequest,
    NotADocument,
    Question,
    Reply,
    Unforeseen,
    parse_saved,
    schema,
)

BOUND_BYTES = 200_000
MOST_WORDS, MOST_SAID = 2_000, 20_000_000
BATCH = "B1"
TABLES = (
    schema.DISPATCH_BATCH,
    schema.INSTRUCTION,
    schema.INSTRUCTION_DETAIL,
    schema.TRAJECTORY_BATCH,
    schema.TRAJECTORY_DOP,
    schema.TRAJECTORY_COMPLIANCE,
    schema.MSS_RESPONSE,
    schema.MSS_INSTRUCTION_RESPONSE,
)
ROOTS = ("DispatchBatch", "APIDispatchResponse", "APITrajectoryResponse", "MSSLFResponse")
RECORDS = ("DispatchBatch", "instruction", "instructionDetail", "trajectoryBatch", "trajectoryDop", "trajectoryCompliance")
LISTS = ("instructions", "detail", "dopList", "complianceList", "dispatchBatchList", "mssLFInstructionResponses")
NAMES = sorted({*ROOTS, *RECORDS, *LISTS, *(name for table in TABLES for name in table), "note", "x.y", "result", "Fault"})
ATTRIBUTES = ("batchUID", "instructionUID", "segNo", "dopUID", "unit")
TEXTS = st.one_of(
    st.sampled_from(
        [BATCH, f" {BATCH} ", "R1", "1", "-1e308", "1e999", "NaN", "1_0", "4294967296", "2006-10-13T14:10:00Z", "true", "", " "]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=20),
)
OPERATIONS: tuple[Callable[[AdsClient], object], ...] = (
    lambda ads: ads.get_dispatch_batches_since_uid("-1"),
    lambda ads: ads.get_batch_status(BATCH),
    lambda ads: ads.get_dispatch_batch(BATCH),
    lambda ads: ads.get_batch_header(BATCH),
    lambda ads: ads.is_new_traj_data("-1"),
    lambda ads: ads.get_trajectory_data("-1"),
    lambda ads: ads.validate_dispatch_batch(BATCH),
    lambda ads: ads.submit_mss_lf_request(LoadFollowingRequest(BATCH)),
    lambda ads: ads.accept_instruction(BATCH, "I1"),
    lambda ads: ads.decline_instruction(BATCH, "I1", 10),
    lambda ads: ads.partial_accept_instruction(BATCH, "I1", 1.0, 10),
)


@dataclass
class Answering:
    """Answers everything with the same bytes."""

    body: bytes
    status: int = 200

    def fetch(self, question: Question) -> Reply:
        return Reply(question, self.status, self.body)


def size_of(found: object) -> int:
    """How much a record says, as JSON."""
    return len(msgspec.json.encode(found))


def outcome(ask: Callable[[AdsClient], object], reply: Answering) -> object:
    """A record, or a failure that is no fault of the software."""
    try:
        return ask(AdsClient(reply, max_bytes=BOUND_BYTES))
    except Unforeseen as failure:
        pytest.fail(failure.traceback)
    except AdsFailure as failure:
        return failure


def check(body: bytes, status: int = 200) -> None:
    """No operation ends in anything but a record or an error that says what and where."""
    for ask in OPERATIONS:
        found = outcome(ask, Answering(body, status))
        if isinstance(found, AdsFailure):
            assert found.reason
            assert len(str(found)) < MOST_WORDS
            assert found.content == body
        else:
            assert size_of(found) < MOST_SAID


@st.composite
def elements(draw: st.DrawFn, depth: int = 3) -> str:
    name = draw(st.sampled_from(NAMES))
    attributes = draw(
        st.dictionaries(st.sampled_from(["batchUID", "instructionUID", "segNo", "dopUID", "unit"]), TEXTS, max_size=2)
    )
    told = "".join(f" {key}={chr(34)}{escape(text)}{chr(34)}" for key, text in attributes.items())
    inside = "".join(draw(st.lists(elements(depth - 1), max_size=3))) if depth else ""
    return f"<{name}{told}>{escape(draw(TEXTS))}{inside}</{name}>"


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    root, inside = draw(st.sampled_from(ROOTS)), "".join(draw(st.lists(elements(), max_size=5)))
    namespace = draw(st.sampled_from(["", " xmlns='http://ads.caiso.com/api/schema/v8'", " xmlns:q='urn:q' q:note='1'"]))
    return f"<{root}{namespace} batchUID='{BATCH}'>{inside}</{root}>".encode()


SAMPLES = [sample(f"sample-{name}.xml") for name in ("dispatch-batch", "trajectory-data", "dispatch-batches-since-uid")]


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Some of its bytes changed, taken out or doubled; mostly none."""
    content = bytearray(draw(whole))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 3]))):
        at = draw(st.integers(0, max(len(content) - 1, 0)))
        piece = draw(st.one_of(st.binary(max_size=4), st.just(bytes(content[at : at + 50]))))
        content[at : at + draw(st.integers(0, 3))] = piece
    return bytes(content)


def in_members(content: bytes) -> bytes:
    half = len(content) // 2
    return gzip.compress(content[:half]) + gzip.compress(content[half:])


def as_inline(content: bytes) -> str:
    return content.decode("utf-8", "replace")


def as_escaped(content: bytes) -> str:
    return escape(content.decode("utf-8", "replace"))


def as_base64(pack: Callable[[bytes], bytes]) -> Callable[[bytes], str]:
    return lambda content: base64.b64encode(pack(content)).decode()


WAYS = (as_inline, as_escaped, *(as_base64(pack) for pack in (gzip.compress, in_members, zlib.compress, bytes)))


@st.composite
def replies(draw: st.DrawFn) -> bytes:
    content = draw(damaged(st.one_of(documents(), st.sampled_from(SAMPLES), st.binary(max_size=200))))
    result = draw(st.sampled_from(WAYS))(content)
    return draw(damaged(st.just(envelope(draw(st.sampled_from(["getDispatchBatch", "x"])), result))))


@settings(max_examples=300)
@given(replies(), st.sampled_from([200, 200, 200, 500, 302]))
@example(envelope("x", "&#x1F;"), 200)
@example(envelope("x", "<a>" * 3000 + "</a>" * 3000), 200)
@example(envelope("x", base64.b64encode(gzip.compress(bytes(10 * BOUND_BYTES))).decode()), 200)
@example(fault("x" * 100_000), 500)
@example(envelope("x", "<DispatchBatch " + " ".join(f"a{n}='1'" for n in range(20_000)) + "/>"), 200)
@example(envelope("x", "<DispatchBatch " + " ".join(f"xmlns:a{n}='urn:{n}'" for n in range(20_000)) + "/>"), 200)
@example(envelope("x", f"<{'x' * 100_000}/>"), 200)
@example(envelope("x", f"<DispatchBatch batchUID='B1' {'x' * 100_000}='1'/>"), 200)
@example(envelope("x", "A " * 100_000), 200)
def test_any_reply_gives_records_or_one_typed_error(body: bytes, status: int) -> None:
    check(body, status)


@given(st.one_of(replies(), damaged(documents()), st.binary(max_size=300), damaged(documents()).map(gzip.compress)))
@example(b"<DispatchBatch batchUID='B1'>" + b"<a>" * 1500 + b"</a>" * 1500 + b"</DispatchBatch>")
def test_any_file_gives_records_or_one_typed_error(content: bytes) -> None:
    with contextlib.suppress(NotADocument):
        assert size_of(parse_saved(content, BOUND_BYTES)) < MOST_SAID


@given(st.binary(max_size=300))
def test_any_bytes_give_one_typed_error(body: bytes) -> None:
    check(body)


@given(st.text(max_size=600))
def test_any_text_of_a_fault_gives_one_typed_error(text: str) -> None:
    check(fault("".join(each for each in text if each.isprintable())), 500)
