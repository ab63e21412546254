from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from launcher.setup.authority import LEAF_LIFE, RENEW_BEFORE, Authority

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
NAMES = ("mosquitto", "localhost", "127.0.0.1")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.create(NOW)


def verify_server(authority: Authority, certificate: bytes, name: str, now: datetime) -> None:
    store = Store([authority.certificate])
    verifier = PolicyBuilder().store(store).time(now).build_server_verifier(x509.DNSName(name))
    verifier.verify(x509.load_pem_x509_certificate(certificate), [])


def test_a_strict_verifier_accepts_a_server_certificate_for_its_names_only(authority: Authority):
    certificate = authority.issue_server(NAMES, NOW).certificate

    verify_server(authority, certificate, "mosquitto", NOW)
    verify_server(authority, certificate, "localhost", NOW)
    with pytest.raises(VerificationError):
        verify_server(authority, certificate, "postgres", NOW)
    with pytest.raises(VerificationError):
        verify_server(Authority.create(NOW), certificate, "mosquitto", NOW)


def test_a_strict_verifier_accepts_a_client_certificate_as_client_and_not_as_server(authority: Authority):
    certificate = x509.load_pem_x509_certificate(authority.issue_client("ads.example.com", NOW).certificate)
    purpose = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert list(purpose) == [x509.oid.ExtendedKeyUsageOID.CLIENT_AUTH]
    certificate.verify_directly_issued_by(authority.certificate)
    with pytest.raises(VerificationError):
        verify_server(authority, authority.issue_client("ads.example.com", NOW).certificate, "ads.example.com", NOW)


def test_a_certificate_is_renewed_from_thirty_days_before_its_end(authority: Authority):
    certificate = authority.issue_server(NAMES, NOW).certificate
    ends_at = NOW + LEAF_LIFE

    assert authority.vouches_for(certificate, ends_at - RENEW_BEFORE - timedelta(minutes=1), NAMES)
    assert not authority.vouches_for(certificate, ends_at - RENEW_BEFORE, NAMES)


def test_a_certificate_for_other_names_or_of_another_authority_is_made_anew(authority: Authority):
    certificate = authority.issue_server(NAMES, NOW).certificate

    assert not authority.vouches_for(certificate, NOW, (*NAMES, "broker.example.com"))
    assert not Authority.create(NOW).vouches_for(certificate, NOW, NAMES)
    assert not authority.vouches_for(b"half a fi", NOW, NAMES)


def test_no_certificate_outlives_its_authority(authority: Authority):
    late = authority.certificate.not_valid_after_utc - timedelta(days=60)

    certificate = x509.load_pem_x509_certificate(authority.issue_server(NAMES, late).certificate)

    assert certificate.not_valid_after_utc == authority.certificate.not_valid_after_utc


def test_a_saved_authority_is_the_same_when_loaded(authority: Authority):
    loaded = Authority.load(authority.issued.pem)

    assert loaded.certificate == authority.certificate
    assert loaded.vouches_for(authority.issue_server(NAMES, NOW).certificate, NOW, NAMES)


def test_an_authority_whose_key_is_anothers_is_refused(authority: Authority):
    with pytest.raises(ValueError, match="do not belong together"):
        Authority.load(Authority.create(NOW).issued.key + authority.issued.certificate)
