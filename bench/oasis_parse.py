"""What a reply of OASIS costs from its zip to columns and to messages, beside gridstatus and beside pyarrow reading CSV alone.

    python bench/oasis_parse.py [ROUNDS]

The replies are those of the whole network (16,600 nodes, made here): a day of the day-ahead market and an hour of the
five-minute one; and recordings of CAISO's. Each reader has a process of its own for each reading, which is where its memory is
looked up, and the readers take turns, so that what else the machine does falls on all. gridstatus is installed once, into
.venv/bench. Whoever reads prices must find as many as the others, and the same LMPs.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from oasis.day import write_reply

HERE = Path(__file__).parent / "oasis"
RECORDINGS = Path(__file__).parents[1] / "tests" / "fixtures" / "oasis"
GRIDSTATUS = "gridstatus==0.37.0"
ENVIRONMENT = Path(__file__).parents[1] / ".venv" / "bench" / GRIDSTATUS
COLUMNS, MESSAGES, PYARROW, OTHER = "columns", "messages", "pyarrow", "gridstatus"
FEWEST_TIMES_FASTER, LARGEST_SHARE, MOST_OF_PYARROW, MOST_FOR_MESSAGES = 5.0, 0.25, 1.0, 3.0
AGAIN_WHERE_SMALL = 20


@dataclass(frozen=True)
class Reply:
    """Something to read.

    Attributes:
        name: for the table.
        market: of its prices.
        path: of its zip.
        times: it is read in one process; of these the median counts.
        readers: who can read it.
    """

    name: str
    market: str
    path: Path
    times: int = 1
    readers: Sequence[str] = (COLUMNS, PYARROW, MESSAGES, OTHER)


Told = Mapping[str, float]
"""What a reader tells of one reading, see `oasis.told`."""


def replies(folder: Path) -> Iterator[Reply]:
    """The whole network's, and recordings. gridstatus knows no HASP, and no five-minute prices of version 1."""
    for market, name in (("DAM", "DAM, a day of all nodes"), ("RTM", "RTM, an hour of all nodes")):
        path = folder / f"{market}.zip"
        write_reply(market, path)
        yield Reply(name, market, path)
    three = next(RECORDINGS.glob("singlezip_20240412_*_DAM_*"))
    yield Reply("DAM, eight days of 3 nodes (recorded)", "DAM", three, AGAIN_WHERE_SMALL)
    table, packed = next(RECORDINGS.glob("*_PRC_RTPD_LMP_*.csv")), folder / "RTPD.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(table, table.name)
    yield Reply("RTPD, two days of 1 node (recorded)", "RTPD", packed, AGAIN_WHERE_SMALL)


def installed() -> Path:
    """The Python of gridstatus's environment."""
    python = ENVIRONMENT / "bin" / "python"
    if not (ENVIRONMENT / "whole").exists():
        print(f"installing {GRIDSTATUS} into {ENVIRONMENT} (once, about a minute)", flush=True)
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-qq", "--disable-pip-version-check", GRIDSTATUS], check=True)
        (ENVIRONMENT / "whole").touch()
    return python


def read(reader: str, reply: Reply, python: Path) -> Told:
    """One reading, in a process of its own."""
    with_gridstatus = [python, HERE / "gridstatus_read.py", reply.market]
    command = with_gridstatus if reader == OTHER else [sys.executable, HERE / "read.py", reader]
    quiet = {**os.environ, "GRIDSTATUS_LOG_LEVEL": "ERROR"}
    done = subprocess.run([*command, reply.path, str(reply.times)], check=False, capture_output=True, text=True, env=quiet)
    if done.returncode:
        raise SystemExit(f"{reader} cannot read {reply.path}:\n{done.stderr[-2000:]}")
    told: Told = json.loads(done.stdout.splitlines()[-1])
    return told


def medians(reply: Reply, python: Path, rounds: int) -> dict[str, Told]:
    """By reader, of readings in turns."""
    found: dict[str, list[Told]] = {reader: [] for reader in reply.readers}
    for _ in range(rounds):
        for reader, readings in found.items():
            readings.append(read(reader, reply, python))
    return {
        reader: {name: statistics.median(told[name] for told in readings) for name in readings[0]}
        for reader, readings in found.items()
    }


def require_same_prices(name: str, found: Mapping[str, Told]) -> None:
    """Whoever is fast by reading less is not compared."""
    said = {reader: (told["count"], told["total"]) for reader, told in found.items() if reader != PYARROW}
    if len(set(said.values())) > 1:
        raise SystemExit(f"{name}: the readers found different prices: {said}")


def show(name: str, found: Mapping[str, Told]) -> None:
    """The table of one reply, and its ratios beside what they are to be."""
    print(f"\n{name}: {found[COLUMNS]['count']:,.0f} prices")
    for reader, told in found.items():
        took = f"{told['wall_s'] * 1000:9.1f} ms {told['cpu_s'] * 1000:9.1f} ms of processor"
        print(f"  {reader:10} {took} {told['memory_mib']:7.0f} MiB")
    for of in ("wall_s", "cpu_s"):
        ours, messages, bare, theirs = (found[reader][of] for reader in (COLUMNS, MESSAGES, PYARROW, OTHER))
        print(
            f"  by {of}: columns {theirs / ours:.1f} times faster than gridstatus (at least {FEWEST_TIMES_FASTER:g}), "
            f"{ours / bare:.2f} of pyarrow (at most {MOST_OF_PYARROW:g}); "
            f"messages {messages / bare:.1f} of pyarrow (at most {MOST_FOR_MESSAGES:g})"
        )
    share = found[COLUMNS]["memory_mib"] / found[OTHER]["memory_mib"]
    print(f"  memory of columns: {share:.2f} of gridstatus (at most {LARGEST_SHARE:g})", flush=True)


def main(rounds: int = 5) -> None:
    """Measure and tell."""
    python = installed()
    with tempfile.TemporaryDirectory() as folder:
        for reply in replies(Path(folder)):
            found = medians(reply, python, rounds)
            require_same_prices(reply.name, found)
            show(reply.name, found)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
