"""The connection to ADS against servers that behave badly on the wire: each way becomes its exception, within its bounds."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
import trustme
from simulator_client import Keys

from caiso.ads import AdsAddress, AdsConnection, TlsProblem, TlsRefused
from caiso.ads.addresses import NAMESPACE
from caiso.ads.errors import AdsFailure, CutShort, HungUp, Oversized, TimedOut, Unreachable
from caiso.ads.records import Question

QUESTION = Question("getDispatchBatch", "B<1>")
MB = 1024 * 1024
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


class Server:
    """Reads one request on each TLS connection and lets a function answer it on the socket."""

    def __init__(self, keys: Keys, answer: Callable[[ssl.SSLSocket], None]) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(keys.server)
        self._context.load_verify_locations(keys.authority)
        self._context.verify_mode = ssl.CERT_REQUIRED
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._answer = answer
        self.url = f"https://127.0.0.1:{self._listening.getsockname()[1]}/ADS/APIWebService/v7"
        self.requests: list[bytes] = []
        self.versions: list[str | None] = []
        self.answered = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                raw, _peer = self._listening.accept()
            except OSError:
                return
            with contextlib.suppress(OSError), self._context.wrap_socket(raw, server_side=True) as connection:
                self.versions.append(connection.version())
                self.requests.append(read_request(connection))
                self._answer(connection)
                self.answered += 1

    def close(self) -> None:
        self._listening.close()


def read_request(connection: ssl.SSLSocket) -> bytes:
    received = b""
    while b"</soap:Envelope>" not in received:
        received += connection.recv(65536)
    return received


@contextlib.contextmanager
def asking(
    keys: Keys, answer: Callable[[ssl.SSLSocket], None], url: str = "", namespace: str = NAMESPACE, **settings: object
) -> Iterator[tuple[AdsConnection, Server]]:
    server = Server(keys, answer)
    at = AdsAddress(url or server.url, f"{url or server.url}/response", namespace)
    given = {
        "certificate_file": keys.client,
        "ca_file": keys.authority,
        "timeout_s": 1.0,
        "max_reply_bytes": 10 * MB,
    } | settings
    source = AdsConnection(at, clock=lambda: NOW, **given)  # type: ignore[arg-type]
    try:
        yield source, server
    finally:
        source.close()
        server.close()


def whole(body: bytes, more: bytes = b"") -> bytes:
    return HEAD + more + b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_a_question_is_soap_with_its_parameter_escaped_and_the_reply_comes_as_it_is(keys: Keys) -> None:
    with asking(keys, lambda connection: connection.sendall(whole(b"<any/>"))) as (source, server):
        reply = source.fetch(QUESTION)
    assert (reply.status, reply.body, reply.question) == (200, b"<any/>", QUESTION)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert b'SOAPAction: ""' in head
    assert b'<getDispatchBatch xmlns="urn-com-caiso-ads-webservices-api"><batchUID>B&lt;1&gt;</batchUID>' in body
    assert server.versions == ["TLSv1.3"]


def test_the_namespace_can_be_chosen(keys: Keys) -> None:
    with asking(keys, lambda connection: connection.sendall(whole(b"")), namespace="urn:v9") as (source, server):
        source.fetch(QUESTION)
    assert b'<getDispatchBatch xmlns="urn:v9">' in server.requests[0]


def test_a_date_tells_how_far_caiso_s_clock_is_from_ours(keys: Keys) -> None:
    date = b"Date: Sun, 01 Mar 2026 12:00:07 GMT\r\n"
    with asking(keys, lambda connection: connection.sendall(whole(b"", date))) as (source, _server):
        offset_s = source.fetch(QUESTION).clock_offset_s
    assert offset_s == pytest.approx(7.5, abs=0.5)
    for more in (b"", b"Date: yesterday\r\n"):
        with asking(keys, lambda connection, m=more: connection.sendall(whole(b"", m))) as (source, _server):  # type: ignore[misc]
            assert source.fetch(QUESTION).clock_offset_s is None


def test_another_status_comes_with_its_body_and_a_redirection_is_not_followed(keys: Keys) -> None:
    for status in (b"500 Error", b"302 Found\r\nLocation: https://127.0.0.1:1/"):
        reply_bytes = b"HTTP/1.1 " + status + b"\r\nContent-Length: 2\r\n\r\nno"
        with asking(keys, lambda connection, r=reply_bytes: connection.sendall(r)) as (source, _server):  # type: ignore[misc]
            reply = source.fetch(QUESTION)
        assert (reply.status, reply.body) == (int(status[:3]), b"no")


def silent(connection: ssl.SSLSocket) -> None:
    connection.recv(1)


def stuck(connection: ssl.SSLSocket) -> None:
    connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nhalf")
    connection.recv(1)


def dripping(connection: ssl.SSLSocket) -> None:
    connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n")
    for _ in range(1000):
        connection.sendall(b".")
        time.sleep(0.05)


def dripping_its_header(connection: ssl.SSLSocket) -> None:
    connection.sendall(HEAD + b"X-Padding: ")
    for _ in range(1000):
        connection.sendall(b".")
        time.sleep(0.05)


def dripping_headers(connection: ssl.SSLSocket) -> None:
    connection.sendall(HEAD)
    for _ in range(1000):
        connection.sendall(b"X: y\r\n")
        time.sleep(0.05)


def cut(connection: ssl.SSLSocket) -> None:
    connection.sendall(HEAD + b"Content-Length: 100\r\n\r\nhalf")


def cut_in_chunks(connection: ssl.SSLSocket) -> None:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n")


def hung_up(connection: ssl.SSLSocket) -> None:
    connection.close()


def reset(connection: ssl.SSLSocket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def said_good_bye(connection: ssl.SSLSocket) -> None:
    connection.unwrap()


def nonsense(connection: ssl.SSLSocket) -> None:
    connection.sendall(b"I am no web server\r\n\r\n")


def pouring(connection: ssl.SSLSocket) -> None:
    connection.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    while True:
        connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


@pytest.mark.parametrize(
    ("answer", "expected", "content"),
    [
        (silent, TimedOut, None),
        (stuck, TimedOut, b"half"),
        (cut, CutShort, b"half"),
        (cut_in_chunks, CutShort, b"half"),
        (hung_up, HungUp, None),
        (nonsense, Unreachable, None),
    ],
)
def test_each_broken_reply_is_one_exception_with_the_bytes_that_came(
    keys: Keys, answer: Callable[[ssl.SSLSocket], None], expected: type[AdsFailure], content: bytes | None
) -> None:
    with asking(keys, answer) as (source, _server), pytest.raises(AdsFailure) as raised:
        source.fetch(QUESTION)
    assert type(raised.value) is expected
    assert raised.value.content == content
    assert raised.value.question == QUESTION


def test_a_reply_that_drips_is_cut_off_at_the_time_out_as_a_whole(keys: Keys) -> None:
    with asking(keys, dripping) as (source, server):
        with pytest.raises(TimedOut, match="not complete"):
            source.fetch(QUESTION)
        assert server.answered == 0, "still dripping"


@pytest.mark.parametrize("answer", [dripping_its_header, dripping_headers])
def test_a_header_that_drips_is_cut_off_at_the_time_out_as_a_whole(keys: Keys, answer: Callable[[ssl.SSLSocket], None]) -> None:
    with asking(keys, answer) as (source, server):
        with pytest.raises(TimedOut, match="no reply within 1 s"):
            source.fetch(QUESTION)
        assert server.answered == 0, "still dripping"


def test_a_question_with_less_time_than_others_is_cut_off_at_its_own(keys: Keys) -> None:
    question = replace(QUESTION, within_s=0.5)
    with asking(keys, dripping_headers, timeout_s=20.0) as (source, _server):
        with pytest.raises(TimedOut, match=r"no reply within 0\.5 s"):
            source.fetch(question)
        with pytest.raises(TimedOut, match=r"no reply within 0\.7 s"):
            source.fetch(replace(question, within_s=0.7))


def test_a_server_that_does_not_finish_the_handshake_is_left_at_the_time_out(keys: Keys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/"
        with asking(keys, silent, url=url) as (source, _server), pytest.raises(TimedOut):
            source.fetch(QUESTION)


def test_a_name_that_is_not_resolved_in_time_ends_the_question(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    over, given_up = threading.Event(), threading.Event()

    def resolving(*_args: object, **_named: object) -> list[object]:
        if not over.wait(60):
            given_up.set()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolving)
    with asking(keys, silent) as (source, _server), pytest.raises(TimedOut):
        source.fetch(QUESTION)
    assert not given_up.is_set(), "still resolving"
    over.set()


def test_a_reply_without_end_is_cut_off_at_the_bound(keys: Keys) -> None:
    with asking(keys, pouring, max_reply_bytes=MB, timeout_s=20.0) as (source, _server), pytest.raises(Oversized) as raised:
        source.fetch(QUESTION)
    assert raised.value.content is not None
    assert len(raised.value.content) < 1.2 * 1024 * 1024


def test_after_a_failure_the_next_question_is_asked_on_a_new_connection(keys: Keys) -> None:
    replies = iter([HEAD + b"Content-Length: 100\r\n\r\nhalf", whole(b"good")])
    with asking(keys, lambda connection: connection.sendall(next(replies))) as (source, _server):
        with pytest.raises(CutShort):
            source.fetch(QUESTION)
        assert source.fetch(QUESTION).body == b"good"


def test_after_it_let_go_of_the_connection_the_next_question_is_asked_on_a_new_one(keys: Keys) -> None:
    connections: list[ssl.SSLSocket] = []

    def answer(connection: ssl.SSLSocket) -> None:
        connections.append(connection)
        connection.sendall(whole(b"good"))

    with asking(keys, answer) as (source, _server):
        for _ in range(2):
            assert source.fetch(QUESTION).body == b"good"
            source.close()
    assert len(set(map(id, connections))) == 2


def test_nobody_listening_is_unreachable_with_a_cause_that_reads_the_same_each_time(keys: Keys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with asking(keys, silent, url=f"https://127.0.0.1:{port}/") as (source, _server):
        causes = set()
        for _ in range(2):
            with pytest.raises(Unreachable) as raised:
                source.fetch(QUESTION)
            causes.add(str(raised.value))
    assert len(causes) == 1
    assert "refused" in causes.pop()


@pytest.mark.parametrize("answer", [silent, stuck, cut, hung_up, nonsense])
def test_what_was_asked_may_have_been_done_whatever_then_went_wrong(
    keys: Keys, answer: Callable[[ssl.SSLSocket], None]
) -> None:
    with asking(keys, answer) as (source, _server), pytest.raises(AdsFailure) as raised:
        source.fetch(QUESTION)
    assert not raised.value.is_unsent


def test_what_found_no_connection_was_certainly_not_asked(keys: Keys, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        nobody = f"https://127.0.0.1:{taken.getsockname()[1]}/"
    elsewhere, over = Keys.made_in(tmp_path), threading.Event()
    for named in ({"url": nobody}, {"ca_file": elsewhere.authority}, {"url": "https://no-such-host.invalid/"}, {}):
        if not named:
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: [over.wait(10)][:0])
        with asking(keys, silent, **named) as (source, _server), pytest.raises(AdsFailure) as raised:
            source.fetch(QUESTION)
        assert raised.value.is_unsent, str(raised.value)
    over.set()


def test_a_server_of_another_authority_is_not_trusted(keys: Keys, tmp_path: Path) -> None:
    elsewhere = Keys.made_in(tmp_path)
    with asking(keys, silent, ca_file=elsewhere.authority) as (source, server), pytest.raises(TlsRefused) as raised:
        source.fetch(QUESTION)
    assert server.requests == []
    assert (raised.value.problem, raised.value.file) == (TlsProblem.SERVER_NOT_TRUSTED, elsewhere.authority)
    assert str(raised.value) == (
        "getDispatchBatch(B<1>): TLS refused: no authority that is trusted here stands for the server's certificate "
        "(self-signed certificate in certificate chain): put the root and the issuing CA of the server into "
        f"{elsewhere.authority}"
    )


def test_public_authorities_are_not_trusted_beside_the_ones_that_are_named(
    keys: Keys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = Keys.made_in(tmp_path)
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", str(keys.authority))
    with asking(keys, silent, ca_file=elsewhere.authority) as (source, _server), pytest.raises(TlsRefused):
        source.fetch(QUESTION)


@dataclass(frozen=True)
class Certificates:
    """An authority that issues what a test needs, each time to one file."""

    folder: Path
    authority: trustme.CA = field(default_factory=trustme.CA)

    def ca_file(self) -> Path:
        self.authority.cert_pem.write_to_path(self.folder / "ca.pem")
        return self.folder / "ca.pem"

    def issued(self, name: str, identity: str = "127.0.0.1", not_after: datetime | None = None) -> Path:
        not_before = not_after - timedelta(days=400) if not_after else None
        certificate = self.authority.issue_cert(identity, not_before=not_before, not_after=not_after)
        certificate.private_key_and_cert_chain_pem.write_to_path(self.folder / f"{name}.pem")
        return self.folder / f"{name}.pem"


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return Certificates(tmp_path)


def refusal(certificates: Certificates, server: Path, client: Path) -> tuple[TlsProblem, Path | None, str]:
    """What somebody is told whose certificate, or whose server's, is not accepted."""
    keys = Keys(certificates.ca_file(), server, client, client, client, client)
    with asking(keys, silent) as (source, _server), pytest.raises(TlsRefused) as raised:
        source.fetch(QUESTION)
    return raised.value.problem, raised.value.file, str(raised.value).partition("TLS refused: ")[2]


