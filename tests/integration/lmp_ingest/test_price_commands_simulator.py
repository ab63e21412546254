"""`lmp-ingest get` and `nodes` as programs, asked of the simulated OASIS: no broker, no configuration."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from simulator_client import Keys, simulating

Ran = Callable[..., subprocess.CompletedProcess[str]]
NOW = datetime.now(UTC)


@pytest.fixture
def run(keys: Keys, tmp_path: Path) -> Iterator[Ran]:
    config = tmp_path / "dotbus.toml"
    config.write_text('environment = "simulator"\n[[plant]]\nname = "sierra"\n[[plant.resource]]\nid = "R1"\n')
    with simulating(keys, config, lambda: datetime.now(UTC), oasis_spacing_s=0.0) as addresses:
        environment = {**os.environ, "LMP_INGEST_URL": addresses.oasis, "LMP_INGEST_SPACING_S": "0.05"}

        def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
            command = [sys.executable, "-m", "lmp_ingest", *arguments]
            return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

        yield ran


def test_a_day_of_a_hub_by_its_short_name_comes_whole(run: Ran) -> None:
    ran = run("get", "NP15", "--market", "DAM", "--date", "2025-11-02", "--format", "json")
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert (ran.returncode, len(lines)) == (0, 25), "the day of 25 hours"
    assert {line["node"] for line in lines} == {"TH_NP15_GEN-APND"}
    for line in lines:
        parts = [line[f"{name}_usd_per_mwh"] or 0.0 for name in ("energy", "congestion", "loss", "ghg")]
        assert line["lmp_usd_per_mwh"] == pytest.approx(sum(parts), abs=5e-4)


def test_more_nodes_than_one_request_may_name_come_as_one_answer(run: Ran) -> None:
    names = run("nodes").stdout.splitlines()
    several = [line.split("\t")[0] for line in names][:12]
    ran = run("get", *several, "--market", "RTM", "--latest", "--format", "csv")
    assert [line.split(",")[0] for line in ran.stdout.splitlines()[1:]] == sorted(several)


def test_all_aggregated_nodes_of_a_day_come_by_one_word(run: Ran) -> None:
    ran = run("get", "ALL_APNODES", "--market", "DAM", "--date", "2025-07-01", "--format", "csv")
    names = {line.split(",")[0] for line in ran.stdout.splitlines()[1:]}
    assert {"TH_NP15_GEN-APND", "DLAP_SCE-APND"} <= names
    assert all(name.endswith("-APND") for name in names)


def test_nodes_are_found_by_a_part_of_their_name_and_by_type(run: Ran) -> None:
    assert [line.split("\t") for line in run("nodes", "np15_gen").stdout.splitlines()] == [
        ["TH_NP15_GEN-APND", "trading hub", "TH"]
    ]
    assert {line.split("\t")[1] for line in run("nodes", "--type", "load area").stdout.splitlines()} == {"load area"}
    ran = run("nodes", "NO_SUCH_NODE")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "has 'NO_SUCH_NODE' in its name" in ran.stderr


def test_a_name_that_caiso_does_not_know_is_an_error_and_not_an_empty_answer(run: Ran) -> None:
    ran = run("get", "TYPO", "--market", "DAM", "--date", "2025-07-01")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "is a node's name wrong" in ran.stderr


def test_what_is_not_published_yet_is_told_as_that(run: Ran) -> None:
    ahead = (NOW + timedelta(days=4)).date().isoformat()
    ran = run("get", "NP15", "--market", "DAM", "--date", ahead)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "is published yet" in ran.stderr
