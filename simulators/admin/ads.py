"""What may be asked and told about ADS: the truth to hold a client's copy against, and what CAISO does besides its plan."""

from collections.abc import Callable, Mapping
from typing import Annotated, TypeVar

import msgspec

from simulators.admin.app import Order, Query, Read, Refused, order
from simulators.admin.records import answered_call, sent_batch, sent_trajectory, utc_text
from simulators.admin.scale import large_dispatch, large_trajectory
from simulators.ads.clients import Rights
from simulators.ads.dispatches import Kind
from simulators.ads.ledger import UnknownBatch
from simulators.ads.market import Order as MarketOrder
from simulators.ads.operations import Ads
from simulators.ads.records import BatchStatus, DispatchBatch

_Count = Annotated[int, msgspec.Meta(ge=0, le=20_000)]
_Some = Annotated[int, msgspec.Meta(ge=1, le=20_000)]


class BatchOrder(msgspec.Struct, frozen=True):
    """A batch."""

    batch_uid: str


class Revision(msgspec.Struct, frozen=True):
    """Another DOT for a resource in a batch."""

    batch_uid: str
    resource_id: str
    dot_mw: float


class StatusOrder(msgspec.Struct, frozen=True):
    """Another status for a batch."""

    batch_uid: str
    status: BatchStatus


class Loss(msgspec.Struct, frozen=True):
    """A batch that is lost, to one client when it is given."""

    batch_uid: str
    client: str | None = None


class IssueOrder(msgspec.Struct, frozen=True):
    """A batch of a kind for the running interval; to the resources that are given, else to whose turn it is."""

    kind: Kind
    resources: tuple[str, ...] = ()
    dot_mw: float | None = None
    min_accept_mw: float | None = None


class Grant(msgspec.Struct, frozen=True):
    """What a client sees and may do."""

    client: str
    resources: tuple[str, ...] = ("*",)
    may_respond: bool = True


class LargeDispatch(msgspec.Struct, frozen=True):
    """A five-minute batch to made resources."""

    resources: _Some
    details: _Count = 8


class LargeTrajectories(msgspec.Struct, frozen=True):
    """Trajectory batches of made resources."""

    batches: _Some
    resources: _Some = 1
    points: _Count = 1


class AdsAdmin:
    """The truth about ADS, and orders to it."""

    def __init__(self, ads: Ads, interval_s: int) -> None:
        self._ads = ads
        self._interval_s = interval_s
        self._large_trajectories = 0

    @property
    def reads(self) -> Mapping[str, Read]:
        """What can be read, by path."""
        return {
            "/sent": self._sent,
            "/told": self._told,
            "/told/trajectories": self._told_trajectories,
            "/answers": self._answers,
            "/clients": lambda _: self._clients(),
        }

    @property
    def orders(self) -> Mapping[str, Order]:
        """What can be ordered, by path."""
        ledger = self._ads.ledger
        return {
            "/cancel": _changing(self, BatchOrder, lambda o: ledger.set_status(o.batch_uid, BatchStatus.EMERGENCY_CANCELLED)),
            "/status": _changing(self, StatusOrder, lambda o: ledger.set_status(o.batch_uid, o.status)),
            "/revise": _changing(self, Revision, lambda o: ledger.revise(o.batch_uid, o.resource_id, o.dot_mw)),
            "/set_back": _changing(self, BatchOrder, lambda o: ledger.set_back(o.batch_uid)),
            "/issue": _changing(self, IssueOrder, self._issue),
            "/forget": order(Loss, self._forget),
            "/clients": order(Grant, self._grant),
            "/large_dispatch": order(LargeDispatch, self._issue_large),
            "/large_trajectories": order(LargeTrajectories, self._issue_large_trajectories),
        }

    def _sent(self, query: Query) -> dict[str, object]:
        """All that ADS has issued and still keeps, as one client sees it when it is named."""
        self.advance()
        rights = self._ads.clients.rights(query["client"]) if "client" in query else Rights()
        batches = filter(None, map(rights.dispatch, self._ads.ledger.dispatches()))
        trajectories = filter(None, map(rights.trajectory, self._ads.ledger.trajectories()))
        return {"batches": list(map(sent_batch, batches)), "trajectories": list(map(sent_trajectory, trajectories))}

    def _told(self, query: Query) -> list[dict[str, object]]:
        """Every revision of a dispatch batch that a client was given, those that were replaced since as well."""
        return [
            {"told_at": utc_text(each.told_at), "client": each.client, "batch": sent_batch(each.batch)}
            for each in self._ads.told.dispatches(query.get("client"))
        ]

    def _told_trajectories(self, query: Query) -> list[dict[str, object]]:
        return [
            {"told_at": utc_text(each.told_at), "client": each.client, "batch": sent_trajectory(each.batch)}
            for each in self._ads.told.trajectories(query.get("client"))
        ]

    def _answers(self, query: Query) -> list[dict[str, object]]:
        answers = self._ads.answers.all()
        return [answered_call(each) for each in answers if query.get("client") in (None, each.client)]

    def _clients(self) -> list[dict[str, object]]:
        return [
            {"client": client, "resources": list(rights.resources), "may_respond": rights.may_respond}
            for client, rights in self._ads.clients.named().items()
        ]

    def _grant(self, said: Grant) -> list[dict[str, object]]:
        self._ads.clients.grant(said.client, Rights(said.resources, said.may_respond))
        return self._clients()

    def _issue(self, said: IssueOrder) -> DispatchBatch:
        wanted = MarketOrder(said.kind, said.resources, said.dot_mw, said.min_accept_mw)
        return self._ads.ledger.issue(wanted, self._ads.clock())

    def _forget(self, said: Loss) -> dict[str, object]:
        self.advance()
        try:
            if said.client is None:
                self._ads.ledger.forget(said.batch_uid)
            else:
                self._ads.clients.lose(said.client, said.batch_uid)
        except UnknownBatch as error:
            raise Refused(str(error)) from error
        return {"batch_uid": said.batch_uid, "client": said.client}

    def _issue_large(self, said: LargeDispatch) -> dict[str, object]:
        self.advance()
        batch = large_dispatch(self._ads.clock(), self._interval_s, said.resources, said.details)
        self._ads.ledger.add(batch)
        return {"batch_uid": batch.batch_uid}

    def _issue_large_trajectories(self, said: LargeTrajectories) -> dict[str, object]:
        self.advance()
        uids = []
        for _ in range(said.batches):
            self._large_trajectories += 1
            batch = large_trajectory(self._ads.clock(), self._large_trajectories, said.resources, said.points)
            self._ads.ledger.add(batch)
            uids.append(batch.batch_uid)
        return {"batch_uids": uids}

    def advance(self) -> None:
        """Let the ledger come to the present."""
        self._ads.ledger.advance(self._ads.clock())


S = TypeVar("S", bound=msgspec.Struct)


def _changing(admin: AdsAdmin, says: type[S], change: Callable[[S], DispatchBatch]) -> Order:
    """An order that changes a batch, and answers with it."""

    def act(said: S) -> dict[str, object]:
        admin.advance()
        try:
            return sent_batch(change(said))
        except (UnknownBatch, ValueError) as error:
            raise Refused(str(error)) from error

    return order(says, act)
