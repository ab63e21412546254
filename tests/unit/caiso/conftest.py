"""Certificates and keys as files, good ones and bad ones."""

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)


@pytest.fixture
def pki(tmp_path: Path) -> Path:
    """ca.pem, client.pem with its key, cert.pem and key.pem apart, other.pem with somebody else's key, and every bad file."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    client, other = authority.issue_cert("client"), authority.issue_cert("other")
    client.private_key_and_cert_chain_pem.write_to_path(tmp_path / "client.pem")
    client.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    client.private_key_pem.write_to_path(tmp_path / "key.pem")
    other.private_key_pem.write_to_path(tmp_path / "other.pem")
    key = load_pem_private_key(client.private_key_pem.bytes(), None)
    for name, form in (("locked", PrivateFormat.PKCS8), ("locked_as_of_old", PrivateFormat.TraditionalOpenSSL)):
        (tmp_path / f"{name}.pem").write_bytes(key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret")))
    whole = (tmp_path / "client.pem").read_bytes()
    (tmp_path / "cut.pem").write_bytes(whole[: len(whole) * 2 // 3])
    (tmp_path / "empty.pem").touch()
    (tmp_path / "binary.pfx").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "folder").mkdir()
    return tmp_path
