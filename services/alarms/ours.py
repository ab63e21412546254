"""Ours: what this process says of itself, on the bus and to whoever asks whether it is well."""

from dataclasses import dataclass
from datetime import datetime

from alarms.keeping import Keeping
from alarms.others import STANDBY, Others
from alarms.out.receivers import Receivers
from dotbus.contracts.messages import ServiceStatus
from dotbus.runtime.outbox.courier import Courier
from dotbus.runtime.outbox.outbox import Outbox
from dotbus.runtime.presence import Identity
from dotbus.runtime.schedule import lasting_s


@dataclass(frozen=True)
class Ours:
    """The parts that know how it is."""

    identity: Identity
    outbox: Outbox
    keeping: Keeping
    others: Others
    courier: Courier
    receivers: Receivers

    def status(self, now: datetime) -> ServiceStatus:
        """For the bus."""
        failing, besides = self.keeping.failing, self.others.complaint(now, lasting_s())
        complaints = [f"alarms cannot be kept: {failing}"] if failing else []
        complaints += [*([besides] if besides else []), *self.receivers.complaints]
        redundancy = None if self.others.keeps else STANDBY
        return self.identity.status(now, outbox=self.outbox.span(), complaints=complaints, redundancy=redundancy)

    def may_be_said(self) -> bool:
        """Whether what we say of alarms stands on this connection, or another one says it."""
        return self.others.stands_by(lasting_s()) or (self.courier.settled and self.courier.caught_up)

    def health(self, *, is_alive: bool, is_connected: bool) -> dict[str, object]:
        """For whoever asks by HTTP."""
        keeps = self.keeping.failing is None
        known: dict[str, object] = {"stepped_back": True} if self.others.has_stepped_back else {}
        return known | {
            "alive": is_alive and not self.others.has_stepped_back and (self.courier.is_alive or not self.others.has_begun),
            "ready": is_connected and keeps and self.others.keeps,
            "broker": is_connected,
            "keeps": keeps,
        }
