"""The simulator as a program: its options, its mistakes, and how it ends."""

import os
import signal
import socket
import subprocess
import sys

import pytest
import requests
from simulator_client import EXAMPLE, Keys


def started(keys: Keys, *more: str) -> subprocess.Popen[str]:
    options = {
        "config": EXAMPLE,
        "certificate": keys.server,
        "key": keys.server,
        "client-ca": keys.authority,
        "ads-port": 0,
        "oasis-port": 0,
        "admin-port": 0,
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    command = [sys.executable, "-m", "simulators", *arguments, *more]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_even_while_a_reply_hangs(keys: Keys, number: signal.Signals) -> None:
    with started(keys) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        at = dict(line.strip().split(": ", 1) for line in lines)
        port = int(at["admin"].rsplit(":", 1)[1])
        with requests.Session() as session:
            session.trust_env = False
            assert session.get(at["admin"] + "/health", timeout=10).json()["ok"] is True
            session.post(at["admin"] + "/faults", json={"service": "oasis", "fault": "timeout"}, timeout=10)
            with pytest.raises(requests.exceptions.ReadTimeout):
                session.get(at["OASIS"] + "/SingleZip", timeout=0.3)
            process.send_signal(number)
            assert process.wait(10) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=20)


def test_a_terminal_that_is_closed_does_not_end_it(keys: Keys) -> None:
    with started(keys) as process:
        assert process.stdout is not None
        for _ in range(4):
            process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        assert "signal passed over" in process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_options_say_what_each_client_sees_and_may_do(keys: Keys) -> None:
    with (
        started(keys, "--sees=sierra=SIERRA_*", "--sees=both=A,B", "--read-only=both") as process,
        requests.Session() as session,
    ):
        assert process.stdout is not None
        at = dict(process.stdout.readline().strip().split(": ", 1) for _ in range(4))
        session.trust_env = False
        assert session.get(at["admin"] + "/clients", timeout=10).json() == [
            {"client": "both", "resources": ["A", "B"], "may_respond": False},
            {"client": "sierra", "resources": ["SIERRA_*"], "may_respond": True},
        ]
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_a_taken_port_is_told(keys: Keys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, started(keys, f"--ads-port={taken.getsockname()[1]}") as process:
        _, error = process.communicate(timeout=20)
        assert process.returncode == 1
        assert error.startswith("failed: cannot listen for ads on 127.0.0.1:")
        assert error.endswith("set --ads-port to a free one\n")


def test_every_mistake_in_the_settings_is_told_at_once(keys: Keys) -> None:
    with started(keys, "--interval-s=1", "--oasis-spacing-s=-1", "--config=nowhere.toml", "--sees=sierra") as process:
        _, error = process.communicate(timeout=20)
    assert process.returncode == 2
    assert all(name in error for name in ("interval_s", "oasis_spacing_s", "nowhere.toml", "NAME=PATTERN"))
    assert "Traceback" not in error


def test_settings_come_from_the_environment_too(keys: Keys) -> None:
    environment = {**os.environ, "SIMULATOR_INTERVAL_S": "1", "SIMULATOR_CONFIG": str(EXAMPLE), "COLUMNS": "200"}
    environment |= {"SIMULATOR_CERTIFICATE": str(keys.server), "SIMULATOR_KEY": str(keys.server)}
    environment |= {"SIMULATOR_CLIENT_CA": str(keys.authority)}
    ended = subprocess.run(
        [sys.executable, "-m", "simulators"], check=False, capture_output=True, text=True, env=environment, timeout=20
    )
    assert ended.returncode == 2
    assert ended.stderr.count("refused:") == 1
    assert "interval_s" in ended.stderr
