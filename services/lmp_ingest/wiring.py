"""Wiring of the loop: what it asks, where it keeps things, what a restart brings back. Everything but the bus."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from dotbus.contracts.codec import UndecodableMessage, decode_as
from dotbus.contracts.messages import Lmp
from dotbus.runtime.installation import Installation
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox import Outbox
from dotbus.runtime.quarantine import Quarantine
from dotbus.runtime.toml_values import Market
from lmp_ingest.book import Book
from lmp_ingest.caiso import Caiso
from lmp_ingest.evidence import Evidence
from lmp_ingest.meters import Meters
from lmp_ingest.patience import Patience
from lmp_ingest.plan import Track, tracks_of
from lmp_ingest.service import Loop, Rules
from lmp_ingest.settings import OasisSettings
from lmp_ingest.translate import Sender


def wire_loop(
    settings: OasisSettings,
    caiso: Caiso,
    outbox: Outbox,
    sender: Sender,
    *,
    installation: Installation,
    quarantine: Quarantine,
    meters: Meters,
    chance: Callable[[], float],
    clock: Callable[[], datetime],
    committed: Callable[[], None],
    turned: Callable[[], None] = lambda: None,
) -> Loop:
    """The loop, as the process before it left off."""
    markets = tuple(dict.fromkeys(installation.prices.markets))
    return Loop(
        caiso,
        outbox,
        restored_book(settings, installation, outbox, sender, clock()),
        restored_tracks(markets, installation.price_nodes, outbox),
        Rules(installation.topics, sender, settings.pace, settings.nodes_per_event),
        patience=Patience(timedelta(seconds=settings.spacing_s), chance, clock()),
        evidence=Evidence(quarantine, meters),
        meters=meters,
        committed=committed,
        turned=turned,
        clock=clock,
    )


def restored_tracks(markets: Sequence[Market], nodes: Sequence[str], outbox: Outbox) -> list[Track]:
    """What to ask for, from where each market was complete."""
    cursors = {Market(name): datetime.fromisoformat(at) for name, at in outbox.cursors().items() if name in set(Market)}
    return tracks_of(markets, nodes, cursors)


def restored_book(settings: OasisSettings, installation: Installation, outbox: Outbox, sender: Sender, now: datetime) -> Book:
    """What was said of each market and node that is still followed; what was said of others is retracted.

    Prices of another environment are not taken up: they would come out under the name of this one.
    """
    book = Book(sender, timedelta(seconds=settings.refresh_s))
    followed = {
        installation.topics.lmp(market, node): market
        for market in installation.prices.markets
        for node in installation.price_nodes
    }
    gone: list[str] = []
    for topic, payload in outbox.states().items():
        state = _kept_state(payload) if topic in followed else None
        if state and state.environment is sender.environment:
            book.restore(followed[topic], state)
        else:
            gone.append(topic)
    if gone:
        get_logger("wiring").warning("topics of another configuration are retracted", topics=gone)
        outbox.retract(gone, now)
    return book


def _kept_state(payload: bytes) -> Lmp | None:
    try:
        return decode_as(payload, Lmp)
    except UndecodableMessage:
        return None  # of another version of dotbus: CAISO will say it again
