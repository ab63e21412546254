"""Addresses: where the two web services of ADS are, and what its versions call things.

ADS keeps two versions in service at a time (specification, section 7). They answer alike: elements are added, none renamed, and
replies are read by local name. What differs is the address, and the namespace of the one document that a client sends.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

NAMESPACE: Final = "urn-com-caiso-ads-webservices-api"
"""Of the request elements, in every version since 2005."""
VERSION_FIRST: Final = 6
"""The oldest version of the API that is still spoken here. 6, 7 and 8 are known; a newer one is taken to be like them."""

_HTTPS: Final = re.compile(r"https://[^/?#@\s]+/[^?#\s]*")
_ENDPOINT: Final = re.compile(r"(?P<before>.*/)APIWebService(?P<after>(?:/v(?P<version>[0-9]+))?/?)")


class UnknownAddress(ValueError):
    """An address that is not HTTPS, or does not tell where the Response service is, or which version answers there."""


@dataclass(frozen=True)
class AdsAddress:
    """Where one version of ADS is. HTTPS only: CAISO knows a participant by its certificate, and megawatts are in clear else.

    Attributes:
        url: of APIWebService: batches, trajectories, load following.
        response_url: of APIResponseWebService: accept, decline, accept in part.
        namespace: of the request elements.
        document_namespace: of the documents that a client sends (MSSLFRequest).

    Raises:
        UnknownAddress: an address is not HTTPS, or holds a user's name, a query or a fragment.
    """

    url: str
    response_url: str
    namespace: str = NAMESPACE
    document_namespace: str = "http://ads.caiso.com/api/schema/v8"

    def __post_init__(self) -> None:
        for url in (self.url, self.response_url):
            if not _HTTPS.fullmatch(url):
                raise UnknownAddress(
                    f"{url.partition('@')[2] or url} must begin with https://, name a host, and have no user or query"
                )

    @classmethod
    def of(cls, url: str, *, version: int | None = None, namespace: str = NAMESPACE) -> Self:
        """From the address of APIWebService alone, as CAISO writes it: `https://HOST/ADS/APIWebService/v8`.

        Args:
            url: of APIWebService.
            version: of the API; None takes the one that the address names.
            namespace: of the request elements.

        Raises:
            UnknownAddress: the address is another, or neither it nor `version` names a version from 6 on.
        """
        found = _ENDPOINT.fullmatch(url)
        if found is None:
            raise UnknownAddress(f"{url} does not end in /APIWebService/v and a number")
        number = version if version is not None else int(found["version"] or 0)
        if number < VERSION_FIRST:
            raise UnknownAddress(f"{url} names no version of the API from {VERSION_FIRST} on")
        response_url = f"{found['before']}APIResponseWebService{found['after']}"
        return cls(url, response_url, namespace, f"http://ads.caiso.com/api/schema/v{number}")
