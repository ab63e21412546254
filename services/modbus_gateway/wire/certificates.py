"""Certificates of Modbus/TCP Security: ours, whom we trust to name clients, and the role in a client's.

The only door to the package cryptography.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from cryptography import x509

ROLE: Final = x509.ObjectIdentifier("1.3.6.1.4.1.50316.802.1")
"""Of the Modbus Organization: one UTF8String, in MODBUS/TCP Security V21, section 8.3."""

_NO_ROLE: Final = (x509.ExtensionNotFound, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, ValueError)
"""All extensions are read to find one: another one that is no DER, stands twice or names what is not known leaves no role."""
_UTF8_STRING: Final = 0x0C
_LENGTH_MOST: Final = 0x7F
"""Of a role, bytes: longer ones have another form in DER, and nobody has them."""
_DAY_S: Final = 86400.0


class Unusable(Exception):
    """Files that no TLS server can run with. `setting` is the one that names the file; the text names the file itself."""

    def __init__(self, setting: str, reason: str) -> None:
        super().__init__(reason)
        self.setting = setting


@dataclass(frozen=True)
class Files:
    """Where the certificates are, all PEM: ours, its key (None when both are in one file), and the authorities of clients."""

    certificate: Path
    key: Path | None
    client_ca: Path


@dataclass(frozen=True)
class Credentials:
    """What the files held, ready for use."""

    context: ssl.SSLContext
    certificate_ends_at: datetime
    client_ca_ends_at: datetime


@dataclass(frozen=True)
class Holder:
    """What a client's certificate says of who it is; `role` is None when it names none, or not as it should."""

    subject: str
    role: str | None
    ends_at: datetime


def load_credentials(files: Files, now: datetime) -> Credentials:
    """What the files hold.

    Raises:
        Unusable: one of them is not there, no PEM, not valid now, or key and certificate do not belong together.
    """
    certificate_ends_at = read_end(files.certificate, "certificate_file", now)
    client_ca_ends_at = read_end(files.client_ca, "client_ca_file", now)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    # No ticket, no second handshake: whoever connects shows its certificate as it is then.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET
    context.num_tickets = 0
    load_pair(context, files.certificate, files.key)
    context.load_verify_locations(files.client_ca)
    return Credentials(context, certificate_ends_at, client_ca_ends_at)


def read_end(path: Path, setting: str, now: datetime) -> datetime:
    """When the first certificate of a file ends; of several authorities, those that count now, the first to end.

    Raises:
        Unusable: there is none, or none that is valid.
    """
    found = _read(path, setting)
    counted = found[:1] if setting == "certificate_file" else found
    valid = [one for one in counted if one.not_valid_before_utc <= now < one.not_valid_after_utc]
    if not valid:
        raise Unusable(setting, f"{path}: {_why_not(counted[0], now)}")
    return min(one.not_valid_after_utc for one in valid)


def load_pair(context: ssl.SSLContext, certificate: Path, key: Path | None) -> None:
    """Our certificate and its key (None when both are in one file) into a context.

    Raises:
        Unusable: they do not belong together, or the key cannot be used.
    """
    try:
        # Without this word for a passphrase OpenSSL would ask for one at the terminal.
        context.load_cert_chain(certificate, key, password="")  # none
    except ssl.SSLError as error:
        mismatch = error.reason == "KEY_VALUES_MISMATCH"
        reason = f"belongs to another certificate than {certificate}" if mismatch else "no key in PEM form without a passphrase"
        raise Unusable("key_file", f"{key or certificate}: {reason}") from error
    except OSError as error:
        raise Unusable("key_file", f"{key or certificate} cannot be read: {error.strerror}") from error


def days_left(ends_at: datetime, now: datetime) -> float:
    """Days until a certificate ends; below zero when it has."""
    return (ends_at - now).total_seconds() / _DAY_S


def holder_of(certificate: bytes) -> Holder:
    """Who a client is, by its certificate in DER, which TLS has verified."""
    read = x509.load_der_x509_certificate(certificate)
    return Holder(read.subject.rfc4514_string(), _role_of(read), read.not_valid_after_utc)


def _role_of(certificate: x509.Certificate) -> str | None:
    try:
        extension = certificate.extensions.get_extension_for_oid(ROLE).value
    except _NO_ROLE:
        return None
    return _utf8_string(extension.value) if isinstance(extension, x509.UnrecognizedExtension) else None


def _utf8_string(der: bytes) -> str | None:
    """The text of a UTF8String in DER, None when it is something else."""
    if len(der) < 2 or der[0] != _UTF8_STRING or der[1] > _LENGTH_MOST or der[1] != len(der) - 2:  # noqa: PLR2004  # tag, length
        return None
    try:
        return der[2:].decode() or None
    except UnicodeDecodeError:
        return None


def _read(path: Path, setting: str) -> Sequence[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except OSError as error:
        raise Unusable(setting, f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise Unusable(setting, f"{path}: no certificate in PEM form") from error


def _why_not(certificate: x509.Certificate, now: datetime) -> str:
    if now < certificate.not_valid_before_utc:
        return f"the certificate begins only at {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    return f"the certificate ended at {certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
