"""Requests a second: our Modbus server beside pymodbus and libmodbus, in one run, by one load generator that checks each reply.

    python bench/modbus_requests.py [SECONDS]

Needs a C compiler (`cc`); libmodbus joins in where its headers are (Debian: libmodbus-dev). Figures differ between machines and
minutes: only the ratios within a round are worth a look.
"""

import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

SOURCES = Path(__file__).parent / "modbus"
ROUNDS = 3
CONNECTIONS = 16
COUNTS = (2, 125)
OURS = "dotbus"


def compiled(name: str, folder: Path, *options: str) -> list[str] | None:
    """The command of a C program, None when it cannot be compiled here."""
    program = folder / name
    command = ["cc", "-O2", "-w", "-o", str(program), str(SOURCES / f"{name}.c"), *options]
    return [str(program)] if subprocess.run(command, capture_output=True, check=False).returncode == 0 else None


def servers(folder: Path) -> dict[str, list[str]]:
    """The command of each server that runs here."""
    found = {
        OURS: [sys.executable, str(SOURCES / "our_server.py")],
        "pymodbus": [sys.executable, str(SOURCES / "pymodbus_server.py")],
    }
    if libmodbus := compiled("libmodbus_server", folder, "-lmodbus"):
        found["libmodbus"] = libmodbus
    else:
        print("libmodbus is left out: its headers are not here (libmodbus-dev)")
    return found


@contextmanager
def serving(command: Sequence[str]) -> Iterator[tuple[psutil.Process, int]]:
    """A running server and its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([*command, str(port)])
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
        yield psutil.Process(process.pid), port
    finally:
        process.kill()
        process.wait()


def measure(load: Sequence[str], command: Sequence[str], count: int, seconds: float) -> Mapping[str, float]:
    """Requests a second, the server's CPU time of each, and the slowest of a hundred replies."""
    with serving(command) as (process, port):
        return loaded(load, process, port, count, CONNECTIONS, seconds)


def loaded(
    load: Sequence[str], process: psutil.Process, port: int, count: int, connections: int, seconds: float
) -> Mapping[str, float]:
    """The same of a server that runs already."""
    options = {"-p": port, "-c": connections, "-s": seconds, "-w": 0, "-n": count}
    before = process.cpu_times()
    arguments = [str(word) for option in options.items() for word in option]
    shown = subprocess.run([*load, *arguments], capture_output=True, text=True, check=True).stdout
    after = process.cpu_times()
    told = json.loads(shown)
    cpu_s = after.user + after.system - before.user - before.system
    return {"rps": told["rps"], "cpu_us": cpu_s / told["n"] * 1e6, "p50_us": told["p50_us"], "p99_us": told["p99_us"]}


def main() -> None:
    """Measure each server in turn, several rounds, and print the medians and the ratios within a round."""
    if not shutil.which("cc"):
        sys.exit("a C compiler is needed for the load generator: install gcc or clang")
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    with tempfile.TemporaryDirectory() as name:
        load = compiled("load", Path(name))
        if load is None:
            sys.exit("the load generator needs Linux: it waits with epoll")
        commands = servers(Path(name))
        for count in COUNTS:
            print(f"{count} registers a request, {CONNECTIONS} connections, median of {ROUNDS} rounds of {seconds:g} s")
            rounds = [
                {name: measure(load, command, count, seconds) for name, command in commands.items()} for _ in range(ROUNDS)
            ]
            for server in commands:
                median = {key: statistics.median(one[server][key] for one in rounds) for key in rounds[0][server]}
                times = statistics.median(one[OURS]["cpu_us"] / one[server]["cpu_us"] for one in rounds)
                print(
                    f"  {server:10} {median['rps']:8.0f} requests/s  {median['cpu_us']:6.1f} us CPU a request"
                    f"  99 % within {median['p99_us']:7.0f} us  {OURS} takes {times:.2f} of its CPU"
                )


if __name__ == "__main__":
    main()