def test_a_server_whose_certificate_has_expired_is_refused_with_a_line_that_says_so(certificates: Certificates) -> None:
    server = certificates.issued("server", not_after=datetime(2026, 1, 1, tzinfo=UTC))
    problem, file, told = refusal(certificates, server, certificates.issued("client", "client"))
    assert (problem, file) == (TlsProblem.SERVER_EXPIRED, None)
    assert "certificate has expired" in told
    assert "see that this machine's clock is right" in told


def test_a_server_of_another_name_is_refused_with_a_line_that_says_so(certificates: Certificates) -> None:
    server = certificates.issued("server", "ads.example.com")
    problem, file, told = refusal(certificates, server, certificates.issued("client", "client"))
    assert (problem, file) == (TlsProblem.SERVER_OF_ANOTHER_NAME, None)
    assert told.endswith("correct the address")


def test_a_client_that_the_server_does_not_know_is_told_its_file(certificates: Certificates, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    stranger = Certificates(tmp_path / "elsewhere").issued("stranger", "client")
    problem, file, told = refusal(certificates, certificates.issued("server"), stranger)
    assert (problem, file) == (TlsProblem.CLIENT_NOT_ACCEPTED, stranger)
    assert f"see that {stranger} was issued for this server and not withdrawn" in told


def test_a_client_whose_certificate_has_expired_is_told_its_file(certificates: Certificates) -> None:
    client = certificates.issued("client", "client", not_after=datetime(2026, 1, 1, tzinfo=UTC))
    problem, file, told = refusal(certificates, certificates.issued("server"), client)
    assert (problem, file) == (TlsProblem.CLIENT_EXPIRED, client)
    assert told.endswith(f"put a renewed certificate into {client}")


@pytest.mark.parametrize("answer", [hung_up, reset, said_good_bye])
def test_who_hangs_up_without_a_word_may_mean_the_certificate_and_its_file_is_told(
    keys: Keys, answer: Callable[[ssl.SSLSocket], None]
) -> None:
    with asking(keys, answer) as (source, _server), pytest.raises(HungUp) as raised:
        source.fetch(QUESTION)
    assert raised.value.file == keys.client
    assert f"see that {keys.client} was issued for it and has not ended" in str(raised.value)


def test_a_port_that_speaks_no_tls_is_told_as_a_wrong_address(keys: Keys) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _peer = listening.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/"
        with asking(keys, silent, url=url) as (source, _server), pytest.raises(TlsRefused) as raised:
            source.fetch(QUESTION)
    assert raised.value.problem is TlsProblem.NO_COMMON_TLS


def good(connection: ssl.SSLSocket) -> None:
    connection.sendall(whole(b"good", b"Connection: close\r\n"))


def test_a_renewed_certificate_is_shown_from_the_next_question_on(certificates: Certificates) -> None:
    shown: list[bytes | None] = []

    def answer(connection: ssl.SSLSocket) -> None:
        shown.append(connection.getpeercert(binary_form=True))
        good(connection)

    client = certificates.issued("client", "client")
    keys = Keys(certificates.ca_file(), certificates.issued("server"), client, client, client, client)
    with asking(keys, answer) as (source, _server):
        source.fetch(QUESTION)
        source.fetch(QUESTION)
        certificates.issued("client", "client")
        assert source.fetch(QUESTION).body == b"good"
    assert shown[0] == shown[1] != shown[2]


def test_a_renewal_that_cannot_be_used_is_told_and_the_old_certificate_serves_until_it_can(certificates: Certificates) -> None:
    client = certificates.issued("client", "client")
    keys = Keys(certificates.ca_file(), certificates.issued("server"), client, client, client, client)
    with asking(keys, good) as (source, _server):
        assert source.not_renewed is None
        client.write_text("half a file")
        assert source.fetch(QUESTION).body == b"good"
        assert source.not_renewed is not None
        certificates.issued("client", "client")
        assert source.fetch(QUESTION).body == b"good"
        assert source.not_renewed is None


@pytest.mark.parametrize("file", ["trusted.pem", "client.pem"])
@pytest.mark.parametrize("spoilt", [None, b"", b"half a file"])
def test_while_a_file_is_gone_or_half_written_new_connections_are_made_with_what_was_in_it(
    certificates: Certificates, keys: Keys, tmp_path: Path, file: str, spoilt: bytes | None
) -> None:
    (tmp_path / "trusted.pem").write_bytes(keys.authority.read_bytes())
    (tmp_path / "client.pem").write_bytes(keys.client.read_bytes())
    files = {"ca_file": tmp_path / "trusted.pem", "certificate_file": tmp_path / "client.pem"}
    with asking(keys, good, **files) as (source, _server):  # type: ignore[arg-type]
        (tmp_path / file).unlink()
        if spoilt is not None:
            (tmp_path / file).write_bytes(spoilt)
        for _ in range(2):
            assert source.fetch(QUESTION).body == b"good"
        assert str(tmp_path / file) in (source.not_renewed or "")


def test_a_new_authority_is_trusted_from_the_next_question_on(certificates: Certificates, keys: Keys, tmp_path: Path) -> None:
    trusted = tmp_path / "trusted.pem"
    trusted.write_bytes(certificates.ca_file().read_bytes())
    with asking(keys, good, ca_file=trusted) as (source, _server):
        with pytest.raises(TlsRefused):
            source.fetch(QUESTION)
        trusted.write_bytes(keys.authority.read_bytes())
        assert source.fetch(QUESTION).body == b"good"


def test_what_the_environment_says_of_proxies_and_authorities_does_not_count(
    keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/not/there.pem")
    with asking(keys, lambda connection: connection.sendall(whole(b"good"))) as (source, _server):
        assert source.fetch(QUESTION).body == b"good"


def test_tls_below_1_2_is_never_offered(keys: Keys) -> None:
    hello = b""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://127.0.0.1:{listening.getsockname()[1]}/"
        with asking(keys, silent, url=url) as (source, _server):
            asker = threading.Thread(target=ask_in_vain, args=(source,))
            asker.start()
            connection, _peer = listening.accept()
            with connection:
                hello = connection.recv(65536)
            asker.join(10)
    versions = hello[hello.index(b"\x00\x2b") :][:20]
    assert b"\x03\x03" in versions
    assert b"\x03\x01" not in versions
    assert b"\x03\x02" not in versions


def ask_in_vain(source: AdsConnection) -> None:
    with contextlib.suppress(AdsFailure):
        source.fetch(QUESTION)
