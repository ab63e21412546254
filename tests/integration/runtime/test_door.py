"""The door of a port that speaks TLS: whoever connects and says nothing holds nobody up."""

import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests
import trustme
from real_mosquitto import free_port
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from waiting import eventually

from dotbus.web import door
from dotbus.web.serving import Entrance, serve, uvicorn_config

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Port:
    number: int
    ca_file: str

    def ask(self) -> int:
        return requests.get(f"https://127.0.0.1:{self.number}", verify=self.ca_file, timeout=10).status_code

    def silent(self, address: str = "127.0.0.1") -> socket.socket:
        """A connection of an address of this machine that says nothing."""
        return socket.create_connection(("127.0.0.1", self.number), timeout=10, source_address=(address, 0))


@pytest.fixture
def port(tmp_path: Path) -> Iterator[Port]:
    authority, stop = trustme.CA(), threading.Event()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    entrance = Entrance("TEST_", "127.0.0.1", free_port(), tmp_path / "server.pem")
    app = Starlette(routes=[Route("/", lambda _request: PlainTextResponse("yes"))])
    config = uvicorn_config(app, entrance, lifespan="off")
    serving = threading.Thread(target=serve, args=(config, entrance.listen("questions"), stop))
    serving.start()
    yield Port(entrance.port, str(tmp_path / "ca.pem"))
    stop.set()
    serving.join()


def test_silent_connections_make_room_for_who_speaks_the_oldest_of_its_address_first(
    port: Port, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(door, "AT_THE_DOOR_EACH", 3)
    with port.silent("127.0.0.2") as elsewhere:
        held = [port.silent() for _ in range(3)]
        assert port.ask() == 200
        assert held[0].recv(1) == b""
        for one in (elsewhere, *held[1:]):
            one.settimeout(0.1)
            with pytest.raises(TimeoutError):
                one.recv(1)
        for one in held:
            one.close()


def test_whoever_made_room_holds_no_file_of_the_process_any_more(port: Port, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(door, "AT_THE_DOOR_EACH", 3)
    assert port.ask() == 200
    before, here = psutil.Process().num_fds(), 60
    held = [port.silent() for _ in range(here)]
    assert port.ask() == 200
    eventually(lambda: psutil.Process().num_fds() <= before + here + 2 * 3)
    for one in held:
        one.close()


def test_silent_connections_of_many_addresses_make_room_too(port: Port, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(door, "AT_THE_DOOR_MOST", 3)
    held = [port.silent(f"127.0.0.{number}") for number in range(2, 8)]
    assert port.ask() == 200
    assert held[0].recv(1) == b""
    for one in held:
        one.close()


def test_who_does_not_speak_tls_in_time_is_let_go(port: Port, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(door, "SPEAKS_TLS_WITHIN_S", 0.3)
    with port.silent() as silent, port.silent() as slow:
        slow.sendall(b"\x16\x03\x01\x02\x00")
        assert (silent.recv(1), slow.recv(1)) == (b"", b"")


def test_who_speaks_something_else_or_leaves_holds_nobody_up(port: Port):
    for said in (b"GET / HTTP/1.1\r\n\r\n", b"", b"\x16\x03\x01\x02\x00"):
        with port.silent() as one:
            one.sendall(said)
    assert port.ask() == 200
