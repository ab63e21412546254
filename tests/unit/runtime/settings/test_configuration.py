"""The address of a CAISO and the environment that messages will name must belong together."""

import pytest

from dotbus.contracts.messages import Environment
from dotbus.runtime.settings.configuration import check_environment
from dotbus.runtime.settings.mistakes import ConfigurationRefused


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("https://localhost:8447/ADS/APIWebService/v7", Environment.PRODUCTION),
        ("https://127.0.0.1:8447/ADS/APIWebService/v7", Environment.STAGE),
        ("https://adsws.prod.caiso.com/ADS/APIWebService/v8", Environment.SIMULATOR),
        ("https://adssta.caiso.com:447/ADS/APIWebService/v7", Environment.PRODUCTION),
    ],
)
def test_test_dispatches_cannot_be_published_as_real_ones_nor_real_ones_as_tests(url: str, environment: Environment):
    with pytest.raises(ConfigurationRefused, match=rf"ADS_INGEST_URL: .*environment = {environment}"):
        check_environment(url, environment, "ADS_INGEST_URL")


@pytest.mark.parametrize(
    ("url", "environment"),
    [
        ("https://adsws.prod.caiso.com/ADS/APIWebService/v8", Environment.PRODUCTION),
        ("https://adssta.caiso.com:447/ADS/APIWebService/v7", Environment.STAGE),
        ("https://simulator:8447/ADS/APIWebService/v7", Environment.SIMULATOR),
        ("https://notcaiso.com/ADS", Environment.SIMULATOR),
        ("https://gateway.plant.example/ADS", Environment.PRODUCTION),
    ],
)
def test_what_fits_is_taken(url: str, environment: Environment):
    check_environment(url, environment, "ADS_INGEST_URL")
