"""The door to OASIS against a server that misbehaves below HTTP's own rules."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from simulator_client import Keys

from caiso.oasis import CutShort, HttpRefused, Market, OasisConnection, Oversized, Question, TimedOut, Unreachable
from lmp_ingest.settings import OasisSettings

NOW = datetime(2025, 9, 1, 18, tzinfo=UTC)
QUESTION = Question(Market.RTPD, ("TH_NP15_GEN-APND", "A_7_N1"), NOW, datetime(2025, 9, 1, 20, 15, tzinfo=UTC))
Serve = Callable[[socket.socket, threading.Event], None]


class Server:
    """Accepts one connection and lets a function do with it what it wants."""

    def __init__(self, serve: Serve) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._serve = serve
        self._over = threading.Event()
        self.request = b""
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}/oasisapi"

    def _run(self) -> None:
        try:
            connection, _ = self._listening.accept()
        except OSError:
            return
        with connection:
            self.request = connection.recv(65536)
            try:
                self._serve(connection, self._over)
            except OSError:
                return  # the client went first, which is what some of these tests are about

    def stop(self) -> None:
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


@pytest.fixture
def ask() -> Iterator[Callable[..., tuple[OasisConnection, Server]]]:
    opened: list[tuple[OasisConnection, Server]] = []

    def start(serve: Serve, **settings: object) -> tuple[OasisConnection, Server]:
        server = Server(serve)
        opened.append((OasisSettings(url=server.url, **{"timeout_s": 0.5} | settings).connection(lambda: NOW), server))
        return opened[-1]

    yield start
    for source, server in opened:
        source.close()
        server.stop()


def replying(head: bytes, body: bytes = b"") -> Serve:
    return lambda connection, _: connection.sendall(b"HTTP/1.1 " + head.replace(b"\n", b"\r\n") + b"\r\n\r\n" + body)


def test_the_request_is_written_as_the_specification_writes_it(ask) -> None:
    source, server = ask(replying(b"200 OK\nContent-Length: 2\nConnection: close", b"ok"))

    assert source.fetch(QUESTION).content == b"ok"

    line, *headers = server.request.decode().split("\r\n")
    assert line == (
        "GET /oasisapi/SingleZip?queryname=PRC_RTPD_LMP&startdatetime=20250901T18:00-0000&enddatetime=20250901T20:15-0000"
        "&version=3&market_run_id=RTPD&node=TH_NP15_GEN-APND,A_7_N1&resultformat=6 HTTP/1.1"
    )
    assert any(header.startswith("User-Agent: dotbus/") for header in headers)


def test_a_body_cut_before_its_declared_end_is_known_for_it(ask) -> None:
    source, _ = ask(replying(b"200 OK\nContent-Length: 100\nConnection: close", b"half"))

    with pytest.raises(CutShort) as caught:
        source.fetch(QUESTION)

    assert caught.value.content == b"half"


def test_a_server_that_says_nothing_is_given_up_after_the_timeout(ask) -> None:
    source, _ = ask(lambda _, over: over.wait())

    with pytest.raises(TimedOut, match="no reply within"):
        source.fetch(QUESTION)


def test_a_server_that_drips_is_given_up_although_each_drop_comes_in_time(ask) -> None:
    def drip(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
        while not over.wait(0.05):
            connection.sendall(b"x")

    source, _ = ask(drip)

    with pytest.raises(TimedOut, match="not complete"):
        source.fetch(QUESTION)


def test_a_server_that_pours_is_cut_off_at_the_bound(ask) -> None:
    def pour(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while not over.is_set():
            connection.sendall(b"x" * 65536)

    source, _ = ask(pour, max_reply_mb=1.0, timeout_s=10.0)

    with pytest.raises(Oversized) as caught:
        source.fetch(QUESTION)

    assert caught.value.content is not None
    assert len(caught.value.content) <= 1024 * 1024 + 65536


def test_a_redirection_is_not_followed_but_told_with_where_it_leads(ask) -> None:
    source, _ = ask(replying(b"302 Found\nLocation: http://127.0.0.1:9/\nContent-Length: 0\nConnection: close"))

    with pytest.raises(HttpRefused, match=r"HTTP status 302: it leads to http://127\.0\.0\.1:9/") as caught:
        source.fetch(QUESTION)
    assert caught.value.cause == "HTTP status 302"


def test_a_redirection_that_pours_is_cut_off_at_the_bound_too(ask) -> None:
    def pour(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nConnection: close\r\n\r\n")
        while not over.is_set():
            connection.sendall(b"x" * 65536)

    source, _ = ask(pour, max_reply_mb=1.0, timeout_s=10.0)

    with pytest.raises(Oversized):
        source.fetch(QUESTION)


def test_what_the_environment_says_of_proxies_and_authorities_does_not_count(ask, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.setenv(name, "/nowhere/ca.pem")
    source, _ = ask(replying(b"200 OK\nContent-Length: 2\nConnection: close", b"ok"))

    assert source.fetch(QUESTION).content == b"ok"


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_only_the_configured_authorities_are_trusted(keys: Keys, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, str(keys.authority))
    server = TlsServer(keys)
    trusting, strange = (
        OasisSettings(url=server.url, ca_file=ca, timeout_s=5.0).connection(lambda: NOW) for ca in (keys.authority, None)
    )
    try:
        assert trusting.fetch(QUESTION).content == b"ok"
        with pytest.raises(Unreachable, match="no authority that is trusted here stands for the server"):
            strange.fetch(QUESTION)
    finally:
        trusting.close()
        strange.close()
        server.stop()


class TlsServer:
    """Answers "ok" to whoever trusts its certificate."""

    def __init__(self, keys: Keys) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(keys.server)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self._listening.getsockname()[1]}/oasisapi"

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), self._context.wrap_socket(connection, server_side=True) as trusted:
                trusted.recv(65536)
                trusted.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")

    def stop(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join()


def test_what_is_not_http_is_unreachable(ask) -> None:
    source, _ = ask(lambda connection, _: connection.sendall(b"SSH-2.0-OpenSSH\r\n"))

    with pytest.raises(Unreachable):
        source.fetch(QUESTION)


@pytest.mark.parametrize(
    ("date", "offset_s"),
    [(b"Mon, 01 Sep 2025 18:00:03 GMT", 3.5), (b"yesterday", None), (b"Mon, 01 Sep 2025 17:59:50 -0000", None)],
)
def test_caiso_s_clock_is_compared_with_ours_when_it_says_a_date(ask, date: bytes, offset_s: float | None) -> None:
    source, _ = ask(replying(b"200 OK\nContent-Length: 0\nConnection: close\nDate: " + date))

    source.fetch(QUESTION)
    measured = source.clock_offset_said_s

    assert measured == (None if offset_s is None else pytest.approx(offset_s, abs=0.5))
