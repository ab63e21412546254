"""Modbus/TCP Security: who is let in and as whom, over bytes; no socket."""

import os
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modbus_device import Device
from modbus_frames import EXCHANGES, Exchange
from modbus_lines import Line, cut
from modbus_pki import DAY, Authority, client_context, utf8_string

from modbus_gateway.wire.admission import Reason
from modbus_gateway.wire.certificates import Unusable, holder_of, load_credentials
from modbus_gateway.wire.connection import Door
from modbus_gateway.wire.tls import LOOK_EVERY_S, Roles, Secured

ROLES = Roles(frozenset({"operator"}), frozenset({"viewer"}))
READ = bytes.fromhex("0001 0000 0006 01 03 0000 0002")
TWO = bytes.fromhex("0001 0000 0007 01 03 04 1000 1001")
WRITE = bytes.fromhex("0002 0000 0006 01 06 0001 abcd")
NO_FUNCTION = bytes.fromhex("0002 0000 0003 01 86 01")
READING = [one for one in EXCHANGES if not one.after and one.asked[0] in (1, 2, 3, 4, 0x2B, 0x64)]


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def operator(authority: Authority) -> Path:
    return authority.client("operator", "operator")


@pytest.fixture
def device() -> Device:
    return Device()


def at_once(act: Callable[[], None]) -> bool:
    """A look that ends before anything else happens."""
    act()
    return True


class TlsLine(Line):
    """A client that speaks TLS."""

    def __init__(self, authority: Authority, context: ssl.SSLContext, device: Device, roles: Roles = ROLES) -> None:
        self.clock_s, self.now = 0.0, now()
        self.secured = Secured(authority.files(), roles, lambda: self.now, lambda: self.clock_s, at_once)
        super().__init__(Door(securing=self.secured), device.served)
        self.from_server, self.to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.from_server, self.to_server, server_hostname="127.0.0.1")

    def shake_hands(self) -> "TlsLine":
        for _ in range(6):
            try:
                self.tls.do_handshake()
            except ssl.SSLWantReadError:
                self.pump()
            else:
                break
        self.pump()
        return self

    def pump(self, places: tuple[int, ...] = ()) -> None:
        """What is under way reaches the other side, in segments."""
        self.say(*cut(self.to_server.read(), places))
        self.from_server.write(self.hear())

    def ask_tls(self, content: bytes, places: tuple[int, ...] = ()) -> bytes:
        self.tls.write(content)
        self.pump(places)
        heard = bytearray()
        try:
            while part := self.tls.read(16384):
                heard += part
        except ssl.SSLWantReadError:
            pass
        return bytes(heard)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_with_a_certificate_is_served(authority: Authority, operator: Path, device: Device, version: ssl.TLSVersion):
    line = TlsLine(authority, client_context(authority.file, operator, version), device).shake_hands()
    assert line.tls.version() == version.name.replace("_", ".")
    assert line.ask_tls(READ) == TWO
    assert line.ask_tls(WRITE) == WRITE


def test_who_writes_is_named_by_its_certificate(authority: Authority, operator: Path, device: Device):
    line = TlsLine(authority, client_context(authority.file, operator), device).shake_hands()
    line.ask_tls(WRITE)
    (client,) = device.writes
    assert (client.address, client.subject, client.role) == ("10.0.0.9", "CN=operator", "operator")


@pytest.mark.parametrize("role", ["viewer", "janitor", None, "OPERATOR", b"\x0c\x09operator", b"\x13\x08operator"])
def test_whatever_role_is_not_one_that_writes_reads_only(authority: Authority, device: Device, role: str | bytes | None):
    client = authority.client("reader", role)
    line = TlsLine(authority, client_context(authority.file, client), device).shake_hands()
    assert line.ask_tls(READ) == TWO
    assert line.ask_tls(WRITE) == NO_FUNCTION
    assert device.writes == []


