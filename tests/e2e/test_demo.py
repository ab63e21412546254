"""A newcomer's first minutes: one command shows everything at work, and leaves nothing behind."""

import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest
from real_postgres import query
from waiting import eventually

pytestmark = pytest.mark.e2e

DOTBUS, HISTORIAN = (Path(sys.executable).with_name(name) for name in ("dotbus", "historian"))


def start_demo(*arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [DOTBUS, "demo", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env=os.environ | {"COLUMNS": "200", "PYTHONUNBUFFERED": "1"} | environment,
    )


def listening_ports(text: str) -> set[int]:
    return {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", text)}


def is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="module")
def checked() -> list[tuple[int, str]]:
    """What came of two checks that ran beside each other: status and output."""
    processes = [start_demo("--check"), start_demo("--check")]
    texts = [process.communicate(timeout=150)[0] for process in processes]
    return [(process.returncode, text) for process, text in zip(processes, texts, strict=True)]


def test_the_check_finds_what_was_sent_in_registers_and_database(checked: list[tuple[int, str]]):
    for status, text in checked:
        assert status == 0, text
        assert re.search(r"All \d+ values agree", text)
        for resource in ("SIERRA_2_SOLAR1", "SIERRA_2_BESS1", "DELTA_6_HYDRO1"):
            assert len(re.findall(rf"{resource} .*agrees", text)) == 5, text


def test_a_demonstration_shows_dots_and_ctrl_c_leaves_nothing_behind():
    process = start_demo()
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout))
    reader.start()
    eventually(lambda: sum("MW  unit" in line for line in lines) >= 3, within_s=90)
    ports = listening_ports("".join(lines))
    assert len(ports) >= 4
    assert all(is_listening(port) for port in ports)
    children = children_of(process.pid)
    assert len(children) >= 6
    commands = [line for line in lines if re.match("  env .*dotbus (status|registers)", line)]
    assert len(commands) == 2
    for command in commands:
        eventually(lambda shown=command: subprocess.call(["bash", "-c", shown], stdout=subprocess.DEVNULL) == 0, within_s=60)
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    reader.join()
    process.stdout.close()
    assert not any(is_listening(port) for port in ports)
    assert not any(psutil.pid_exists(pid) for pid in children)
    folder = next(line.split()[-1] for line in lines if line.startswith("Files, logs"))
    assert not Path(folder).exists()


HOURS = """
    SELECT count(*) FROM dotbus.price_hourly WHERE market = 'RTM' AND node = 'TH_NP15_GEN-APND' AND priced_min = 60
    AND trade_date = (now() AT TIME ZONE 'America/Los_Angeles')::date - 1"""
LENGTH = "SELECT hours FROM dotbus.trade_day WHERE trade_date = (now() AT TIME ZONE 'America/Los_Angeles')::date - 1"
SEEDED = "SELECT count(*) FROM dotbus.price_latest WHERE market = 'DAM' AND node = 'TH_SP15_GEN-APND'"


def test_a_demonstration_has_prices_of_all_of_yesterday_and_is_seeded_with_more_by_one_command():
    process = start_demo()
    try:
        lines = iter(process.stdout.readline, "")
        told = list(itertools.takewhile(lambda line: "Try in another" not in line, lines))
        database = next(line.split()[1].rstrip(",") for line in told if line.startswith("PostgreSQL"))
        folder = next(Path(line.split()[-1]) for line in told if line.startswith("Files, logs"))
        asked = next(found for line in lines if (found := re.search(r'psql "[^"]+" -c "([^"]+)"', line)))
        assert query(database, asked[1]), "what is told to try shows something at once"
        reader = threading.Thread(target=process.stdout.read)
        reader.start()
        eventually(lambda: query(database, "SELECT to_regclass('dotbus.price_hourly')")[0][0], within_s=60)
        eventually(lambda: query(database, HOURS) == query(database, LENGTH), within_s=90)

        own = dict(line.split("=", 1) for line in (folder / "historian.env").read_text().splitlines())
        words = ("seed", "--days", "3", "--node", "SP15", "--market", "DAM", "--market", "RTM")
        ours = os.environ | own
        seeded = subprocess.run([HISTORIAN, *words], env=ours, capture_output=True, text=True, timeout=120, check=False)
        assert seeded.returncode == 0, seeded.stdout + seeded.stderr
        assert "not published yet: " in seeded.stdout
        assert seeded.stdout.endswith("all that came is in the database\n")
        assert query(database, SEEDED)[0][0] >= 4 * 23
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
    reader.join()
    process.stdout.close()


@pytest.mark.parametrize("begun", ["credentials", "database.json", "simulator.log", "historian.log"])
def test_ctrl_c_while_it_starts_leaves_nothing_behind(begun: str, tmp_path: Path):
    """A terminal sends SIGINT to every process of the group, in whatever state the start is."""
    process = start_demo(TMPDIR=str(tmp_path))
    eventually(lambda: any(tmp_path.glob(f"dotbus-demo-*/{begun}")), within_s=60, every_s=0.002)
    children = children_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    text, _ = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in text) == (0, False), text
    assert not any(psutil.pid_exists(pid) for pid in children)
    assert not any(tmp_path.glob("dotbus-demo-*"))


def test_two_demonstrations_run_beside_each_other(checked: list[tuple[int, str]]):
    ports = [listening_ports(text) for _, text in checked]
    assert [status for status, _ in checked] == [0, 0]
    assert all(ports)
    assert not ports[0] & ports[1]


def test_a_part_that_dies_ends_the_demonstration_with_the_end_of_its_log():
    process = start_demo("--check")
    eventually(lambda: part_of(process.pid, "modbus_gateway"), within_s=60)
    part_of(process.pid, "modbus_gateway").kill()
    text, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "modbus_gateway ended with status -9. The end of its log" in text


def test_a_real_plants_configuration_is_not_for_a_demonstration(tmp_path: Path):
    config = tmp_path / "dotbus.toml"
    config.write_text(Path("config/dotbus.example.toml").read_text().replace('"simulator"', '"stage"'))
    process = start_demo("--config", str(config))
    text, _ = process.communicate(timeout=60)
    assert (process.returncode, text) == (2, f"{config}: environment: is stage; a demonstration is for simulator only\n")


def part_of(pid: int, module: str) -> psutil.Process | None:
    try:
        children = psutil.Process(pid).children(recursive=True)
        return next((child for child in children if module in child.cmdline()), None)
    except psutil.NoSuchProcess:
        return None


def children_of(pid: int) -> list[int]:
    return [child.pid for child in psutil.Process(pid).children(recursive=True)]
