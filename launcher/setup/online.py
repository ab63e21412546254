"""`dotbus check --online`: whether CAISO answers who we are, and if not why. A harmless question or two to each.

ADS is asked by each account whether there are trajectories (isNewTrajData): that changes nothing, marks nothing as received,
and its answer is one word. OASIS is asked for two hours of one node, and for its two lists of nodes.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Final

from ads_ingest.accounts import Account, load_accounts
from ads_ingest.wiring import wire_connection
from caiso.ads import (
    WHOLE_CACHE,
    AdsClient,
    AdsFailure,
    Busy,
    HttpRefused,
    HungUp,
    SoapFault,
    TimedOut,
    TlsRefused,
    Unreachable,
)
from caiso.certificate import days_left, read_expiry
from caiso.oasis import HUBS, Market, OasisClient, OasisFailure, Question, RateLimit
from caiso.tls import TlsFileUnusable
from dotbus.contracts.quality import CLOCK_DOUBT_S
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.settings.settings import load_settings
from launcher.setup.check import ADS_INGEST, LMP_INGEST
from lmp_ingest.caiso import Caiso
from lmp_ingest.settings import OasisSettings

_ASKED_OF: Final = timedelta(hours=2)
_HINTS: Final[tuple[tuple[type[AdsFailure], str], ...]] = (
    (TlsRefused, ""),  # says by itself what to do, as does the next
    (HungUp, ""),
    (TimedOut, "see that no firewall stands between here and there"),
    (Unreachable, "see that the address and its port are right, and that this machine may connect there"),
    (HttpRefused, "see that the path in the address, with its version, is CAISO's"),
    (Busy, "CAISO is there; try again later"),
    (SoapFault, "CAISO is there and took the certificate, but not the question; ask it whether the certificate has its rights"),
    (AdsFailure, "see that the address is APIWebService's"),
)
"""What to do, by the first that fits."""


@dataclass(frozen=True)
class Answer:
    """What became of one question.

    Attributes:
        asked: who asked whom.
        is_good: whether it was answered.
        said: the answer, or why there is none and what to do.
    """

    asked: str
    is_good: bool
    said: str

    def __str__(self) -> str:
        return f"{self.asked}: {self.said}"


def ask_caiso(installation: Installation, clock: Callable[[], datetime]) -> Iterator[Answer]:
    """Ask for each service that asks CAISO and has variables here; none when there is no such service.

    Args:
        installation: whose nodes.
        clock: the wall clock.

    Raises:
        ConfigurationRefused: with every mistake in the variables.
    """
    if _is_configured(ADS_INGEST):
        yield from (ask_ads(account, clock) for account in load_accounts())
    if _is_configured(LMP_INGEST):
        settings = load_settings(OasisSettings, LMP_INGEST)
        prices = ask_oasis(settings, installation, clock)
        yield prices
        if prices.is_good:
            yield look_up_nodes(settings, installation.price_nodes, clock)


def ask_ads(account: Account, clock: Callable[[], datetime]) -> Answer:
    """Ask ADS as one account."""
    settings = account.settings
    asked = f"ADS{f' account {account.name}' if account.name else ''} at {settings.url}"
    ends_at = read_expiry(settings.certificate_file, settings.key_file)
    left = days_left(ends_at, clock())
    certificate = f"{settings.certificate_file} {'ends' if left > 0 else 'ended'} on {ends_at:%Y-%m-%d}"
    began_s = time.monotonic()
    try:
        with closing(wire_connection(settings, clock)) as connection:
            client = AdsClient(connection, max_bytes=settings.max_reply_bytes, clock=clock)
            client.is_new_traj_data(WHOLE_CACHE)
    except TlsFileUnusable as unusable:
        return Answer(asked, is_good=False, said=str(unusable))
    except AdsFailure as failure:
        told = [f"{failure.kind}: {failure.reason}", _hint(failure), "" if left > 0 else certificate]
        return Answer(asked, is_good=False, said="; ".join(text for text in told if text))
    return Answer(asked, is_good=True, said=_answered(time.monotonic() - began_s, client.clock_offset_s, certificate))


def _hint(failure: AdsFailure) -> str:
    return next(text for kind, text in _HINTS if isinstance(failure, kind))


def ask_oasis(settings: OasisSettings, installation: Installation, clock: Callable[[], datetime]) -> Answer:
    """Ask OASIS for prices of the first node that is named, of a hub where none is, in the first market."""
    market, node = installation.prices.markets[0], next(iter(installation.price_nodes), HUBS[0])
    start = clock().replace(minute=0, second=0, microsecond=0) - _ASKED_OF
    asked = f"OASIS at {settings.url}"
    began_s = time.monotonic()
    try:
        with closing(settings.connection(clock)) as source:
            question = Question(Market(market), (node,), start, start + _ASKED_OF)
            Caiso(source, settings.bounds, settings.versions).fetch_prices(question)
    except (TlsFileUnusable, OasisFailure) as failure:
        return Answer(asked, is_good=False, said=str(failure))
    said = _answered(time.monotonic() - began_s, source.clock_offset_said_s, f"{market} of {node}")
    return Answer(asked, is_good=True, said=said)


def look_up_nodes(settings: OasisSettings, names: Sequence[str], clock: Callable[[], datetime]) -> Answer:
    """Ask OASIS which nodes there are: a name that is on none of its lists never has a price."""
    asked = "OASIS's lists of nodes"
    try:
        limit = RateLimit(settings.spacing_s)
        with OasisClient(settings.connection(clock), limit, bounds=settings.bounds, tries=1, clock=clock) as oasis:
            known = [location.name for location in oasis.locations()]
    except OasisFailure as failure:
        return Answer(asked, is_good=False, said=str(failure))
    if unknown := sorted(set(names).difference(known)):
        told = "; ".join(f"{name} is on none of them{_meant(name, known)}" for name in unknown)
        return Answer(asked, is_good=False, said=told)
    return Answer(asked, is_good=True, said=f"the {len(names)} that are named are among {len(known):,}")


def _meant(name: str, known: Sequence[str]) -> str:
    alike = get_close_matches(name, known, n=3)
    return f": is {' or '.join(alike)} meant?" if alike else ""


def _answered(took_s: float, clock_offset_s: float | None, more: str) -> str:
    told = [f"answers in {took_s:.1f} s", more]
    if clock_offset_s is not None and abs(clock_offset_s) > CLOCK_DOUBT_S:
        told.append(f"its clock differs from ours by {clock_offset_s:.0f} s: set this machine's, or nothing will be good")
    return "; ".join(told)


def _is_configured(prefix: str) -> bool:
    return any(name.upper().startswith(prefix) for name in os.environ)
