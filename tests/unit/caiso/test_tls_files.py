"""A certificate, key or CA bundle that no connection can be made with is one typed error that names the file."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from caiso.ads import TlsFileUnusable, connect
from caiso.http import BoundedHttp
from caiso.tls import TlsFiles

URL = "https://127.0.0.1:1/ADS/APIWebService/v8"


@pytest.mark.parametrize(("certificate", "key"), [("client.pem", None), ("cert.pem", "key.pem"), ("client.pem", "key.pem")])
def test_files_that_fit_each_other_are_taken(pki: Path, certificate: str, key: str | None) -> None:
    TlsFiles(pki / "ca.pem", pki / certificate, pki / key if key else None).context()


@pytest.mark.parametrize(
    ("authorities", "certificate", "key", "file", "reason"),
    [
        ("none.pem", "client.pem", None, "none.pem", "cannot be read: No such file"),
        ("folder", "client.pem", None, "folder", "cannot be read: Is a directory"),
        ("empty.pem", "client.pem", None, "empty.pem", "holds no CA certificate"),
        ("key.pem", "client.pem", None, "key.pem", "holds no CA certificate"),
        ("binary.pfx", "client.pem", None, "binary.pfx", "holds no CA certificate"),
        ("ca.pem", "none.pem", None, "none.pem", "cannot be read"),
        ("ca.pem", "empty.pem", None, "empty.pem", "holds no certificate"),
        ("ca.pem", "binary.pfx", None, "binary.pfx", "must be converted"),
        ("ca.pem", "cut.pem", None, "cut.pem", "cannot be used"),
        ("ca.pem", "cert.pem", None, "cert.pem", "holds no private key"),
        ("ca.pem", "cert.pem", "none.pem", "none.pem", "cannot be read"),
        ("ca.pem", "cert.pem", "other.pem", "other.pem", "not that of the certificate in"),
        ("ca.pem", "cert.pem", "locked.pem", "locked.pem", "encrypted"),
        ("ca.pem", "cert.pem", "locked_as_of_old.pem", "locked_as_of_old.pem", "encrypted"),
        ("ca.pem", "cert.pem", "cert.pem", "cert.pem", "holds no private key"),
    ],
)
def test_an_unusable_file_is_named_with_what_is_wrong(
    pki: Path, authorities: str, certificate: str, key: str | None, file: str, reason: str
) -> None:
    with pytest.raises(TlsFileUnusable, match=reason) as raised:
        connect(URL, certificate_file=pki / certificate, key_file=pki / key if key else None, ca_file=pki / authorities)
    assert raised.value.file == pki / file
    assert str(raised.value).startswith(f"{pki / file}: ")


def test_a_file_that_is_replaced_by_an_unusable_one_is_named_and_the_one_before_serves(pki: Path) -> None:
    http = BoundedHttp(
        ca_file=pki / "ca.pem",
        certificate=(pki / "client.pem", None),
        headers={},
        timeout_s=1.0,
        max_bytes=1000,
        clock=lambda: datetime(2026, 3, 1, tzinfo=UTC),
    )
    (pki / "client.pem").unlink()
    http._renew()
    assert http.not_renewed == f"{pki / 'client.pem'}: cannot be read: No such file or directory"
    http.close()
