from datetime import UTC, datetime
from pathlib import Path

import pytest

from caiso.certificate import CertificateUnusable, days_left, read_expiry


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
