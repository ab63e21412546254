"""Chain: from a client's certificate, link by link, to an authority that is trusted; before any server is asked. Pure."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature


def chain_of(certificate: x509.Certificate, known: Sequence[x509.Certificate]) -> list[x509.Certificate]:
    """A certificate, the one that issued it, and so on, as far as they are known; each once."""
    chain: list[x509.Certificate] = []
    link: x509.Certificate | None = certificate
    while link is not None:
        chain.append(link)
        link = next((each for each in known if each not in chain and _is_issued_by(chain[-1], each)), None)
    return chain


def chain_problems(chain: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate], now: datetime) -> list[str]:
    """What speaks against a certificate, in words; nothing when its chain holds.

    Args:
        chain: from the certificate up.
        authorities: what is trusted; the chain has to end in a root among them.
        now: the time that every link has to be valid at.
    """
    problems = [problem for link in chain for problem in _time_problems(link, now)]
    last = chain[-1]
    if last.issuer != last.subject:
        return [*problems, f"the certificate of {_name(last.issuer)}, which issued {_name(last.subject)}, is missing"]
    return problems if last in authorities else [*problems, f"{_name(last.subject)} is not among the authorities"]


def _time_problems(certificate: x509.Certificate, now: datetime) -> Iterator[str]:
    if now < certificate.not_valid_before_utc:
        yield f"{_name(certificate.subject)} is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%MZ}"
    if now >= certificate.not_valid_after_utc:
        yield f"{_name(certificate.subject)} ended on {certificate.not_valid_after_utc:%Y-%m-%d %H:%MZ}"


def _is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def _name(name: x509.Name) -> str:
    return name.rfc4514_string()