@pytest.mark.parametrize(("role", "is_let_in"), [("operator", True), ("viewer", True), ("janitor", False), (None, False)])
def test_other_roles_are_refused_where_that_is_configured(
    authority: Authority, device: Device, role: str | None, *, is_let_in: bool
):
    strict = Roles(ROLES.read_write, ROLES.read_only, others_may_read=False)
    context = client_context(authority.file, authority.client("somebody", role))
    line = TlsLine(authority, context, device, strict).shake_hands()
    assert line.ask_tls(READ) == (TWO if is_let_in else b"")
    assert line.host.reasons == ([] if is_let_in else [Reason.ROLE])
    assert line.transport.is_closed is not is_let_in
    assert is_let_in or line.host.details == [f"CN=somebody: {role or 'no role'}"]


def refusal(line: TlsLine) -> tuple[list[Reason], str]:
    """Why a client was not let in."""
    try:
        line.shake_hands()
        line.ask_tls(READ)
    except ssl.SSLError:
        pass
    assert line.transport.is_closed
    assert not line.connection.has_asked
    return line.host.reasons, line.host.details[-1]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_whose_certificate_we_do_not_trust_is_refused_and_told_why(
    authority: Authority, device: Device, tmp_path: Path, version: ssl.TLSVersion
):
    stranger = Authority(tmp_path, "stranger").client()
    ended, to_come = authority.client("ended", ends_in=-DAY / 2), authority.client("to come", begins_in=DAY)
    told = {
        None: "peer did not return a certificate",
        stranger: "unable to get local issuer certificate",
        ended: "certificate has expired",
        to_come: "certificate is not yet valid",
        authority.server("a server"): "unsuitable certificate purpose",
    }
    for certificate, detail in told.items():
        line = TlsLine(authority, client_context(authority.file, certificate, version), device)
        reasons, said = refusal(line)
        assert (reasons, said.replace("unsupported", "unsuitable")) == ([Reason.CERTIFICATE], detail), certificate


def test_what_is_no_tls_is_closed(authority: Authority, operator: Path, device: Device):
    for garbage in (READ, b"GET / HTTP/1.1\r\n\r\n", bytes(100), b"\x16\x03\x01\xff\xff" + b"\xff" * 300):
        line = TlsLine(authority, client_context(authority.file, operator), device)
        line.say(garbage)
        assert (line.transport.is_closed, line.host.reasons) == (True, [Reason.NO_TLS])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=300), max_size=6), st.booleans())
def test_no_garbage_before_or_after_the_handshake_is_an_error_of_ours(
    authority: Authority,
    operator: Path,
    chunks: list[bytes],
    after: bool,  # noqa: FBT001
):
    line = TlsLine(authority, client_context(authority.file, operator), Device())
    if after:
        line.shake_hands()
    line.say(*chunks)
    assert not line.connection.has_asked
    assert line.host.reasons in ([], [Reason.NO_TLS])


def test_a_handshake_that_never_ends_is_known_from_its_beginning(authority: Authority, operator: Path, device: Device):
    line = TlsLine(authority, client_context(authority.file, operator), device)
    with pytest.raises(ssl.SSLWantReadError):
        line.tls.do_handshake()
    hello = line.to_server.read()
    for byte in hello[:20]:
        line.host.now_s += 1
        line.say(bytes((byte,)))
    assert (line.connection.is_in_handshake, line.connection.unfinished_since_s) == (True, 1000.0)
    line.say(hello[20:])
    line.from_server.write(line.hear())
    line.shake_hands()
    assert (line.connection.is_in_handshake, line.connection.unfinished_since_s) == (False, None)


def test_a_client_whose_certificate_ends_while_it_is_connected_is_let_in_no_longer(authority: Authority, device: Device):
    context = client_context(authority.file, authority.client("brief", "operator", ends_in=DAY))
    line = TlsLine(authority, context, device).shake_hands()
    assert (line.ask_tls(READ), line.connection.has_certificate_ended) == (TWO, False)
    line.now += DAY
    assert line.connection.has_certificate_ended
    assert not Line().connection.has_certificate_ended, "of who has none"


def test_a_client_whose_certificate_has_ended_is_answered_nothing_more_though_nobody_has_looked_at_it(
    authority: Authority, device: Device
):
    context = client_context(authority.file, authority.client("brief", "operator", ends_in=DAY))
    line = TlsLine(authority, context, device).shake_hands()
    line.now += DAY
    line.tls.write(WRITE)
    line.say(line.to_server.read())
    assert (line.hear(), line.transport.is_closed, line.host.reasons) == (b"", True, [Reason.CERTIFICATE])


