"""`historian api` as a process of its own: TLS, keys, health and metrics, an orderly end."""

import signal
import socket
from pathlib import Path

import pytest
import requests
import trustme
from api_process import answer, serving
from historian_api import NP15
from historian_database import OWNER, READERS, WRITER, fill, make_roles, prepared
from real_mosquitto import free_port
from real_postgres import Postgres
from waiting import eventually

from dotbus.testing import samples
from historian.api.keys.store import make_key

pytestmark = pytest.mark.integration


def test_it_speaks_tls_asks_for_a_key_tells_its_health_and_ends_in_order(postgres: Postgres, database: str, tmp_path: Path):
    at, ports = make_roles(postgres, database, tmp_path), (free_port(), free_port())
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    tls = {"CERTIFICATE_FILE": str(tmp_path / "server.pem"), "PORT": str(ports[0]), "HEALTH_PORT": str(ports[1])}
    with prepared(at.historian, owner=OWNER, writer=WRITER, reader=READERS) as owned:
        fill(owned, samples.prices())
        with owned.transaction(as_owner=True) as connection:
            key = make_key(connection, "anna", None)
    trusted = {"verify": str(tmp_path / "ca.pem"), "headers": {"Authorization": f"Bearer {key}"}}
    address = f"https://127.0.0.1:{ports[0]}/v1/prices?node={NP15}&start=2026-10-13"

    with serving(tmp_path, at.api, **tls) as process:
        told = eventually(lambda: answer(address, **trusted), within_s=60)
        without = answer(address, verify=trusted["verify"])
        health = answer(f"http://127.0.0.1:{ports[1]}/ready")
        metrics = answer(f"http://127.0.0.1:{ports[1]}/metrics")
        with pytest.raises(requests.RequestException):
            requests.get(address.replace("https", "http"), timeout=10)
        with socket.create_connection(("127.0.0.1", ports[0])):  # it stays silent, and holds nothing up
            process.send_signal(signal.SIGTERM)
            status = process.wait(timeout=30)

    assert (told.status_code, len(told.json()["rows"])) == (200, 1)
    assert without is not None
    assert without.status_code == 401
    assert health is not None
    assert health.json() == {"alive": True, "ready": True, "database": True}
    assert metrics is not None
    assert 'historian_api_answers_total{path="/v1/prices",status="200"} 1.0' in metrics.text
    assert status == 0


def test_while_the_database_is_away_it_is_alive_and_not_ready(tmp_path: Path):
    port, health = free_port(), free_port()
    settings = {"PORT": str(port), "HEALTH_PORT": str(health), "WITHOUT_KEYS": "true"}
    with serving(tmp_path, f"postgresql://reader@127.0.0.1:{free_port()}/dotbus", **settings):
        # A response that tells a problem counts as false.
        (told,) = eventually(lambda: (one := answer(f"http://127.0.0.1:{port}/v1/prices")) is not None and (one,), within_s=60)
        alive, ready = (answer(f"http://127.0.0.1:{health}/{asked}") for asked in ("health", "ready"))

    assert told.status_code == 503
    assert alive is not None
    assert ready is not None
    assert (alive.status_code, ready.status_code) == (200, 503)


def test_a_port_that_is_taken_is_told_in_one_line_with_what_to_do(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with serving(tmp_path, "postgresql://reader@127.0.0.1:1/dotbus", PORT=port) as process:
            said, _ = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "set HISTORIAN_API_PORT to a free one" in said
    assert "Traceback" not in said


def test_a_configuration_that_is_refused_tells_every_mistake(tmp_path: Path):
    with serving(tmp_path, "postgresql://reader@db/dotbus", PORT="0", HOST="0.0.0.0") as process:
        said, _ = process.communicate(timeout=60)

    assert process.returncode == 2
    assert {line.split(":")[1].strip() for line in said.splitlines()} == {"HISTORIAN_API_PORT", "HISTORIAN_API_HOST"}
