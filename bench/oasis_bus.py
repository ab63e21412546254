"""Prices from CAISO's reply to committed rows: an interval of the whole network, and a month of three nodes.

    python bench/oasis_bus.py [network|backfill]

Simulated CAISO with 16,600 nodes, lmp_ingest, Mosquitto, the historian and PostgreSQL as real processes, on one machine.

network: `nodes = ["ALL"]`, the five-minute market. Once the hour that runs is stored, the next interval is waited for (five
minutes at most). Measured is from when lmp_ingest had the whole reply (the time of its events) to when the last of its rows is
committed, and what processor time each part took meanwhile. It is to be under 3 s.

backfill: `lmp-ingest backfill` of 30 days and three nodes, day-ahead and five-minute, without a limit on the rate of requests.
Measured are the time until all rows are committed, the requests, and the processor time of each part.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))  # the stack is the tests'

from plant_stack import PlantStack
from real_mosquitto import LocalMosquitto, free_port, remove_mosquitto
from real_postgres import LocalPostgres, new_database, query
from waiting import eventually

from caiso.oasis import Market, interval_starts, midnight, trade_day
from dotbus.runtime.schedule import utc_now

NETWORK = 16_600
CONFIG = """
environment = "{{accept}}"
[[plant]]
name = "sierra"
[[plant.resource]]
id = "SIERRA_2_SOLAR1"
[prices]
markets = ["RTM"]
nodes = {nodes}
[modbus]
accept_environments = ["{{accept}}"]
[[modbus.block]]
profile = "plant"
unit_id = 11
"""
NODES = ("TH_NP15_GEN-APND", "TH_SP15_GEN-APND", "TH_ZP26_GEN-APND")
DAYS = 30
FIVE = timedelta(minutes=5)
TICKS_S = os.sysconf("SC_CLK_TCK")


class Processors:
    """The processor time of each part, with its children."""

    def __init__(self, parts: dict[str, int]) -> None:
        self._parts = parts
        self._before = self._now()

    def since(self) -> str:
        """What each took since this was made, in seconds."""
        return ", ".join(f"{name} {used - self._before[name]:.2f} s" for name, used in self._now().items())

    def _now(self) -> dict[str, float]:
        return {name: sum(map(_used_s, (number, *_children(number)))) for name, number in self._parts.items()}


def _used_s(number: int) -> float:
    try:
        fields = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])) / TICKS_S


def _children(number: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(number)], capture_output=True, text=True, check=False).stdout.split()
    return [int(child) for child in found]


@contextmanager
def running(folder: Path, nodes: str, *services: str, **lmp_ingest: str) -> Iterator[tuple[PlantStack, str, dict[str, int]]]:
    """The stack, its database, and the number of each part's process."""
    folder.mkdir()
    (folder / "broker").mkdir()
    broker, server = LocalMosquitto(folder / "broker", (), free_port()), LocalPostgres(folder / "postgres")
    broker.start()
    server.start()
    plant = None
    try:
        database = new_database(server)
        settings = {"simulator": {"EXTRA_NODES": str(NETWORK), "OASIS_SPACING_S": "0"}, "lmp_ingest": lmp_ingest}
        plant = PlantStack(folder, broker, database, config=CONFIG.format(nodes=nodes), settings=settings)
        plant.start("simulator", *services)
        yield plant, database, {name: plant.process_id(name) for name in ("simulator", *services)}
    finally:
        if plant:
            plant.stop()
        remove_mosquitto(broker)
        server.remove()


def network(folder: Path) -> None:
    """One interval of the whole network."""
    little = {"SPACING_S": "6", "CORRECTIONS_BACK_H": "1", "LOOKBACK_H": "1", "TIMEOUT_S": "60"}
    with running(folder, '["ALL"]', "historian", "lmp_ingest", **little) as (_plant, database, parts):

        def newest() -> tuple[datetime, int, datetime] | None:
            rows = query(
                database,
                "SELECT interval_start, sum(upper(r) - lower(r)), max(time) FROM dotbus.price_report, unnest(node_nos) AS r"
                " GROUP BY interval_start ORDER BY interval_start DESC LIMIT 1",
            )
            return rows[0] if rows else None

        eventually(lambda: query(database, "SELECT to_regclass('dotbus.price_report')")[0][0], 60, 0.5)
        eventually(lambda: (known := newest()) and known[1] >= NETWORK, 300, 1.0)
        before = newest()
        assert before is not None
        quiet = Processors(parts)
        print(f"stored up to {before[0]:%H:%MZ}; the next interval is waited for", flush=True)
        eventually(lambda: (known := newest()) and known[0] > before[0], 400, 0.02)
        after = eventually(lambda: (known := newest()) and known[1] >= NETWORK and known, 60, 0.02)
        seconds = (utc_now() - after[2]).total_seconds()
        print(f"{after[1]:,} nodes of {after[0]:%H:%MZ}: {seconds:.2f} s from reply to committed rows; {quiet.since()}")


def backfill(folder: Path) -> None:
    """A month of three nodes."""
    last = trade_day(utc_now()) - timedelta(days=2)
    first = last - timedelta(days=DAYS)
    with running(folder, '["TH_NP15_GEN-APND"]', "historian", "lmp_ingest", SPACING_S="0") as (plant, database, parts):
        for market, interval in ((Market.DAM, timedelta(hours=1)), (Market.RTM, FIVE)):
            expected = len(NODES) * len(interval_starts(midnight(first), midnight(last), interval))
            words = ["backfill", "--market", market.value, "--from", str(first), "--to", str(last)]
            used, began = Processors(parts), time.monotonic()
            environment = {**os.environ, **plant.environment_of("lmp_ingest")}
            command = [sys.executable, "-m", "lmp_ingest", *words, *(word for node in NODES for word in ("--node", node))]
            said = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            asked_s = time.monotonic() - began
            counted = (
                "SELECT count(*) FROM dotbus.price JOIN dotbus.price_report USING (report_no)"
                f" WHERE market = '{market}' AND price.interval_start >= '{midnight(first)}'"
                f" AND price.interval_start < '{midnight(last)}'"
            )
            eventually(lambda counted=counted, expected=expected: query(database, counted)[0][0] >= expected, 120, 0.1)
            stored_s = time.monotonic() - began
            print(said.stdout.strip() or said.stderr.strip())
            print(f"{market}: asked in {asked_s:.1f} s, all {expected:,} rows committed after {stored_s:.1f} s; {used.since()}")


def main(works: Sequence[str]) -> None:
    """Measure, and print."""
    for name in works or ("backfill", "network"):
        with tempfile.TemporaryDirectory() as folder:
            {"network": network, "backfill": backfill}[name](Path(folder) / name)


if __name__ == "__main__":
    main(sys.argv[1:])