def test_a_client_that_says_goodbye_is_closed_without_a_word(authority: Authority, operator: Path, device: Device):
    line = TlsLine(authority, client_context(authority.file, operator), device).shake_hands()
    with pytest.raises(ssl.SSLWantReadError):
        line.tls.unwrap()
    line.pump()
    assert (line.transport.is_closed, line.host.reasons) == (True, [])


def test_no_tls_below_1_2_is_spoken(authority: Authority):
    context = load_credentials(authority.files(), now()).context
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(READING), min_size=1, max_size=40), st.lists(st.integers(0), max_size=10))
def test_any_split_of_any_frames_gives_the_same_replies_inside_tls(
    authority: Authority, operator: Path, exchanges: list[Exchange], places: list[int]
):
    line = TlsLine(authority, client_context(authority.file, operator), Device()).shake_hands()
    packed = [(i.to_bytes(2, "big") + b"\0\0", bytes((one.unit_id,))) for i, one in enumerate(exchanges)]
    asked = b"".join(
        head + (len(one.asked) + 1).to_bytes(2, "big") + unit + one.asked
        for (head, unit), one in zip(packed, exchanges, strict=True)
    )
    answered = b"".join(
        head + (len(one.answered) + 1).to_bytes(2, "big") + unit + one.answered
        for (head, unit), one in zip(packed, exchanges, strict=True)
    )
    assert line.ask_tls(asked, tuple(places)) == answered


def test_a_renewed_certificate_is_shown_to_the_next_client_without_a_restart(tmp_path: Path, device: Device):
    authority = Authority(tmp_path)
    line = TlsLine(authority, client_context(authority.file, authority.client()), device)
    before = line.secured.credentials
    authority.server(ends_in=90 * DAY)
    line.secured.channel()
    assert line.secured.credentials is before, "not looked at with each connection"
    line.clock_s += LOOK_EVERY_S
    line.secured.channel()
    assert (line.secured.credentials.certificate_ends_at - now()).days == 89


