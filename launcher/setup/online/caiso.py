"""Whether CAISO answers who we are, and if not why. A harmless question or two to each.

ADS is asked by each account whether there are trajectories (isNewTrajData): that changes nothing, marks nothing as received,
and its answer is one word. OASIS is asked for two hours of one node, and for its two lists of nodes.
"""

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from datetime import datetime, timedelta
from difflib import get_close_matches
from functools import partial
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
from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.installation.toml_values import NodeGroup
from dotbus.runtime.settings.mistakes import Mistake
from dotbus.runtime.settings.settings import load_settings
from launcher.setup.check import ADS_INGEST, LMP_INGEST
from launcher.setup.online.answers import Answer, FoundMistake, Inquiry, Whom, found
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


def ask_caiso(file: InstallationFile, named: Sequence[str], clock: Callable[[], datetime]) -> Iterator[Inquiry]:
    """A question for each service that asks CAISO and has variables here; none when there is no such service.

    Args:
        file: whose nodes.
        named: the prefixes of the services that have variables here.
        clock: the wall clock.

    Raises:
        ConfigurationRefused: with every mistake in the variables.
    """
    if ADS_INGEST in named:
        for account in load_accounts():
            yield Inquiry(Whom.CAISO, _ads(account), partial(_ask_ads, account, clock))
    if LMP_INGEST in named:
        settings = load_settings(OasisSettings, LMP_INGEST)
        yield Inquiry(Whom.CAISO, f"OASIS at {settings.url}", lambda: _ask_oasis(settings, file, clock))


def ask_ads(account: Account, clock: Callable[[], datetime]) -> Answer:
    """Ask ADS as one account."""
    settings = account.settings
    asked = _ads(account)
    ends_at = read_expiry(settings.certificate_file, settings.key_file)
    left = days_left(ends_at, clock())
    certificate = f"{settings.certificate_file} {'ends' if left > 0 else 'ended'} on {ends_at:%Y-%m-%d}"
    began_s = time.monotonic()
    try:
        with closing(wire_connection(settings, clock)) as connection:
            client = AdsClient(connection, max_bytes=settings.max_reply_bytes, clock=clock)
            client.is_new_traj_data(WHOLE_CACHE)
    except TlsFileUnusable as unusable:
        return _refused(asked, str(unusable))
    except AdsFailure as failure:
        told = [f"{failure.kind}: {failure.reason}", _hint(failure), "" if left > 0 else certificate]
        return _refused(asked, "; ".join(text for text in told if text))
    return _answered(asked, _how(time.monotonic() - began_s, client.clock_offset_s, certificate))


def _ask_ads(account: Account, clock: Callable[[], datetime]) -> list[Answer]:
    return [ask_ads(account, clock)]


def _hint(failure: AdsFailure) -> str:
    return next(text for kind, text in _HINTS if isinstance(failure, kind))


def _ads(account: Account) -> str:
    return f"ADS{f' account {account.name}' if account.name else ''} at {account.settings.url}"


def _ask_oasis(settings: OasisSettings, file: InstallationFile, clock: Callable[[], datetime]) -> Iterator[Answer]:
    prices = ask_oasis(settings, file.installation, clock)
    yield prices
    if prices.good:
        yield look_up_nodes(settings, file, clock)


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
        return _refused(asked, str(failure))
    said = _how(time.monotonic() - began_s, source.clock_offset_said_s, f"{market} of {node}")
    return _answered(asked, said)


def look_up_nodes(settings: OasisSettings, file: InstallationFile, clock: Callable[[], datetime]) -> Answer:
    """Ask OASIS which nodes there are: a name that is on none of its lists never has a price."""
    asked = "OASIS's lists of nodes"
    try:
        limit = RateLimit(settings.spacing_s)
        with OasisClient(settings.connection(clock), limit, bounds=settings.bounds, tries=1, clock=clock) as oasis:
            known = frozenset(location.name for location in oasis.locations())
    except OasisFailure as failure:
        return _refused(asked, str(failure))
    many = len(file.installation.price_nodes)
    if mistakes := list(unknown_nodes(file, known)):
        names = len(set(file.installation.price_nodes) - known)
        said = f"{names} of the {many} that are named {'is' if names == 1 else 'are'} on none of them"
        return _refused(asked, said, found(file.located(mistakes)))
    return _answered(asked, f"the {many} that are named are among {len(known):,}")


def unknown_nodes(file: InstallationFile, known: Collection[str]) -> Iterator[Mistake]:
    """Each place of the file that names a node which CAISO does not know."""
    for key, node in _named_nodes(file.installation):
        if node not in known:
            yield Mistake(file.where, key, f"{node} is on none of CAISO's lists of nodes{_meant(node, known)}")


def _named_nodes(installation: Installation) -> Iterator[tuple[str, str]]:
    for i, plant in enumerate(installation.plants):
        for j, resource in enumerate(plant.resources):
            if resource.node:
                yield f"plant[{i}].resource[{j}].node", resource.node
    for i, node in enumerate(installation.prices.nodes):
        if node not in set(NodeGroup):
            yield f"prices.nodes[{i}]", node


def _meant(name: str, known: Collection[str]) -> str:
    alike = get_close_matches(name, known, n=3)
    return f": is {' or '.join(alike)} meant?" if alike else ""


def _how(took_s: float, clock_offset_s: float | None, more: str) -> str:
    told = [f"answers in {took_s:.1f} s", more]
    if clock_offset_s is not None and abs(clock_offset_s) > CLOCK_DOUBT_S:
        told.append(f"its clock differs from ours by {clock_offset_s:.0f} s: set this machine's, or nothing will be good")
    return "; ".join(told)


def _answered(asked: str, said: str) -> Answer:
    return Answer(whom=Whom.CAISO, asked=asked, good=True, said=said)


def _refused(asked: str, said: str, mistakes: tuple[FoundMistake, ...] = ()) -> Answer:
    return Answer(whom=Whom.CAISO, asked=asked, good=False, said=said, mistakes=mistakes)
