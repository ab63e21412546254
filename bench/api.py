r"""How fast the API answers from a full database, beside psql for the same answer.

    python bench/api.py [PROCESSES]

Ten million prices (a month of 1,120 nodes) and two million instructions (a year of 1,000 resources) are put into a PostgreSQL
from pip with SQL, which takes some minutes. Then `historian api`, which serves with PROCESSES (default 1), is asked by 1 and by
32 connections, none of which pauses: a node's day, a node's month by hour, the latest DOT of every plant. psql asks the same
statements, as many at once, as the same user and with the same options (its own `\timing`). Last, all prices in a stream, and
`\copy`.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

import msgspec
import psutil
import requests
import sqlalchemy as sa
from answers.filled import BEGIN, INTERVALS, NODES, PRICES, fill_prices, settle
from bus import free_port
from database import PLANTS, RESOURCES
from database import fill as fill_instructions
from psycopg2.extensions import make_dsn

from dotbus.contracts.schedules import Schedule
from historian.api.formats.texts import as_text
from historian.api.questions.dots import latest_dots
from historian.api.questions.prices import PricesWanted, Resolution, prices
from historian.api.questions.question import Question, all_of, page_of
from historian.api.questions.whose import Whose
from historian.api.reading import numbered, session_options
from historian.api.request.times import Range, Zone
from historian.api.streaming import Streaming, literal, session_dsn
from historian.database import Database
from historian.migrations import Roles, bring_up_to_date
from historian.upkeep.price_hours import make_hours
from launcher.demo.embedded_database import OWNER_ROLE, READER_ROLE, WRITER_ROLE, EmbeddedDatabase, embedded_database

SECONDS = 8.0
ROWS = 10_000
"""Of a page: each answer is one."""
MONTH = Range(BEGIN, BEGIN + timedelta(minutes=5 * INTERVALS))
DAY = Range(BEGIN + timedelta(days=12), BEGIN + timedelta(days=13))
OF_PLANTS = tuple(f"RES_{number}" for number in range(1, PLANTS + 1))
FORMS = ("csv", "arrow", "parquet")
TIMING = re.compile(r"^Time: ([0-9.]+) ms", re.MULTILINE)
EVERY_MS = 20


@dataclass(frozen=True)
class Asked:
    """One question in two languages, with another node each time."""

    title: str
    path: Callable[[int], str]
    question: Callable[[int], Question]


def node(number: int) -> str:
    """Nodes all over the table, each once before one is asked for again."""
    return f"NODE_{number * 61 % NODES + 1}_N001"


def of_node(number: int, times: Range, resolution: Resolution = Resolution.RAW) -> Question:
    """The prices of one of them."""
    return prices(PricesWanted("production", "RTM", (node(number),), times, resolution))


def latest(resources: tuple[str, ...] | None = None) -> Question:
    """The DOT of some resources, or of all."""
    return latest_dots(Whose("production", resources=resources), (Schedule.FIVE_MINUTE,), datetime.now(UTC))


QUESTIONS = (
    Asked(
        "a node's day (288 rows)",
        lambda n: f"/v1/prices?node={node(n)}&start=2026-10-13&limit={ROWS}",
        lambda n: of_node(n, DAY),
    ),
    Asked(
        "a node's month by hour (744 rows)",
        lambda n: f"/v1/prices?node={node(n)}&start=2026-10-01&end=2026-11-01&resolution=hour&limit={ROWS}",
        lambda n: of_node(n, MONTH, Resolution.HOUR),
    ),
    Asked(
        f"the latest DOT of every plant ({PLANTS} rows)",
        lambda _n: f"/v1/dot/latest?schedule=five-minute&limit={ROWS}&" + "&".join(f"resource={one}" for one in OF_PLANTS),
        lambda _n: latest(OF_PLANTS),
    ),
    Asked(
        f"the latest DOT of every resource that there is ({RESOURCES} rows)",
        lambda _n: f"/v1/dot/latest?schedule=five-minute&limit={ROWS}",
        lambda _n: latest(),
    ),
)


def told(title: str, took_ms: Sequence[float]) -> str:
    """p50 and p99."""
    ordered = sorted(took_ms)
    p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    return f"{title}: p50 {statistics.median(ordered):7.1f} ms, p99 {p99:7.1f} ms ({len(ordered)})"


def ask_api(port: int, asked: Asked, connections: int) -> list[float]:
    """As long as each answer took."""
    paths = "\n".join(asked.path(number) for number in range(NODES))
    program = [sys.executable, str(Path(__file__).parent / "answers/load.py"), str(port), str(connections), str(SECONDS)]
    done = subprocess.run(program, input=paths, capture_output=True, text=True, check=True)
    return msgspec.json.decode(done.stdout, type=list[float])


def ask_psql(database: EmbeddedDatabase, asked: Asked, connections: int) -> list[float]:
    """The same of psql, as many at once, for about as long; planned once where the API does so."""
    questions = [page_of(asked.question(number), ROWS + 1, None) for number in range(120)]
    statements, before = [written(database, question) for question in questions], ""
    if questions[0].is_planned_once:
        before = f"PREPARE asked AS {' '.join(numbered(questions[0].sql, questions[0].parameters).split())}"
        values = ", ".join(f"%({name})s" for name in questions[0].parameters)
        statements = [written(database, replace(each, sql=f"EXECUTE asked ({values})")) for each in questions]
    first = run_psql(database, statements[:3], before)
    each = min(len(statements), max(3, int(SECONDS * 1000 / (statistics.median(first) * max(1, connections / 2)))))
    took_ms: list[float] = []

    def go(begin: int) -> None:
        took_ms.extend(run_psql(database, [statements[(begin + number) % len(statements)] for number in range(each)], before))

    threads = [threading.Thread(target=go, args=(number * 7,)) for number in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return took_ms


def run_psql(database: EmbeddedDatabase, statements: Sequence[str], before: str = "") -> list[float]:
    """Milliseconds of each statement, by psql's own clock. Its session has the options of those that the API asks with."""
    prepared = f"{before};\n" if before else ""
    script = f"\\pset pager off\n{prepared}\\timing on\n\\o /dev/null\n" + "".join(f"{one};\n" for one in statements)
    url = sa.make_url(database.reader_url)
    arguments = {**url.translate_connect_args(username="user", database="dbname"), **url.query}
    dsn = make_dsn(**{**arguments, "options": session_options(url, "dotbus", 60.0)})
    done = subprocess.run(
        [database.psql, "-XqAt", dsn],
        input=script, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [float(ms) for ms in TIMING.findall(done.stdout)]


def written(database: EmbeddedDatabase, question: Question) -> str:
    """The question's statement with its values, in one line."""
    streaming = Streaming(session_dsn(database.reader_url, "dotbus", timeout_s=600))
    with streaming.connected() as connection:
        return " ".join(literal(connection, question.sql, question).split())


class Watched:
    """The most memory that a process and those that it started took meanwhile."""

    def __init__(self, process: psutil.Process) -> None:
        self._process, self._over = process, threading.Event()
        self.most_mib = 0.0
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(EVERY_MS / 1000):
            every = [self._process, *self._process.children()]
            self.most_mib = max(self.most_mib, sum(one.memory_info().rss for one in every) / 2**20)


def stream(port: int, form: str, process: psutil.Process, coding: str = "identity") -> None:
    """All prices, read and thrown away."""
    path = f"/v1/prices.{form}?start=2026-10-01&end=2026-11-01"
    begun = time.perf_counter()
    with Watched(process) as watched, requests.get(
        f"http://127.0.0.1:{port}{path}", stream=True, headers={"Accept-Encoding": coding}, timeout=60
    ) as response:  # fmt: skip
        response.raise_for_status()
        length, first_s = len(response.raw.read(1)), time.perf_counter() - begun
        while piece := response.raw.read(1 << 20, decode_content=False):
            length += len(piece)
    seconds = time.perf_counter() - begun
    print(
        f"{PRICES:,} prices as {form} ({coding}): {seconds:5.1f} s, first byte {first_s:.2f} s, {length / 1e6:.0f} MB, "
        f"at most {watched.most_mib:.0f} MiB", flush=True,
    )  # fmt: skip


def copy(database: EmbeddedDatabase) -> None:
    """The same rows by psql, with times as PostgreSQL writes them and as the API does."""
    whole = all_of(prices(PricesWanted("production", "RTM", (), MONTH)))
    iso = Question(as_text(whole, Zone.UTC), whole.parameters, whole.columns)
    for title, question in (("as they are", whole), ("with times in ISO 8601", iso)):
        begun = time.perf_counter()
        statement = f"\\copy ({written(database, question)}) TO '/dev/null' CSV HEADER"
        dsn = session_dsn(database.reader_url, "dotbus", timeout_s=600)
        subprocess.run([database.psql, "-Xq", dsn], input=statement, text=True, check=True)
        print(f"{PRICES:,} prices by psql \\copy, {title}: {time.perf_counter() - begun:5.1f} s", flush=True)


@contextmanager
def serving(database: EmbeddedDatabase, folder: Path, processes: int = 1) -> Iterator[tuple[int, psutil.Process]]:
    """`historian api` on a port."""
    config = folder / "dotbus.toml"
    plants = (f'[[plant]]\nname = "plant_{n % PLANTS}"\n[[plant.resource]]\nid = "RES_{n}"\n' for n in range(1, PLANTS + 1))
    config.write_text('environment = "production"\n' + "".join(plants))
    settings = {
        "CONFIG": str(config), "DATABASE_URL": database.reader_url, "WITHOUT_KEYS": "true", "PORT": str(port := free_port()),
        "REQUESTS_PER_S": "100000", "HEALTH_PORT": str(free_port()), "STATEMENT_TIMEOUT_S": "60",
        "PROCESSES": str(processes),
    }  # fmt: skip
    environment = {**os.environ, **{f"HISTORIAN_API_{name}": text for name, text in settings.items()}}
    program = subprocess.Popen(
        [str(Path(sys.executable).with_name("historian")), "api"], env=environment, stdout=subprocess.DEVNULL
    )
    try:
        until = time.monotonic() + 60
        while not answers(port):
            assert program.poll() is None, "it did not start"
            assert time.monotonic() < until, "it does not answer"
            time.sleep(0.1)
        yield port, psutil.Process(program.pid)
    finally:
        program.terminate()
        program.wait()


def answers(port: int) -> bool:
    """Whether anybody listens."""
    try:
        return requests.get(f"http://127.0.0.1:{port}/v1/openapi.json", timeout=10).ok
    except requests.ConnectionError:
        return False


def fill(database: EmbeddedDatabase) -> None:
    """Put everything there."""
    historian = Database(database.historian_url, "dotbus", owner_role=OWNER_ROLE, writer_role=WRITER_ROLE)
    bring_up_to_date(historian, Roles(READER_ROLE), BEGIN)
    begun = time.perf_counter()
    fill_prices(historian)
    fill_instructions(historian, 2_000_000)
    kept = time.perf_counter()
    while made := make_hours(historian, BEGIN, timedelta(0), 100):
        print(f"{made} hours of prices are made", flush=True)
    print(f"all of them in {time.perf_counter() - kept:.0f} s", flush=True)
    historian.close()
    settle(database.historian_url)
    print(f"filled in {time.perf_counter() - begun:.0f} s", flush=True)


def measure(database: EmbeddedDatabase, folder: Path, processes: int) -> None:
    """Everything, in turn."""
    with serving(database, folder, processes) as (port, process):
        for asked in QUESTIONS:
            for connections in (1, 32):
                print(told(f"{asked.title}, {connections:2} connections, API ", ask_api(port, asked, connections)), flush=True)
                print(
                    told(f"{asked.title}, {connections:2} connections, psql", ask_psql(database, asked, connections)),
                    flush=True,
                )
        for form in FORMS:
            stream(port, form, process)
        stream(port, "csv", process, "zstd")
        stream(port, "csv", process, "gzip")
    copy(database)


def main() -> None:
    """Fill and measure."""
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        database = running.enter_context(embedded_database(folder / "postgres"))
        fill(database)
        measure(database, folder, int(sys.argv[1]) if sys.argv[1:] else 1)


if __name__ == "__main__":
    main()
