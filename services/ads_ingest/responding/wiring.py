"""Wiring of what answers instructions: an account that asks CAISO for each certificate, and one that takes the commands."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from ads_ingest.accounts import Account
from ads_ingest.batches.views import Sights
from ads_ingest.caiso import Ads
from ads_ingest.known.from_batches import KnownInstructions
from ads_ingest.responding.account import AccountAnswers, Judge, Settle
from ads_ingest.responding.answer_log import AnswerLog
from ads_ingest.responding.automatic import AutomaticAnswers, Instances
from ads_ingest.responding.commands import Asked, Result
from ads_ingest.responding.responder import Responder
from ads_ingest.responding.settling import Settling
from ads_ingest.wiring import KnownToAccounts, Shared, wire_connection
from caiso.ads import AdsClient, AdsConnection
from caiso.ads.errors import AdsFailure
from dotbus.contracts.messages import KnownInstruction
from dotbus.runtime.mqtt.bus import Bus
from dotbus.runtime.settings.settings import BusSettings

COMMANDS_AT_ONCE = 20
"""How many commands may be on their way to us. The broker keeps what is behind them."""

KEEPALIVE_S = 7
"""At most. A broker waits half as long again for an instance that stands still, and gives it its share meanwhile."""
TOLD_WITHIN_S = 5.0
"""How long the broker may take to bring back that CAISO is asked; it needs some milliseconds."""
TURN_WITHIN_S = 20.0
"""How long another instance's answer to the same instruction is waited for; one that went is given up before that."""
HEARING_S = 86_400
"""So long the broker keeps for us what other instances say: as long as CAISO keeps a batch."""


class KnownNow:
    """Looks into the known state of the streams.

    Args:
        of_accounts: the known state of each account. What they hold is the same, what each doubts is its own.
        lock: held by the streams while they change it, and until that is kept.
    """

    def __init__(self, of_accounts: Sequence[KnownInstructions], lock: AbstractContextManager[object]) -> None:
        self._of_accounts = of_accounts
        self._lock = lock

    def of(self, resource_id: str) -> Sequence[KnownInstruction]:
        """What is instructed to a resource, certain or not: CAISO has the last word on an answer that somebody asked for."""
        with self._lock:
            record = self._of_accounts[0].entry(resource_id)
        return record.instructions

    def certain(self) -> Mapping[str, Sequence[KnownInstruction]]:
        """What is instructed to each resource of which CAISO was heard and nothing is in doubt.

        After a restart, or while CAISO does not confirm it, an instruction may have been answered otherwise meanwhile, or
        withdrawn: nobody asked for an answer to that.
        """
        with self._lock:
            records = self._of_accounts[0].entries.items()
            sure = {resource_id: record for resource_id, record in records if record.batches and self._is_certain(resource_id)}
        return {resource_id: record.instructions for resource_id, record in sure.items()}

    def _is_certain(self, resource_id: str) -> bool:
        told = [known_state for known_state in self._of_accounts if known_state.is_of(resource_id)]
        is_heard = any(known_state.complete and not known_state.is_failing for known_state in told)
        return is_heard and not any(known_state.spoken(resource_id).state for known_state in told)


@dataclass(frozen=True)
class Answering:
    """Whoever answers instructions, and two connections: many commands hold back no event, and what others say waits for us."""

    bus: Bus
    hearing: Bus
    responder: Responder

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Answer meanwhile. At the end what CAISO is asked is waited for, and replied to."""
        with ExitStack() as running:
            for connection in (self.hearing, self.bus):
                connection.start()
                running.callback(connection.stop)
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
        TlsFileUnusable: a certificate, its key or the CA bundle cannot be used.
    """
    sender, clock, count = shared.sender, shared.clock, shared.meters.answers
    quick = settings.model_copy(update={"keepalive_s": min(settings.keepalive_s, KEEPALIVE_S)})
    bus = Bus(quick, f"{sender.source}/answers", clock=clock, receive_maximum=COMMANDS_AT_ONCE)
    hearing = Bus(quick, f"{sender.source}/heard", clock=clock, session_s=HEARING_S)
    log = AnswerLog(shared.outbox, sender, committed=shared.committed, clock=clock)
    settling = Settling(bus, log, sender, clock=clock, count=lambda outcome: count.labels(outcome).inc())
    now, instances = KnownNow(known.instructions, known.lock), Instances(sender.source)
    caiso_clock = _caiso_clock_of([streams for _account, streams in asked], clock)

    def judge(answer: Asked) -> Result | None:
        return log.judge(answer, now.of(answer.resource_id), caiso_clock())

    accounts = [
        _wire_account(
            account,
            connected.enter_context(closing(wire_connection(account.settings, clock))),
            shared,
            log,
            judge=judge,
            settle=settling.settle,
        )
        for account, _streams in asked
    ]
    shared.meters.watch_answers(lambda: sum(account.waiting for account in accounts))
    has_rules = bool(sender.installation.acceptance_rules)
    responder = Responder(
        bus,
        hearing,
        sender,
        log,
        settling,
        judge=judge,
        account_of=lambda resource_id: _seeing(accounts, resource_id, known.sights),
        accounts=accounts,
        automatic=(lambda give: AutomaticAnswers(log, now.certain, instances, give)) if has_rules else None,
        instances=instances,
        is_shared=settings.protocol == "5",
    )
    return Answering(bus, hearing, responder)


def _wire_account(
    account: Account, connection: AdsConnection, shared: Shared, log: AnswerLog, *, judge: Judge, settle: Settle
) -> AccountAnswers:
    def failed(failure: AdsFailure) -> None:
        shared.meters.failures.labels(failure.kind).inc()
        if failure.content:
            name = f"{failure.question.operation}-{failure.question.batch_uid}-{failure.kind}.xml"
            shared.quarantine.keep(failure.content, name, shared.clock())

    return AccountAnswers(
        account.name,
        AdsClient(connection),
        claim=lambda answer: log.claim(answer, TOLD_WITHIN_S, TURN_WITHIN_S),
        judge=judge,
        settle=settle,
        failed=failed,
        let_go=connection.close,
    )


def _seeing(accounts: Sequence[AccountAnswers], resource_id: str, sights: Sights) -> AccountAnswers | None:
    """The account whose certificate sees a resource: the only one, or the first to which CAISO has named it."""
    seeing = (account for account in accounts if len(accounts) == 1 or resource_id in sights.of(account.name))
    return next(seeing, None)


def _caiso_clock_of(clients: Sequence[Ads], clock: Callable[[], datetime]) -> Callable[[], datetime]:
    """The time by CAISO's clock, as far as any account knows how it differs from ours."""

    def now() -> datetime:
        offsets_s = (client.clock_offset_s for client in clients)
        return clock() + timedelta(seconds=next((offset_s for offset_s in offsets_s if offset_s is not None), 0.0))

    return now
