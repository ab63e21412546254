from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from ads_ingest.accounts import ClientCertificate

ENDS_AT = datetime(2026, 3, 31, tzinfo=UTC)
AUTHORITY = trustme.CA()


def install(folder: Path, ends_at: datetime) -> tuple[Path, Path]:
    """cert.pem and key.pem of a certificate that ends then."""
    issued = AUTHORITY.issue_cert("client", not_before=ends_at - timedelta(days=400), not_after=ends_at)
    issued.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    issued.private_key_pem.write_to_path(folder / "key.pem")
    return folder / "cert.pem", folder / "key.pem"


@pytest.fixture
def certificate(tmp_path: Path) -> ClientCertificate:
    return ClientCertificate(*install(tmp_path, ENDS_AT))


@pytest.fixture
def said_at(certificate: ClientCertificate, capsys: pytest.CaptureFixture[str]) -> Callable[..., list[str]]:
    def look(now: datetime, not_renewed: str | None = None) -> list[str]:
        certificate.look(now, not_renewed)
        told = capsys.readouterr().out
        return [level for level in ("info", "warning", "error") if f"[{level}" in told]

    return look


def test_a_certificate_that_ends_soon_is_warned_of_at_the_start_and_daily(said_at: Callable[..., list[str]]) -> None:
    assert said_at(ENDS_AT - timedelta(days=31)) == []
    assert said_at(ENDS_AT - timedelta(days=29)) == ["warning"]
    assert said_at(ENDS_AT - timedelta(days=28, hours=1)) == []
    assert said_at(ENDS_AT - timedelta(days=28)) == ["warning"]
    assert said_at(ENDS_AT + timedelta(minutes=1)) == ["error"]


def test_a_renewed_certificate_is_read_again_and_ends_the_warnings(
    certificate: ClientCertificate, said_at: Callable[..., list[str]], tmp_path: Path
) -> None:
    assert said_at(ENDS_AT) == ["error"]
    install(tmp_path, ENDS_AT + timedelta(days=365))
    assert said_at(ENDS_AT) == ["info"]
    assert certificate.days_left(ENDS_AT) == 365.0
    assert said_at(ENDS_AT + timedelta(days=2)) == []


def test_while_only_one_of_certificate_and_key_is_replaced_the_old_ones_count_and_somebody_is_told_once(
    certificate: ClientCertificate, said_at: Callable[..., list[str]], tmp_path: Path
) -> None:
    now, old_key = ENDS_AT - timedelta(days=100), (tmp_path / "key.pem").read_bytes()
    install(tmp_path, ENDS_AT + timedelta(days=365))
    new_key = (tmp_path / "key.pem").read_bytes()
    (tmp_path / "key.pem").write_bytes(old_key)
    assert [said_at(now), said_at(now)] == [["error"], []]
    assert certificate.days_left(now) == 100.0
    (tmp_path / "key.pem").write_bytes(new_key)
    assert said_at(now) == ["info"]
    assert certificate.days_left(now) == 465.0


def test_what_the_connection_cannot_use_is_told_once(said_at: Callable[..., list[str]]) -> None:
    now = ENDS_AT - timedelta(days=100)
    assert [said_at(now, "no certificate found"), said_at(now, "no certificate found")] == [["error"], []]


def test_what_is_told_of_a_certificate_names_its_file(
    certificate: ClientCertificate, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for now in (ENDS_AT - timedelta(days=1), ENDS_AT + timedelta(days=1)):
        certificate.look(now, None)
        assert str(tmp_path / "cert.pem") in capsys.readouterr().out
    install(tmp_path, ENDS_AT + timedelta(days=365))
    certificate.look(ENDS_AT, None)
    assert str(tmp_path / "cert.pem") in capsys.readouterr().out
