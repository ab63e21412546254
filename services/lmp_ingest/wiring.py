"""Wiring of the loop: what it asks, where it keeps things, what a restart brings back. Everything but the bus."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from caiso.oasis import Group, Market
from dotbus.contracts.codec import UndecodableMessage, decode_as
from dotbus.contracts.messages import MAX_SEQ, Lmp, Prices
from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.quarantine import Quarantine
from lmp_ingest.caiso import Caiso
from lmp_ingest.evidence import Evidence
from lmp_ingest.history.bus_requests import NoRequests, Requests
from lmp_ingest.history.history import NOTE, History
from lmp_ingest.history.past import Past
from lmp_ingest.known.book import Book
from lmp_ingest.known.told import Told
from lmp_ingest.meters import Meters
from lmp_ingest.planning import gaps
from lmp_ingest.planning.patience import Patience
from lmp_ingest.planning.track import MOST_BY_NAME, Track, believed, tracks_of
from lmp_ingest.planning.turns import vouched_for
from lmp_ingest.publishing import Publisher
from lmp_ingest.service import Loop, Rules
from lmp_ingest.settings import OasisSettings
from lmp_ingest.translate import Sender

KEPT_AT_ONCE = 500
_REMEMBERED_LONGER = timedelta(days=2)
_CLOCK_STEP = timedelta(minutes=1)
"""A clock that is set back by less leaves what was said before in doubt; by more, it is not taken up."""


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
    requests: Callable[[History], Requests] = lambda _history: NoRequests(),
) -> Loop:
    """The loop, as the process before it left off."""
    markets, now = tuple(dict.fromkeys(map(Market, installation.prices.markets))), clock()
    spacing, refresh = timedelta(seconds=settings.spacing_s), timedelta(seconds=settings.refresh_s)
    group = Group(installation.prices.group) if installation.prices.group else None
    tracks = restored_tracks(markets, installation.price_nodes, outbox, now, group, settings.most_nodes_by_name)
    pace = settings.pace.of_group if any(track.is_group for track in tracks) else settings.pace
    book = Book(sender, refresh, vouched_for(tracks, pace, spacing, refresh))
    restore_states(book, installation, outbox, sender, now)
    told = Told(sender.environment, pace.longest_back + _REMEMBERED_LONGER, kept_events(outbox))
    patience, evidence = Patience(spacing, chance, now), Evidence(quarantine, meters)
    history = History(sender.environment, outbox.notes(NOTE))
    past = Past(
        history,
        caiso,
        outbox,
        told,
        topics=installation.topics,
        sender=sender,
        nodes_per_event=settings.nodes_per_event,
        patience=patience,
        evidence=evidence,
        meters=meters,
        committed=committed,
        clock=clock,
    )
    return Loop(
        caiso,
        Publisher(outbox, book, told, installation.topics, meters=meters, committed=committed),
        book,
        told,
        tracks,
        Rules(sender, pace, settings.nodes_per_event),
        past=past,
        requests=requests(history),
        patience=patience,
        evidence=evidence,
        meters=meters,
        turned=turned,
        clock=clock,
    )


def kept_events(outbox: Outbox) -> Iterator[Prices]:
    """What was told before, as far as the outbox still has it, in its order."""
    last_number = 0
    while some := outbox.between(last_number + 1, MAX_SEQ, KEPT_AT_ONCE):
        last_number = some[-1].number
        for kept in some:
            try:
                yield decode_as(kept.payload, Prices)
            except UndecodableMessage:
                continue  # of another version of dotbus: it would be told again


def restored_tracks(
    markets: Sequence[Market],
    nodes: Sequence[str],
    outbox: Outbox,
    now: datetime,
    group: Group | None = None,
    most_by_name: int = MOST_BY_NAME,
) -> list[Track]:
    """What to ask for, from where each market was complete. What cannot be is not believed, and all is asked for again."""
    kept = outbox.cursors()
    cursors = {market: datetime.fromisoformat(kept[market]) for market in markets if market in kept}
    missing = {market: gaps.read(kept.get(gaps.cursor_name(market), gaps.NONE)) for market in markets}
    tracks = tracks_of(markets, nodes, cursors, missing, group, most_by_name)
    possible = [believed(track, now) for track in tracks]
    if wrong := {before.market: str(before.until) for before, after in zip(tracks, possible, strict=True) if before != after}:
        get_logger("wiring").error(
            "cursors in the future are not believed", until=wrong, next="the whole lookback is asked for"
        )
    return possible


def restore_states(book: Book, installation: Installation, outbox: Outbox, sender: Sender, now: datetime) -> None:
    """What was said of each market and node that is still followed; what was said of others is retracted.

    Prices of another environment are not taken up: they would come out under the name of this one. Nor is what was said by a
    clock that was far ahead of ours: nobody can say how old it is.
    """
    followed = {
        installation.topics.lmp(market, node): market
        for market in map(Market, installation.prices.markets)
        for node in installation.price_nodes
    }
    gone: list[str] = []
    for topic, payload in outbox.states().items():
        state = _kept_state(payload) if topic in followed else None
        if state and state.environment is sender.environment and _is_past(state, now):
            book.restore(followed[topic], state, now)
        else:
            gone.append(topic)
    if gone:
        get_logger("wiring").warning("topics of another configuration or from the future are retracted", topics=gone)
        outbox.retract(gone, now)


def _is_past(state: Lmp, now: datetime) -> bool:
    return max(state.time, state.heard_at) <= now + _CLOCK_STEP


def _kept_state(payload: bytes) -> Lmp | None:
    try:
        return decode_as(payload, Lmp)
    except UndecodableMessage:
        return None  # of another version of dotbus: CAISO will say it again
