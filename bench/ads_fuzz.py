"""Bytes that reach ever more of what reads ADS (coverage-guided, atheris): no fault of ours comes of any, and it ends soon.

    python bench/ads_fuzz.py [decoder|loop] [SECONDS] [FILE...]

`decoder`: each reply gives records or one typed error. The first byte chooses how the others come to it: as the whole reply, or
as the document within a good one: as it is, escaped, or packed.

`loop`: the bytes are the answers to the questions of both streams of the service, one after the other, beside honest ones and
none (`ads_any_bytes`). After each round nothing is published that was not said, and what is good comes through afterwards.

It begins from CAISO's samples and what earlier runs found (.fuzz/ads, .fuzz/ads-loop), and ends with status 1 and a file of the
bytes at the first fault of ours, at bytes that take longer than ten seconds, or at more than 1 GB of memory. Given FILEs, only
those are tried.
"""

import base64
import gzip
import logging
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path

import atheris
import structlog

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the loop on its bench is the tests'

with atheris.instrument_imports(include=["caiso.ads", "ads_ingest"]):
    from ads_any_bytes import ANSWERS_END, Way, answers_from, check_any_bytes
    from ads_bench import batch, trajectory

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

SAMPLES = Path(__file__).parents[1] / "tests" / "fixtures" / "ads"
CORPORA = Path(__file__).parents[1] / ".fuzz"
SECONDS = 60
BOUND_BYTES = 1_000_000
REPLY_WITHIN_S, MEMORY_MB, LONGEST_BYTES = 10, 1024, 50_000
TEXTS = (
    "-1e308",
    "1e308",
    "NaN",
    "2199-12-31T23:59:59Z",
    "1990-01-01T00:00:00Z",
    "2026-03-01T12:00:00",
    "2147483647",
    "N",
    "R1",
    "B1",
)
BATCH = "DISP-59F16A91-46CA-402B-FFDC-0A090014DA8C"


def as_text(document: bytes) -> str:
    """Within the answer as it is."""
    return document.decode("utf-8", "replace")


def as_base64(packed: bytes) -> str:
    """As getDispatchBatch answers."""
    return base64.b64encode(packed).decode()


WAYS: tuple[Callable[[bytes], str], ...] = (
    as_text,
    lambda document: escape(as_text(document)),
    lambda document: as_base64(gzip.compress(document, compresslevel=1)),
    as_base64,
)
QUESTIONS: tuple[Callable[[AdsClient], object], ...] = (
    lambda ads: ads.get_dispatch_batches_since_uid("-1"),
    lambda ads: ads.get_dispatch_batch(BATCH),
    lambda ads: ads.get_trajectory_data("-1"),
    lambda ads: ads.submit_mss_lf_request(LoadFollowingRequest("B1")),
    lambda ads: ads.is_new_traj_data("-1"),
    lambda ads: ads.accept_instruction(BATCH, "I1"),
)


class Answering:
    """Answers everything with the same bytes."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def fetch(self, question: Question) -> Reply:
        """As a connection does."""
        return Reply(question, 200, self._body)


def body_of(content: bytes) -> bytes:
    """The reply that some bytes stand for."""
    way, rest = content[:1], content[1:]
    if not way or way[0] % (len(WAYS) + 1) == len(WAYS):
        return rest
    result = WAYS[way[0] % (len(WAYS) + 1)](rest)
    return f"<E:Envelope xmlns:E='e'><E:Body><r><result>{result}</result></r></E:Body></E:Envelope>".encode()


def check(content: bytes) -> None:
    """Raises what is a fault of ours."""
    body = body_of(content)
    with suppress(NotADocument):
        parse_saved(body, BOUND_BYTES)
    ads = AdsClient(Answering(body), max_bytes=BOUND_BYTES)
    for ask in QUESTIONS:
        try:
            ask(ads)
        except Unforeseen:
            raise
        except AdsFailure:
            pass


def check_loop(content: bytes) -> None:
    """The same of the loop, to which some bytes are several answers."""
    if unforeseen := check_any_bytes(answers_from(content)):
        raise unforeseen[0]


def decoder_corpus() -> Iterator[tuple[str, bytes]]:
    """CAISO's samples in each way that they may come."""
    for sample in SAMPLES.glob("sample-*.xml"):
        for way in range(len(WAYS) + 1):
            yield f"{sample.stem}-{way}", bytes([way]) + sample.read_bytes()


def loop_corpus() -> Iterator[tuple[str, bytes]]:
    """Documents as they answer the first questions of a round, and each way once between honest answers."""
    listed = f"<dispatchBatchList>{batch(1).xml(whole=False)}{batch(3).xml(whole=False)}</dispatchBatchList>"
    points = f"<trajectoryBatchList>{trajectory('T2', 0, (0, 1.0))[1]}</trajectoryBatchList>"
    documents = (
        f"<APIDispatchResponse>{listed}</APIDispatchResponse>",
        batch(1).xml(whole=True),
        batch(3).xml(whole=True),
        f"<APITrajectoryResponse>{points}</APITrajectoryResponse>",
    )
    ways, honest = list(Way), bytes([0]) + ANSWERS_END
    packed, inline = bytes([ways.index(Way.PACKED)]), bytes([ways.index(Way.INLINE)])
    yield "round", ANSWERS_END.join(packed + document.encode() for document in documents)
    for number, document in enumerate(documents):
        for before in range(6):
            yield f"document-{number}-{before}", honest * before + inline + document.encode()
    for number in range(len(ways)):
        yield f"way-{number}", honest * 3 + bytes([number, 1, 2, 3, 4]) + ANSWERS_END + bytes([number, 0, 90])


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], Iterator[tuple[str, bytes]]], str]] = {
    "decoder": (check, decoder_corpus, "ads"),
    "loop": (check_loop, loop_corpus, "ads-loop"),
}


def begin_in(folder: Path, corpus: Iterator[tuple[str, bytes]]) -> Path:
    """What to begin from, and CAISO's words beside it. Returns the file of the words."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in corpus:
        (folder / name).write_bytes(content)
    tables = [table for table in vars(schema).values() if isinstance(table, dict)]
    words = folder.with_suffix(".words")
    names = [f"<{slash}{name}>" for table in tables for name in table for slash in ("", "/")]
    words.write_text("".join(f'"{word}"\n' for word in (*names, *TEXTS)))
    return words


def main(given: Sequence[str]) -> None:
    """Fuzz until the time is over."""
    target, given = (given[0], given[1:]) if given and given[0] in TARGETS else ("decoder", given)
    seconds, files = (given[0], given[1:]) if given else (str(SECONDS), ())
    check_one, corpus, name = TARGETS[target]
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    folder = CORPORA / name
    limits = [f"-timeout={REPLY_WITHIN_S}", f"-rss_limit_mb={MEMORY_MB}", f"-max_len={LONGEST_BYTES}"]
    kept = [f"-dict={begin_in(folder, corpus())}", f"-artifact_prefix={CORPORA}/", str(folder)]
    lasting = [f"-max_total_time={seconds}", "-print_final_stats=1", "-verbosity=0", *kept]
    atheris.Setup([sys.argv[0], *limits, *(files or lasting)], check_one)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
