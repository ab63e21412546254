from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from caiso.certificate import CertificateUnusable, days_left, read_expiry


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    """ca.pem, client.pem with its key, cert.pem and key.pem apart, other.pem: somebody else's key."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client, other = authority.issue_cert("client"), authority.issue_cert("other")
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    client.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    client.private_key_pem.write_to_path(tmp_path / "key.pem")
    other.private_key_pem.write_to_path(tmp_path / "other.pem")
    key = load_pem_private_key(client.private_key_pem.bytes(), None)
    locked = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    (tmp_path / "locked.pem").write_bytes(locked)
    return tmp_path


def test_certificate_and_key_may_be_in_one_file_or_two(pki: Path) -> None:
    expiry = read_expiry(pki / "client.pem", None)
    assert expiry == read_expiry(pki / "cert.pem", pki / "key.pem")
    assert expiry > datetime(2030, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("certificate", "key", "reason"),
    [
        ("cert.pem", None, "no private key"),
        ("cert.pem", "locked.pem", "is encrypted"),
        ("cert.pem", "other.pem", "does not belong"),
        ("key.pem", None, "no certificate"),
        ("none.pem", None, "cannot be read"),
    ],
)
def test_a_certificate_that_caiso_cannot_be_shown_is_refused(pki: Path, certificate: str, key: str | None, reason: str) -> None:
    with pytest.raises(CertificateUnusable, match=reason):
        read_expiry(pki / certificate, pki / key if key else None)


def test_days_left_go_below_zero() -> None:
    expires_at = datetime(2026, 3, 10, tzinfo=UTC)
    assert days_left(expires_at, datetime(2026, 3, 8, 12, tzinfo=UTC)) == 1.5
    assert days_left(expires_at, datetime(2026, 3, 12, tzinfo=UTC)) == -2.0
