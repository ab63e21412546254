"""Recorded replies of OASIS, and an independent reading of their CSV by the standard library."""

import csv
import io
import zipfile
from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SMALL = ROOT / "tests" / "fixtures" / "oasis"
LARGE = ROOT.parent / "shared" / "reference" / "oasis" / "recordings"
FIELDS = {
    "LMP": "lmp_usd_per_mwh",
    "MCE": "energy_usd_per_mwh",
    "MCC": "congestion_usd_per_mwh",
    "MCL": "loss_usd_per_mwh",
    "MGHG": "ghg_usd_per_mwh",
}
"""The LMP_TYPEs of a price and what dotbus calls each, once more and by hand."""


def recorded(name: str) -> bytes:
    """A recording's bytes; a test that needs a large one is skipped where the reference folder is not."""
    if (SMALL / name).exists():
        return (SMALL / name).read_bytes()
    if not LARGE.is_dir():
        pytest.skip(f"{name} is one of the large recordings, which are kept outside this repository")
    return (LARGE / name).read_bytes()


def zipped(**members: bytes) -> bytes:
    """A zip as OASIS packs its replies. Names are given as keywords, `__` stands for the dot."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "."), content)
    return packed.getvalue()


def as_reply(name: str) -> bytes:
    """A recording as it came over the wire: members that were recorded unpacked are packed again."""
    content = recorded(name)
    return content if name.endswith(".zip") else zipped(member__csv=content)


def independent_prices(name: str, column: str) -> dict[tuple[str, datetime], dict[str, Decimal]]:
    """LMP_TYPE to price, by node and interval start, read without any code of ours."""
    content = recorded(name)
    if name.endswith(".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            content = b"".join(archive.read(member) for member in archive.namelist())
    prices: dict[tuple[str, datetime], dict[str, Decimal]] = defaultdict(dict)
    for row in csv.DictReader(content.decode().splitlines()):
        start = datetime.strptime(row["INTERVALSTARTTIME_GMT"], "%Y-%m-%dT%H:%M:%S%z")
        prices[row["NODE"], start][row["LMP_TYPE"]] = Decimal(row[column])
    return dict(prices)
