import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from launcher.setup.authority import Authority
from launcher.setup.credentials import (
    CredentialRefused,
    describe_pem,
    pem_of_pkcs12,
    require_key_and_certificate,
    write_secret,
)

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
PASSWORD = "from the registration e-mail"


def as_pkcs12(pem: bytes, chain: bytes, password: str) -> bytes:
    return pkcs12.serialize_key_and_certificates(
        b"participant",
        serialization.load_pem_private_key(pem, None),  # type: ignore[arg-type]
        x509.load_pem_x509_certificate(pem),
        [x509.load_pem_x509_certificate(chain)],
        serialization.BestAvailableEncryption(password.encode()),
    )


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(NOW)


@pytest.fixture(scope="module")
def client(authority: Authority) -> bytes:
    return authority.issue_client("participant", NOW).pem


def test_a_pkcs12_becomes_one_pem_with_key_certificate_and_chain(authority: Authority, client: bytes):
    pfx = as_pkcs12(client, authority.issued.certificate, PASSWORD)

    pem = pem_of_pkcs12(pfx, PASSWORD)

    own, above = describe_pem(pem)
    assert pem.startswith(b"-----BEGIN PRIVATE KEY-----")
    assert (own.subject, own.has_key) == ("CN=participant", True)
    assert (above.subject, above.has_key) == (own.issuer, False)


def test_openssl_reads_the_converted_pem_as_the_same_key_and_certificate(tmp_path: Path, authority: Authority, client: bytes):
    pem = tmp_path / "participant.pem"
    pem.write_bytes(pem_of_pkcs12(as_pkcs12(client, authority.issued.certificate, PASSWORD), PASSWORD))

    of_key = subprocess.check_output(["openssl", "pkey", "-in", pem, "-pubout"])
    of_certificate = subprocess.check_output(["openssl", "x509", "-in", pem, "-noout", "-pubkey"])

    assert of_key == of_certificate


def test_a_wrong_password_is_told_without_a_trace_of_it(authority: Authority, client: bytes):
    pfx = as_pkcs12(client, authority.issued.certificate, PASSWORD)

    with pytest.raises(CredentialRefused, match="password is wrong") as refused:
        pem_of_pkcs12(pfx, "guess")

    assert "guess" not in str(refused.value)


def test_what_is_not_pkcs12_is_refused():
    with pytest.raises(CredentialRefused, match="not PKCS#12"):
        pem_of_pkcs12(b"a page that says you are not logged in", PASSWORD)


def test_a_pkcs12_without_the_key_is_refused(authority: Authority):
    certificate = x509.load_pem_x509_certificate(authority.issued.certificate)
    only_certificates = pkcs12.serialize_key_and_certificates(b"", None, None, [certificate], serialization.NoEncryption())

    with pytest.raises(CredentialRefused, match="no private key"):
        pem_of_pkcs12(only_certificates, None)


def test_a_certificate_with_somebody_elses_key_is_no_credential(authority: Authority, client: bytes):
    other = authority.issue_client("other", NOW)

    require_key_and_certificate(client)
    with pytest.raises(CredentialRefused, match="belongs to it"):
        require_key_and_certificate(other.key + authority.issue_client("participant", NOW).certificate)
    with pytest.raises(CredentialRefused, match="not a PEM"):
        require_key_and_certificate(b"environment = 'production'")


def test_days_left_count_to_the_end_and_below_zero_after_it(client: bytes):
    (facts,) = describe_pem(client)

    assert facts.days_left(facts.ends_at - timedelta(days=10, hours=12)) == pytest.approx(10.5)
    assert facts.days_left(facts.ends_at + timedelta(days=2)) == pytest.approx(-2)


def test_a_secret_is_readable_by_its_owner_only_and_replaces_a_looser_file(tmp_path: Path):
    path = tmp_path / "key.pem"
    path.write_bytes(b"secret")
    path.chmod(0o644)

    assert write_secret(path, b"secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not write_secret(path, b"secret"), "the second time there is nothing to do"
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]


def test_a_write_that_fails_leaves_the_file_and_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "key.pem"
    write_secret(path, b"before")
    monkeypatch.setattr("os.fsync", lambda _fd: (_ for _ in ()).throw(OSError(28, "No space left on device")))

    with pytest.raises(OSError, match="No space left"):
        write_secret(path, b"after")

    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["key.pem"]
