"""Addresses: of CAISO's services, of this machine, of anything else."""

import ipaddress
from typing import Final
from urllib.parse import urlsplit

_CAISO: Final = "caiso.com"
_STAGE: Final = "sta"
"""The first part of the names of CAISO's test systems ends so: adssta.caiso.com (ADS specification, section 7)."""


def web_address(url: str, *schemes: str) -> str:
    """A web address without a slash at its end.

    Raises:
        ValueError: it is none, of another scheme, or holds a user's name or password.
    """
    example = f"must be a web address that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0 and not any(map(str.isspace, url))
    except ValueError as error:  # a port that is no number, a bracket that does not close
        raise ValueError(example) from error
    if not usable:
        raise ValueError(example)
    if parts.username is not None or parts.password is not None:
        raise ValueError("must not hold a user's name or password")
    return url.rstrip("/")


def host_of(url: str) -> str:
    """The machine that a web address names, in small letters."""
    return (urlsplit(url).hostname or "").lower().rstrip(".")


def is_this_machine(host: str) -> bool:
    """Whether a name or address is the loopback's."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def is_caiso(host: str) -> bool:
    """Whether a machine is CAISO's."""
    return host == _CAISO or host.endswith(f".{_CAISO}")


def is_caiso_stage(host: str) -> bool:
    """Whether a machine is one of CAISO's test systems."""
    return is_caiso(host) and host.partition(".")[0].endswith(_STAGE)
