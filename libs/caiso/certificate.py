"""The participant's client certificate: whether it can be used, and how long it lasts.

It alone needs the package cryptography.
"""

from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key

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
        raise CertificateUnusable(f"{path}: the key is encrypted; nobody is there to be asked for its password") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateUnusable(f"{path}: no private key in PEM form") from error
    if key.public_key() != certificate.public_key():
        raise CertificateUnusable(f"{path}: the key does not belong to the certificate in {certificate_file}")
    return certificate.not_valid_after_utc


def days_left(expires_at: datetime, now: datetime) -> float:
    """Days until a certificate ends; below zero when it has."""
    return (expires_at - now).total_seconds() / _DAY_S


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
