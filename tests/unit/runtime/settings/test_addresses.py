"""Whose machine an address names decides what is published as real: it is read the same everywhere."""

import pytest

from dotbus.runtime.settings.addresses import host_of, is_caiso, is_caiso_stage, is_this_machine, web_address


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://adsws.prod.caiso.com/ADS/APIWebService/v8", "adsws.prod.caiso.com"),
        ("https://ADSSTA.CAISO.COM.:447/ADS", "adssta.caiso.com"),
        ("https://[::1]:8447/", "::1"),
    ],
)
def test_the_machine_is_read_from_an_address(url: str, host: str):
    assert host_of(web_address(url, "https")) == host


@pytest.mark.parametrize(
    "url",
    ["ads.example", "https://", "https:///x", "https://[bad", "https://a:port/", "https://a:99999", "https://ads example", ""],
)
def test_what_is_no_web_address_is_refused(url: str):
    with pytest.raises(ValueError, match="must be a web address that begins with https://"):
        web_address(url, "https")


def test_a_secret_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(ValueError, match="must not hold a user's name or password") as refused:
        web_address("https://user:hunter2@oasis.example", "https")
    assert "hunter2" not in str(refused.value)


def test_caiso_is_known_by_its_domain_and_its_test_systems_by_their_name():
    assert all(map(is_caiso, ("caiso.com", "oasis.caiso.com", "adssta.caiso.com")))
    assert not any(map(is_caiso, ("notcaiso.com", "caiso.com.example", "127.0.0.1", "")))
    assert is_caiso_stage("adssta.caiso.com")
    assert not is_caiso_stage("adsws.prod.caiso.com")
    assert not is_caiso_stage("adssta.example")


def test_this_machine_has_more_than_one_name():
    assert all(map(is_this_machine, ("localhost", "127.0.0.1", "127.0.0.2", "::1")))
    assert not any(map(is_this_machine, ("10.0.0.1", "localhost.example", "")))
