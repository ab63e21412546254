"""Bytes that reach ever more of the OASIS parser (coverage-guided, atheris): each gives prices or one typed error, and soon.

    python bench/oasis_fuzz.py [SECONDS] [FILE...]

The first byte chooses how the others come to the parser: as the whole reply or a saved file, or as members of a good zip (cut
at each zero byte), to a question that asks for some nodes or for any. The prices of a reply that is accepted must be those that
the standard library's csv and xml.etree read in it, no more and no fewer. It begins from CAISO's recordings and what earlier
runs found (.fuzz/oasis), and ends with status 1 and a file of the bytes at the first fault of ours, at a warning, at a reply
that takes longer than ten seconds, or at more than 1 GB of memory. Given FILEs, only those are tried.
"""

import io
import sys
import warnings
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the independent reader is the tests'

with atheris.instrument_imports(include=["caiso.oasis"]):
    from caiso.oasis import Bounds, Market, OasisFailure, Question, parse_reply, parse_saved

from oasis_reading import DATA_ITEMS, PRICE, TEXTS, CannotRead, disagreements

SAMPLES = Path(__file__).parents[1] / "tests" / "fixtures" / "oasis"
CORPUS = Path(__file__).parents[1] / ".fuzz" / "oasis"
SECONDS, SAMPLE_LINES = 60, 13
REPLY_WITHIN_S, MEMORY_MB, LONGEST_BYTES = 10, 1024, 20_000
BOUNDS = Bounds(members=8, total_bytes=4_000_000, rows=50_000)
START = datetime(2025, 9, 1, 8, tzinfo=UTC)
ASKED = Question(Market.RTM, ("TH_NP15_GEN-APND", "N1"), START, START + timedelta(hours=1))
ROW = (
    "<r:REPORT_DATA><r:DATA_ITEM>{}</r:DATA_ITEM><r:RESOURCE_NAME>N1</r:RESOURCE_NAME><r:INTERVAL_START_GMT>2025-09-01T08:00:00-00:00"
    "</r:INTERVAL_START_GMT><r:INTERVAL_END_GMT>2025-09-01T08:05:00-00:00</r:INTERVAL_END_GMT><r:VALUE>1.5</r:VALUE></r:REPORT_DATA>"
)
REPORT = (
    '<r:OASISReport xmlns:r="http://www.caiso.com/soa/OASISReport_v1.xsd"><r:MessagePayload><r:RTO><r:REPORT_ITEM><r:REPORT_HEADER>'
    "<r:REPORT>PRC_INTVL_LMP</r:REPORT><r:MKT_TYPE>RTM</r:MKT_TYPE><r:UOM>US$/MWh</r:UOM></r:REPORT_HEADER>"
    f"{''.join(map(ROW.format, DATA_ITEMS))}</r:REPORT_ITEM></r:RTO></r:MessagePayload></r:OASISReport>"
)


def zipped(content: bytes) -> bytes:
    """A good reply whose members are cut at each zero byte."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, member in enumerate(content.split(b"\0")):
            archive.writestr(f"{number}.csv", member)
    return packed.getvalue()


def compare(reply: bytes, asked: Question | None) -> None:
    """Raises what is a fault of ours."""
    try:
        prices = parse_reply(200, reply, asked, BOUNDS)
    except OasisFailure:
        return
    with suppress(CannotRead):
        if wrong := disagreements(reply, prices, asked):
            raise AssertionError(wrong[0])


def as_saved(content: bytes) -> None:
    """A file that somebody kept."""
    with suppress(OasisFailure):
        parse_saved(content, BOUNDS)


WAYS: tuple[Callable[[bytes], None], ...] = (
    lambda content: compare(zipped(content), None),
    lambda content: compare(zipped(content), ASKED),
    lambda content: compare(content, None),
    as_saved,
)


def check(content: bytes) -> None:
    """Try some bytes in the way that their first says."""
    if content:
        WAYS[content[0] % len(WAYS)](content[1:])


def samples() -> dict[str, bytes]:
    """Members of CAISO's replies, the tables cut short; and a report with prices, of which none was recorded."""
    found = {path.name: path.read_bytes() for path in SAMPLES.iterdir() if path.suffix in {".csv", ".xml", ".html"}}
    for path in SAMPLES.glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            found |= {name: archive.read(name) for name in archive.namelist()}
    tables = {
        name: b"".join(text.splitlines(keepends=True)[:SAMPLE_LINES]) for name, text in found.items() if name[-4:] == ".csv"
    }
    both = b"\0".join([*tables.values()][:2])
    return {**found, **tables, "two.csv": both, "prices.xml": REPORT.encode()}


def begin_in(folder: Path) -> Path:
    """The samples in each way that they may come, and CAISO's words beside them. Returns the file of the words."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, sample in samples().items():
        for way in range(len(WAYS)):
            content = zipped(sample) if WAYS[way] is WAYS[2] else sample
            (folder / f"{name}-{way}").write_bytes(bytes([way]) + content[:LONGEST_BYTES])
    words = (
        *TEXTS,
        *PRICE,
        *DATA_ITEMS,
        *DATA_ITEMS.values(),
        *Market,
        "NaN",
        "-00:00",
        "+14:00",
        "<!--",
        "<ERROR>",
        "ERR_CODE",
    )
    path = folder.with_suffix(".words")
    path.write_text("".join(f'"{word}"\n' for word in words))
    return path


def main(given: Sequence[str]) -> None:
    """Fuzz until the time is over."""
    seconds, files = (given[0], given[1:]) if given else (str(SECONDS), ())
    warnings.simplefilter("error")
    limits = [f"-timeout={REPLY_WITHIN_S}", f"-rss_limit_mb={MEMORY_MB}", f"-max_len={LONGEST_BYTES}"]
    kept = [f"-dict={begin_in(CORPUS)}", f"-artifact_prefix={CORPUS.parent}/", str(CORPUS)]
    lasting = [f"-max_total_time={seconds}", "-print_final_stats=1", "-verbosity=0", *kept]
    atheris.Setup([sys.argv[0], *limits, *(files or lasting)], check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
