"""A real Prometheus with the deployed configuration, rules and credentials, watching the console's own process."""

import json
import shutil
import ssl
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from console_process import ConsoleProcess
from real_mosquitto import Mosquitto, free_port
from waiting import eventually

from dotbus.runtime.installation.file import load_installation
from launcher.setup.provision import Provision

pytestmark = pytest.mark.integration
TOP = Path(__file__).parents[3]
CONFIG = TOP / "config" / "dotbus.example.toml"
DEPLOY = TOP / "deploy" / "prometheus"


class Prometheus:
    """Started on loopback. What the deployed files call containers and /run/dotbus is here on this machine."""

    def __init__(self, folder: Path, credentials: Path, console_port: int) -> None:
        self._credentials = credentials
        self.port = free_port()
        there = folder / "etc"
        shutil.copytree(DEPLOY, there)
        for file in there.iterdir():
            file.write_text(file.read_text().replace("/run/dotbus", str(credentials / "prometheus")))
        config = there / "prometheus.yml"
        said = yaml.safe_load(config.read_text())
        said["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        (console,) = (job for job in said["scrape_configs"] if job["job_name"] == "console")
        console["static_configs"] = [{"targets": [f"127.0.0.1:{console_port}"]}]
        stranger = {**console, "job_name": "stranger", "authorization": {"credentials": "guessed"}}
        said["scrape_configs"] = [console, stranger]
        config.write_text(yaml.safe_dump(said))
        self.log = folder / "prometheus.log"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [
                    "prometheus",
                    f"--config.file={config}",
                    f"--web.config.file={there / 'web.yml'}",
                    f"--web.listen-address=127.0.0.1:{self.port}",
                    f"--storage.tsdb.path={folder / 'data'}",
                ],
                stderr=output,
                stdout=output,
            )

    def ask(self, path: str, *, with_certificate: bool = True, **words: str) -> Any:
        trust = ssl.create_default_context(cafile=str(self._credentials / "operator" / "ca.pem"))
        if with_certificate:
            trust.load_cert_chain(self._credentials / "operator" / "client.pem")
        address = f"https://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(words)}"
        with urllib.request.urlopen(address, timeout=20, context=trust) as reply:
            return json.load(reply)["data"]

    def answers(self) -> bool:
        try:
            self.ask("status/buildinfo")
        except OSError:
            return False
        return True

    def value(self, query: str) -> float | None:
        found = self.ask("query", query=query)["result"]
        return float(found[0]["value"][1]) if found else None


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    made = tmp_path / "credentials"
    Provision(made).run(load_installation(CONFIG), None, datetime.now(UTC))
    return made


@pytest.fixture
def console(tmp_path: Path, credentials: Path, broker: Mosquitto) -> Iterator[ConsoleProcess]:
    token = credentials / "console" / "metrics.token"
    process = ConsoleProcess(tmp_path, broker, CONFIG.read_text(), METRICS_TOKEN_FILE=str(token))
    yield process
    assert process.stop() == 0


@pytest.fixture
def prometheus(tmp_path: Path, credentials: Path, console: ConsoleProcess) -> Iterator[Prometheus]:
    started = Prometheus(tmp_path, credentials, console.health_port)
    try:
        eventually(started.answers, 30.0)
        yield started
    finally:
        started.process.terminate()
        started.process.wait(30)


def test_prometheus_is_told_by_its_token_alone_and_asked_with_a_certificate_alone(prometheus: Prometheus):
    eventually(lambda: prometheus.value("dotbus_console_hears_broker") == 1, 30.0)
    installation = load_installation(CONFIG)
    count = sum(len(plant.resources) for plant in installation.plants)
    assert prometheus.value('count(dotbus_resource_quality{of="dot"} == 0)') == count
    assert prometheus.value("count(dotbus_resource_mw)") is None
    assert prometheus.value("count(dotbus_price_quality)") == len(installation.price_nodes) * len(installation.prices.markets)
    eventually(lambda: prometheus.value('up{job="stranger"}') == 0, 30.0)
    assert prometheus.value('dotbus_console_pages{job="stranger"}') is None

    rules = [rule["name"] for group in prometheus.ask("rules")["groups"] for rule in group["rules"]]
    said = yaml.safe_load((DEPLOY / "rules.yml").read_text())["groups"]
    assert sorted(rules) == sorted(rule["alert"] for group in said for rule in group["rules"])
    with pytest.raises(OSError, match="certificate"):
        prometheus.ask("status/buildinfo", with_certificate=False)
