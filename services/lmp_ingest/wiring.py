"""Wiring of the loop: what it asks, where it keeps things, what a restart brings back. Everything but the bus."""

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from dotbus.contracts.codec import UndecodableMessage, decode_as
from dotbus.contracts.messages import Lmp
from dotbus.runtime.installation import Installation, Market
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox import Outbox
from dotbus.runtime.quarantine import Quarantine
from lmp_ingest.book import Book
from lmp_ingest.caiso import Caiso, Source
from lmp_ingest.meters import Meters
from lmp_ingest.patience import Patience
from lmp_ingest.plan import Track, tracks_of
from lmp_ingest.service import Loop, Rules
from lmp_ingest.settings import OasisSettings
from lmp_ingest.translate import Sender

_DAY_S = 86400.0


def open_outbox(settings: OasisSettings) -> Outbox:
    """The outbox of this instance.

    Raises:
        OutboxInUse: another process has it.
    """
    return Outbox(
        settings.state_dir / "outbox.sqlite",
        max_age_s=settings.outbox_max_age_days * _DAY_S,
        max_bytes=settings.outbox_max_bytes,
    )


def wire_loop(
    settings: OasisSettings,
    installation: Installation,
    source: Source,
    outbox: Outbox,
    sender: Sender,
    *,
    meters: Meters,
    clock: Callable[[], datetime],
    committed: Callable[[], None],
    turned: Callable[[], None] = lambda: None,
    chance: Callable[[], float] = random.random,
) -> Loop:
    """The loop, as the process before it left off."""
    markets = tuple(dict.fromkeys(installation.prices.markets))
    return Loop(
        Caiso(source, settings.bounds),
        outbox,
        restored_book(settings, installation, outbox, sender),
        restored_tracks(markets, installation.price_nodes, outbox),
        Rules(installation.topics, sender, settings.pace, settings.nodes_per_event),
        patience=Patience(timedelta(seconds=settings.spacing_s), chance, clock()),
        quarantine=Quarantine(settings.state_dir / "quarantine", settings.quarantine_max_bytes),
        meters=meters,
        committed=committed,
        turned=turned,
        clock=clock,
    )


def restored_tracks(markets: Sequence[Market], nodes: Sequence[str], outbox: Outbox) -> list[Track]:
    """What to ask for, from where each market was complete."""
    cursors = {Market(name): datetime.fromisoformat(at) for name, at in outbox.cursors().items() if name in set(Market)}
    return tracks_of(markets, nodes, cursors)


def restored_book(settings: OasisSettings, installation: Installation, outbox: Outbox, sender: Sender) -> Book:
    """What was said of each market and node that is still followed."""
    book = Book(sender, timedelta(seconds=settings.refresh_s))
    followed = {
        installation.topics.lmp(market, node): market
        for market in installation.prices.markets
        for node in installation.price_nodes
    }
    for topic, payload in outbox.states().items():
        if topic in followed:
            try:
                book.restore(followed[topic], decode_as(payload, Lmp))
            except UndecodableMessage as error:
                # Of another version of dotbus. CAISO will say it again.
                get_logger("wiring").warning("a kept state was not understood", topic=topic, reason=error.reason)
    return book