def test_a_renewal_that_cannot_be_used_leaves_the_old_one_in_force_until_it_is_mended(tmp_path: Path, device: Device):
    authority = Authority(tmp_path)
    line = TlsLine(authority, client_context(authority.file, authority.client()), device)
    before, file = line.secured.credentials, tmp_path / "gateway.pem"
    whole = authority.server(ends_in=90 * DAY).read_bytes()
    for spoilt in (whole[: len(whole) // 2], b"", authority.server(ends_in=-DAY / 2).read_bytes()):
        file.write_bytes(spoilt)
        line.clock_s += LOOK_EVERY_S
        line.secured.channel()
        assert line.secured.credentials is before
    file.unlink()
    line.clock_s += LOOK_EVERY_S
    line.secured.channel()
    assert line.secured.credentials is before
    file.write_bytes(whole)
    os.utime(file, ns=(1, 1))
    line.clock_s += LOOK_EVERY_S
    line.secured.channel()
    assert line.secured.credentials is not before


class Mount:
    """Where the files are: while it is gone looks at them hang, and go on when it is back."""

    def __init__(self) -> None:
        self.looks: list[Callable[[], None]] = []
        self.is_gone = False

    def look_aside(self, act: Callable[[], None]) -> bool:
        if self.is_gone:
            self.looks.append(act)
        else:
            act()
        return True

    def come_back(self, *order: int) -> None:
        self.is_gone = False
        for i in order:
            self.looks[i]()


@pytest.fixture
def mount() -> Mount:
    return Mount()


def secured_on(mount: Mount, line: TlsLine, authority: Authority) -> Secured:
    return Secured(authority.files(), ROLES, lambda: line.now, lambda: line.clock_s, mount.look_aside)


def test_looks_that_hang_come_less_and_less_often_and_the_certificate_stays(tmp_path: Path, device: Device, mount: Mount):
    authority = Authority(tmp_path)
    line = TlsLine(authority, client_context(authority.file, authority.client()), device)
    secured, mount.is_gone = secured_on(mount, line, authority), True
    before = secured.credentials
    for _ in range(1200):
        line.clock_s += 1
        secured.channel()
    assert len(mount.looks) == 7  # after 5, 10, 20, 40, 80, 160 and 320 s
    assert secured.credentials is before


def test_a_look_that_hung_and_saw_less_than_a_later_one_changes_nothing(tmp_path: Path, device: Device, mount: Mount):
    authority = Authority(tmp_path)
    line = TlsLine(authority, client_context(authority.file, authority.client()), device)
    secured, mount.is_gone = secured_on(mount, line, authority), True
    for seconds in (LOOK_EVERY_S, 2 * LOOK_EVERY_S):
        line.clock_s += seconds
        secured.channel()
    authority.server(ends_in=90 * DAY)
    mount.come_back(1)
    renewed = secured.credentials
    authority.server(ends_in=30 * DAY)
    mount.come_back(0)
    assert (renewed.certificate_ends_at - now()).days == 89
    assert secured.credentials is renewed
    line.clock_s += LOOK_EVERY_S
    secured.channel()
    assert (secured.credentials.certificate_ends_at - now()).days == 29


@pytest.mark.parametrize(
    ("der", "role"),
    [
        (utf8_string("operator"), "operator"),
        (utf8_string("größe"), "größe"),
        (utf8_string(""), None),
        (b"", None),
        (b"\x0c", None),
        (b"\x0c\x05abc", None),
        (b"\x0c\x03abcd", None),
        (b"\x0c\x02\xff\xfe", None),
        (b"\x13\x03abc", None),
        (b"\x0c\x81\x03abc", None),
    ],
)
def test_a_role_is_one_utf8_string_and_nothing_else_is_one(authority: Authority, der: bytes, role: str | None):
    pem = authority.client("holder", der).read_text()
    certificate = ssl.PEM_cert_to_DER_cert(pem[pem.index("-----BEGIN CERTIFICATE") :])
    holder = holder_of(certificate)
    assert (holder.subject, holder.role) == ("CN=holder", role)


@pytest.mark.parametrize("names", ["3006a30481024141", "300387010a", "30038201ff"])
def test_names_that_are_not_known_or_no_names_leave_a_client_without_a_role(authority: Authority, device: Device, names: str):
    """An ediPartyName, an address of one byte, and a name that is no ASCII."""
    client = authority.client("named", "operator", names=bytes.fromhex(names))
    line = TlsLine(authority, client_context(authority.file, client), device).shake_hands()
    assert line.ask_tls(READ) == TWO
    assert line.ask_tls(WRITE) == NO_FUNCTION


def test_files_that_no_server_can_run_with_are_named_with_their_setting(authority: Authority, tmp_path: Path):
    good, other = authority.server(), authority.server("other")
    text = tmp_path / "text.pem"
    text.write_text("no certificate")
    bare = tmp_path / "bare.pem"
    pem = good.read_text()
    bare.write_text(pem[pem.index("-----BEGIN CERTIFICATE") :])
    ended, to_come = authority.server("ended", ends_in=-DAY / 2), authority.server("to come", begins_in=DAY)
    wrong = {
        ("certificate_file", f"{tmp_path / 'absent.pem'} cannot be read: No such file"): (tmp_path / "absent.pem", None, None),
        ("certificate_file", f"{text}: no certificate in PEM form"): (text, None, None),
        ("certificate_file", f"{ended}: the certificate ended at 20"): (ended, None, None),
        ("certificate_file", f"{to_come}: the certificate begins only at 20"): (to_come, None, None),
        ("key_file", f"{other}: belongs to another certificate than {good}"): (good, other, None),
        ("key_file", f"{bare}: no key in PEM form"): (bare, None, None),
        ("key_file", f"{text}: no key in PEM form"): (good, text, None),
        ("client_ca_file", f"{text}: no certificate in PEM form"): (good, None, text),
        ("client_ca_file", f"{ended}: the certificate ended at 20"): (good, None, ended),
    }
    for (setting, reason), (certificate, key, client_ca) in wrong.items():
        with pytest.raises(Unusable) as refused:
            load_credentials(type(authority.files())(certificate, key, client_ca or authority.file), now())
        assert (refused.value.setting, str(refused.value)[: len(reason)]) == (setting, reason)
