"""Wiring of what answers instructions: an account that asks CAISO for each certificate, and one that takes the commands."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from ads_ingest.accounts import Account
from ads_ingest.caiso import Ads
from ads_ingest.responding.account import AccountAnswers
from ads_ingest.responding.answer_log import AnswerLog
from ads_ingest.responding.automatic import AutomaticAnswers, Instances
from ads_ingest.responding.commands import Asked, Result
from ads_ingest.responding.known import KnownNow
from ads_ingest.responding.responder import Responder
from ads_ingest.responding.settling import Settling
from ads_ingest.wiring import KnownToAccounts, Shared, wire_connection
from caiso.ads import AdsClient
from caiso.ads.errors import AdsFailure
from dotbus.runtime.bus import Bus
from dotbus.runtime.settings import BusSettings

COMMANDS_AT_ONCE = 20
"""How many commands may be on their way to us. The broker keeps what is behind them."""

KEEPALIVE_S = 7
"""At most. A broker waits half as long again for an instance that stands still, and gives it its share meanwhile."""
TOLD_WITHIN_S = 5.0
"""How long the broker may take to acknowledge that CAISO is asked; it needs some milliseconds."""


@dataclass(frozen=True)
class Answering:
    """Whoever answers instructions, and the connection that commands come on: many of them hold back no event."""

    bus: Bus
    responder: Responder

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer meanwhile. At the end what CAISO is asked is waited for, and replied to."""
        with ExitStack() as running:
            self.bus.start()
            running.callback(self.bus.stop)
            self.responder.start()
            running.callback(self.responder.stop)
            yield


def wire_answering(
    asked: Sequence[tuple[Account, Ads]], known: KnownToAccounts, shared: Shared, settings: BusSettings, connected: ExitStack
) -> Answering:
    """Answers for the accounts whose streams are followed.

    Args:
        asked: each account, and whom its streams ask.
        known: what the streams know.
        shared: what all accounts have in common.
        settings: of the broker.
        connected: closes the connections to CAISO.

    Raises:
        sqlite3.Error: the outbox cannot be read, or keeps nothing.
        ssl.SSLError, OSError: a certificate, its key or the CA bundle cannot be used.
    """
    quick = settings.model_copy(update={"keepalive_s": min(settings.keepalive_s, KEEPALIVE_S)})
    bus = Bus(quick, f"{shared.sender.source}/answers", clock=shared.clock, receive_maximum=COMMANDS_AT_ONCE)
    connections = [
        connected.enter_context(closing(wire_connection(account.settings, shared.clock))) for account, _streams in asked
    ]
    clients = [
        (account, AdsClient(connection, close=connection.close))
        for (account, _streams), connection in zip(asked, connections, strict=True)
    ]
    caiso_clock = _caiso_clock_of([streams for _account, streams in asked], shared.clock)
    return Answering(bus, wire_responder(bus, clients, known, shared, caiso_clock, is_shared=settings.protocol == "5"))


def wire_responder(
    bus: Bus,
    asked: Sequence[tuple[Account, AdsClient]],
    known: KnownToAccounts,
    shared: Shared,
    caiso_clock: Callable[[], datetime],
    *,
    is_shared: bool,
) -> Responder:
    """Whoever answers instructions.

    Args:
        bus: the connection for commands.
        asked: each account, and whom it asks, on a connection of its own.
        known: what the streams know.
        shared: what all accounts have in common.
        caiso_clock: the time by CAISO's clock.
        is_shared: whether the broker divides commands between instances.

    Raises:
        sqlite3.Error: the outbox cannot be read, or keeps nothing.
    """
    sender, clock, meters = shared.sender, shared.clock, shared.meters
    log = AnswerLog(shared.outbox, sender, committed=shared.committed, clock=clock)
    settling = Settling(bus, log, sender, clock=clock, count=lambda outcome: meters.answers.labels(outcome).inc())
    now, instances = KnownNow(known.instructions, known.lock), Instances(sender.source)

    def judge(answer: Asked) -> Result | None:
        return log.judge(answer, now.of(answer.resource_id), caiso_clock())

    def failed(failure: AdsFailure) -> None:
        meters.failures.labels(failure.kind).inc()

    def is_told(answer: Asked) -> bool:
        return log.is_told(answer, TOLD_WITHIN_S)

    accounts = [
        AccountAnswers(
            account.name,
            caiso,
            log,
            judge=judge,
            settle=settling.settle,
            is_told=is_told,
            failed=failed,
            let_go=caiso.close,
        )
        for account, caiso in asked
    ]
    meters.watch_answers(lambda: sum(account.waiting for account in accounts))

    def account_of(resource_id: str) -> AccountAnswers | None:
        seen_by = (account for account in accounts if len(accounts) == 1 or resource_id in known.sights.of(account.name))
        return next(seen_by, None)

    return Responder(
        bus,
        sender,
        log,
        settling,
        judge=judge,
        account_of=account_of,
        accounts=accounts,
        automatic=(lambda give: AutomaticAnswers(log, now.certain, instances, give))
        if sender.installation.acceptance_rules
        else None,
        instances=instances,
        is_shared=is_shared,
    )


def _caiso_clock_of(clients: Sequence[Ads], clock: Callable[[], datetime]) -> Callable[[], datetime]:
    """The time by CAISO's clock, as far as any account knows how it differs from ours."""

    def now() -> datetime:
        offsets_s = (client.clock_offset_s for client in clients)
        return clock() + timedelta(seconds=next((offset_s for offset_s in offsets_s if offset_s is not None), 0.0))

    return now
