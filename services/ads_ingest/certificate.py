"""The participant's client certificate: whether it can be used, and how long it lasts."""

from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from dotbus.runtime.logs import get_logger

SOON_DAYS = 30.0
"""From here on somebody has to ask CAISO for a new one."""
REMIND_EVERY = timedelta(days=1)
_DAY_S = 86400.0


class CertificateUnusable(Exception):
    """A certificate or key that CAISO cannot be shown; the text says what to do."""


def read_expiry(certificate_file: Path, key_file: Path | None) -> datetime:
    """When a certificate ends, after checking that its key belongs to it and needs no password.

    Raises:
        CertificateUnusable: a file is not there, is not PEM, or the two do not belong together.
    """
    certificate = _load_certificate(certificate_file)
    path = key_file or certificate_file
    try:
        key = load_pem_private_key(_read(path), password=None)
    except TypeError as error:
        raise CertificateUnusable(f"{path}: the key is encrypted; a service cannot be asked for its password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateUnusable(f"{path}: no private key in PEM form") from error
    if key.public_key() != certificate.public_key():
        raise CertificateUnusable(f"{path}: the key does not belong to the certificate in {certificate_file}")
    return certificate.not_valid_after_utc


def days_left(expires_at: datetime, now: datetime) -> float:
    """Days until a certificate ends; below zero when it has."""
    return (expires_at - now).total_seconds() / _DAY_S


class ExpiryReminder:
    """Warns of a certificate that ends soon, at the start and then daily.

    Args:
        expires_at: when it ends.
    """

    def __init__(self, expires_at: datetime) -> None:
        self._expires_at = expires_at
        self._reminded_at: datetime | None = None
        self._log = get_logger("certificate")

    def remind(self, now: datetime) -> None:
        """Warn, if it is time to."""
        left = days_left(self._expires_at, now)
        if left > SOON_DAYS or (self._reminded_at and now - self._reminded_at < REMIND_EVERY):
            return
        self._reminded_at = now
        ends = {"expires_at": self._expires_at.isoformat(), "days_left": round(left, 1), "next": "install a new one, restart"}
        if left > 0:
            self._log.warning("the client certificate ends soon", **ends)
        else:
            self._log.error("the client certificate has ended; CAISO will refuse it", **ends)


def _load_certificate(path: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(_read(path))
    except ValueError as error:
        raise CertificateUnusable(f"{path}: no certificate in PEM form; a .pfx or .p12 must be converted first") from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateUnusable(f"{path} cannot be read: {error.strerror}") from error
