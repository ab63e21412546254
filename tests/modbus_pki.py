"""Certificates of Modbus/TCP Security: authorities, servers and clients with roles, good and bad ones."""

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from modbus_gateway.wire.certificates import ROLE, Files

DAY = timedelta(days=1)


def utf8_string(text: str) -> bytes:
    """DER of a UTF8String."""
    content = text.encode()
    return bytes((0x0C, len(content))) + content


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


class Authority:
    """What signs certificates, in a folder of its own files."""

    def __init__(self, folder: Path, called: str = "plant") -> None:
        self.folder = folder
        self.name = name(called)
        self.key = ec.generate_private_key(ec.SECP256R1())
        begins, ends = datetime.now(UTC) - 2 * DAY, datetime.now(UTC) + 365 * DAY
        unsigned = self._unsigned(self.name, self.key, (begins, ends))
        certificate = unsigned.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        self.file = folder / f"{called}-ca.pem"
        self.file.write_bytes(certificate.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def server(self, called: str = "gateway", *, ends_in: timedelta = 30 * DAY, begins_in: timedelta = -DAY) -> Path:
        """Key and certificate of a server on this machine."""
        return self._issue(called, (begins_in, ends_in), None, ExtendedKeyUsageOID.SERVER_AUTH)

    def client(
        self,
        called: str = "scada",
        role: str | bytes | None = None,
        *,
        ends_in: timedelta = 30 * DAY,
        begins_in: timedelta = -DAY,
        names: bytes | None = None,
    ) -> Path:
        """Key and certificate of a client; a role, or names, in bytes are what stands in the extension, right or wrong."""
        der = utf8_string(role) if isinstance(role, str) else role
        return self._issue(called, (begins_in, ends_in), der, ExtendedKeyUsageOID.CLIENT_AUTH, names)

    def files(self, certificate: Path | None = None) -> Files:
        """For a server that lets our clients in."""
        return Files(certificate or self.server(), None, self.file)

    def _issue(
        self,
        called: str,
        lasts: tuple[timedelta, timedelta],
        role: bytes | None,
        use: x509.ObjectIdentifier,
        names: bytes | None = None,
    ) -> Path:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        unsigned = self._unsigned(name(called), key, (now + lasts[0], now + lasts[1]))
        unsigned = unsigned.add_extension(x509.ExtendedKeyUsage([use]), critical=False)
        address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        named = address if names is None else x509.UnrecognizedExtension(address.oid, names)
        unsigned = unsigned.add_extension(named, critical=False)
        if role is not None:
            unsigned = unsigned.add_extension(x509.UnrecognizedExtension(ROLE, role), critical=False)
        certificate = unsigned.sign(self.key, hashes.SHA256()).public_bytes(Encoding.PEM)
        path = self.folder / f"{called}.pem"
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()) + certificate)
        return path

    def _unsigned(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, lasts: tuple[datetime, datetime]
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(lasts[0])
            .not_valid_after(lasts[1])
        )


def client_context(
    authority: Path, certificate: Path | None = None, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3
) -> ssl.SSLContext:
    """A client's, that trusts an authority and speaks one version of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(authority)
    context.minimum_version = context.maximum_version = version
    if certificate:
        context.load_cert_chain(certificate)
    return context
