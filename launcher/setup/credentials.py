"""Certificates and keys as files: PKCS#12 in, PEM out, and what a PEM file says.

CAISO hands out client certificates as PKCS#12 (.pfx, .p12); programs want one PEM with key, certificate and chain.
"""

import os
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

from launcher.setup.authority import alternative_names

PRIVATE = 0o600
_DAY_S = 86_400


class CredentialRefused(Exception):
    """A file of certificates or keys that cannot be used; the message says why."""


@dataclass(frozen=True)
class CertificateFacts:
    """What matters about one certificate."""

    subject: str
    issuer: str
    names: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime
    has_key: bool
    """Whether the key in the same file belongs to it."""

    def days_left(self, now: datetime) -> float:
        """Days until it ends; negative when it has."""
        return (self.ends_at - now).total_seconds() / _DAY_S


def pem_of_pkcs12(content: bytes, password: str | None) -> bytes:
    """One PEM with the key (unencrypted), its certificate, then the chain.

    Raises:
        CredentialRefused: wrong password, not PKCS#12, or no key and certificate in it.
    """
    try:
        key, certificate, chain = pkcs12.load_key_and_certificates(content, password.encode() if password else None)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CredentialRefused("cannot be opened: the password is wrong, or it is not PKCS#12") from error
    if key is None or certificate is None:
        raise CredentialRefused("has no private key with its certificate: export it again, with the key")
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private + b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (certificate, *chain))


def describe_pem(content: bytes) -> list[CertificateFacts]:
    """Every certificate of a PEM, in its order.

    Raises:
        CredentialRefused: there is none, or one is damaged.
    """
    key = _public_part_of_key(content)
    return [_facts(certificate, key) for certificate in certificates_of(content)]


def certificates_of(content: bytes) -> list[x509.Certificate]:
    """The certificates of a PEM, in its order.

    Raises:
        CredentialRefused: there is none, or one is damaged.
    """
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise CredentialRefused(
            "is not a PEM with certificates; `dotbus certificates convert` makes one of a .pfx or .p12"
        ) from error


def require_key_and_certificate(content: bytes) -> None:
    """Refuse a PEM that is not one usable client credential: a key without passphrase and its certificate first.

    Raises:
        CredentialRefused: with what is missing.
    """
    if not describe_pem(content)[0].has_key:
        raise CredentialRefused("must begin with a private key without passphrase and the certificate that belongs to it")


def write_secret(path: Path, content: bytes, mode: int = PRIVATE, owner: int | None = None) -> bool:
    """Replace a file in one step, never readable by others in between. Returns False when it already says so.

    `owner`, a user and group id, shall own it; that needs the right to give files away.
    """
    if path.is_file() and path.read_bytes() == content and _is_kept_so(path, mode, owner):
        return False
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        if owner is not None:
            os.chown(temporary, owner, owner)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return True


def _is_kept_so(path: Path, mode: int, owner: int | None) -> bool:
    status = path.stat()
    return status.st_mode & 0o777 == mode and owner in {None, status.st_uid}


def _public_part_of_key(content: bytes) -> bytes | None:
    try:
        key = serialization.load_pem_private_key(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return _spki(key.public_key())


def _facts(certificate: x509.Certificate, key: bytes | None) -> CertificateFacts:
    return CertificateFacts(
        subject=certificate.subject.rfc4514_string(),
        issuer=certificate.issuer.rfc4514_string(),
        names=tuple(alternative_names(certificate)),
        begins_at=certificate.not_valid_before_utc.astimezone(UTC),
        ends_at=certificate.not_valid_after_utc.astimezone(UTC),
        has_key=key is not None and _spki(certificate.public_key()) == key,
    )


def _spki(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
