"""The private certificate authority of one installation: for TLS between its own parts, never towards CAISO.

Elliptic-curve keys (P-256), no intermediate. Everything here is bytes and values; `launcher.setup.provision` keeps the files.
"""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=398)
RENEW_BEFORE = timedelta(days=30)
CLOCKS_DIFFER_BY = timedelta(minutes=5)
"""A certificate begins so much before now: its first reader's clock may be behind ours."""


@dataclass(frozen=True)
class Issued:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes

    @property
    def pem(self) -> bytes:
        """Both, the key first: one file, so that they can never be from two different moments."""
        return self.key + self.certificate


@dataclass(frozen=True)
class Authority:
    """What signs the certificates of one installation."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def create(cls, now: datetime) -> Self:
        """A new authority, valid for ten years."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = _name("dotbus private CA")
        builder = (
            _certificate(name, name, key.public_key(), now, now + AUTHORITY_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
        )
        return cls(builder.sign(key, hashes.SHA256()), key)

    @classmethod
    def load(cls, pem: bytes) -> Self:
        """The authority that was saved as its own `Issued.pem`.

        Raises:
            ValueError: the bytes are not a certificate and the elliptic-curve key that belongs to it.
        """
        key, certificate = serialization.load_pem_private_key(pem, password=None), x509.load_pem_x509_certificate(pem)
        if not isinstance(key, ec.EllipticCurvePrivateKey) or certificate.public_key() != key.public_key():
            raise ValueError("the authority's certificate and key do not belong together")
        return cls(certificate, key)

    @property
    def issued(self) -> Issued:
        """What to save."""
        return Issued(self.certificate.public_bytes(serialization.Encoding.PEM), _key_pem(self.key))

    def lasts(self, now: datetime) -> bool:
        """Whether it need not be renewed yet."""
        return self.certificate.not_valid_after_utc - now > RENEW_BEFORE

    def issue_server(self, names: Sequence[str], now: datetime) -> Issued:
        """A server's certificate for these host names and addresses; the first is its common name."""
        return self._issue(names[0], ExtendedKeyUsageOID.SERVER_AUTH, now, names)

    def issue_client(self, common_name: str, now: datetime) -> Issued:
        """A client's certificate."""
        return self._issue(common_name, ExtendedKeyUsageOID.CLIENT_AUTH, now)

    def vouches_for(self, certificate: bytes, now: datetime, names: Sequence[str] = ()) -> bool:
        """Whether a certificate is ours, for exactly these names, and need not be renewed yet."""
        try:
            loaded = x509.load_pem_x509_certificate(certificate)
            loaded.verify_directly_issued_by(self.certificate)
        except (ValueError, TypeError, InvalidSignature):
            return False
        return loaded.not_valid_after_utc - now > RENEW_BEFORE and set(alternative_names(loaded)) == set(names)

    def _issue(self, common_name: str, purpose: x509.ObjectIdentifier, now: datetime, names: Sequence[str] = ()) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        until = min(now + LEAF_LIFE, self.certificate.not_valid_after_utc)
        signer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            _certificate(_name(common_name), self.certificate.subject, key.public_key(), now, until)
            .add_extension(signer, critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        )
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(n) for n in names]), critical=False)
        signed = builder.sign(self.key, hashes.SHA256())
        return Issued(signed.public_bytes(serialization.Encoding.PEM), _key_pem(key))


def alternative_names(certificate: x509.Certificate) -> list[str]:
    """The host names and addresses that a certificate is for."""
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in extension.value]


def _certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, until: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCKS_DIFFER_BY)
        .not_valid_after(until)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
