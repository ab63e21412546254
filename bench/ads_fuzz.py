"""Bytes that reach ever more of the ADS decoder (coverage-guided, atheris): each gives records or one typed error, and soon.

    python bench/ads_fuzz.py [SECONDS] [FILE...]

The first byte chooses how the others come to the decoder: as the whole reply, or as the document within a good one: as it is,
escaped, or packed. It begins from CAISO's samples and what earlier runs found (.fuzz/ads), and ends with status 1 and a file
of the bytes at the first fault of ours, at a reply that takes longer than ten seconds, or at more than 1 GB of memory. Given
FILEs, only those are tried.
"""

import base64
import gzip
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from html import escape
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["caiso.ads"]):
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
CORPUS = Path(__file__).parents[1] / ".fuzz" / "ads"
SECONDS = 60
BOUND_BYTES = 1_000_000
REPLY_WITHIN_S, MEMORY_MB, LONGEST_BYTES = 10, 1024, 50_000
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


def begin_in(folder: Path) -> Path:
    """CAISO's samples in each way that they may come, and its words beside them. Returns the file of the words."""
    folder.mkdir(parents=True, exist_ok=True)
    for sample in SAMPLES.glob("sample-*.xml"):
        for way in range(len(WAYS) + 1):
            (folder / f"{sample.stem}-{way}").write_bytes(bytes([way]) + sample.read_bytes())
    tables = [table for table in vars(schema).values() if isinstance(table, dict)]
    words = folder.with_suffix(".words")
    words.write_text("".join(f'"<{name}>"\n"</{name}>"\n' for table in tables for name in table))
    return words


def main(given: Sequence[str]) -> None:
    """Fuzz until the time is over."""
    seconds, files = (given[0], given[1:]) if given else (str(SECONDS), ())
    limits = [f"-timeout={REPLY_WITHIN_S}", f"-rss_limit_mb={MEMORY_MB}", f"-max_len={LONGEST_BYTES}"]
    kept = [f"-dict={begin_in(CORPUS)}", f"-artifact_prefix={CORPUS.parent}/", str(CORPUS)]
    lasting = [f"-max_total_time={seconds}", "-print_final_stats=1", "-verbosity=0", *kept]
    atheris.Setup([sys.argv[0], *limits, *(files or lasting)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
