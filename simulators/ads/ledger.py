"""What ADS has issued so far and what became of it: the cache of the last 24 hours behind the ADS services.

The only state of the simulated ADS. It moves when it is asked, by the time that it is given. Each change of a batch (an answer,
a revision, a cancellation, the end of its response period) raises its revision and puts it at the end of the list
again, so that a client that continues from the last UID it processed learns of it.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta

from simulators.ads.answers import timed_out
from simulators.ads.market import Market, Order
from simulators.ads.records import Batch, BatchStatus, BatchType, DispatchBatch, Instruction, TrajectoryBatch

CACHE = timedelta(hours=24)
WHOLE_CACHE = "-1"


class UnknownBatch(Exception):
    """A batch UID that is not in the cache: never issued, or older than the cache reaches.

    Attributes:
        batch_uid: as it was asked for.
    """

    def __init__(self, batch_uid: str) -> None:
        super().__init__(f"Batch UID {batch_uid!r} does not exist in the ADS API cache")
        self.batch_uid = batch_uid


class Ledger:
    """The cache: dispatch batches with their revisions, and trajectory batches.

    Args:
        market: what is issued.
        opened_at: nothing was issued before.
        is_withheld: whether a batch is never issued, although the market would.
    """

    def __init__(
        self, market: Market, opened_at: datetime, is_withheld: Callable[[Batch], bool] = lambda _batch: False
    ) -> None:
        self._market = market
        self._is_withheld = is_withheld
        self._issued_until = opened_at
        self._dispatches: dict[str, DispatchBatch] = {}
        self._before: dict[str, DispatchBatch] = {}
        self._order: list[tuple[str, int]] = []
        self._answerable: set[str] = set()
        self._trajectories: dict[str, TrajectoryBatch] = {}
        self._fetched: dict[tuple[str, str], int] = {}
        self._listed: dict[tuple[str, str], int] = {}
        self._ordered = 0

    def advance(self, now: datetime) -> None:
        """Issue what is due by `now`, end response periods that are over, forget what is older than the cache reaches."""
        for batch in self._market.issued(self._issued_until, now):
            self._end_response_periods(batch.received_at)
            if self._is_withheld(batch):
                continue
            self.add(batch)
        self._issued_until = max(self._issued_until, now)
        self._end_response_periods(now)
        self._forget(now - CACHE)

    def dispatches(self) -> list[DispatchBatch]:
        """Every dispatch batch of the cache in its newest revision, the last changed last."""
        return self._newest(self._order)

    def trajectories(self) -> list[TrajectoryBatch]:
        """Every trajectory batch of the cache in the order of receipt."""
        return list(self._trajectories.values())

    def dispatch(self, batch_uid: str) -> DispatchBatch:
        """The newest revision of a dispatch batch.

        Raises:
            UnknownBatch: the cache does not have it.
        """
        try:
            return self._dispatches[batch_uid]
        except KeyError:
            raise UnknownBatch(batch_uid) from None

    def dispatches_since(self, batch_uid: str, client: str) -> list[DispatchBatch]:
        """Batches issued or changed after the one named was listed to this client, -1 for all.

        A change of the named batch itself counts unless this client fetched it since (`note_fetched`); what came between that
        it listed the batch and that it fetched a newer revision of it counts in any case.

        Raises:
            UnknownBatch: the cache does not have it.
        """
        listed = self.dispatches() if batch_uid == WHOLE_CACHE else self._listed_since(batch_uid, client)
        self._listed |= {(client, batch.batch_uid): batch.revision_no for batch in listed}
        return listed

    def dispatches_behind(self, batch_uid: str) -> list[DispatchBatch]:
        """Batches issued or changed after the newest revision of the one named, -1 for all: what came between is left out.

        Raises:
            UnknownBatch: the cache does not have it.
        """
        newest = self.dispatches()
        if batch_uid == WHOLE_CACHE:
            return newest
        return newest[newest.index(self.dispatch(batch_uid)) + 1 :]

    def _listed_since(self, batch_uid: str, client: str) -> list[DispatchBatch]:
        newest, named = self.dispatch(batch_uid).revision_no, (client, batch_uid)
        fetched = self._fetched.get(named, newest)
        entry = batch_uid, min(self._listed.get(named, fetched), fetched)
        after = self._newest(self._order[self._order.index(entry) + 1 :])
        return [batch for batch in after if batch.batch_uid != batch_uid or fetched != newest]

    def note_fetched(self, batch: DispatchBatch, client: str) -> None:
        """A client was given this revision of a batch."""
        self._fetched[client, batch.batch_uid] = batch.revision_no

    def trajectory(self, batch_uid: str) -> TrajectoryBatch:
        """A trajectory batch.

        Raises:
            UnknownBatch: the cache does not have it.
        """
        try:
            return self._trajectories[batch_uid]
        except KeyError:
            raise UnknownBatch(batch_uid) from None

    def trajectories_since(self, batch_uid: str) -> list[TrajectoryBatch]:
        """Trajectory batches received after the one named, -1 for all.

        Raises:
            UnknownBatch: the cache does not have it.
        """
        if batch_uid == WHOLE_CACHE:
            return self.trajectories()
        self.trajectory(batch_uid)
        uids = list(self._trajectories)
        return [self._trajectories[uid] for uid in uids[uids.index(batch_uid) + 1 :]]

    def validate(self, batch_uid: str, client: str, now: datetime, sees: Callable[[str], bool]) -> None:
        """Note on each instruction not validated yet who received it and when. No revision: nobody has to hear of it.

        Only instructions to resources that the client `sees`.

        Raises:
            UnknownBatch: the cache does not have it.
        """
        batch = self.dispatch(batch_uid)
        instructions = tuple(
            replace(each, api_validated_at=now, api_validated_by=client)
            if each.api_validated_at is None and sees(each.resource_id)
            else each
            for each in batch.instructions
        )
        self._dispatches[batch_uid] = replace(batch, instructions=instructions)

    def answer(self, batch_uid: str, answered: Instruction) -> None:
        """Put an instruction back with the market participant's answer on it.

        Raises:
            UnknownBatch: the cache does not have the batch.
        """
        batch = self.dispatch(batch_uid)
        uid = answered.instruction_uid
        self._put(batch.revised(_changed(batch.instructions, lambda each: each.instruction_uid == uid, lambda _: answered)))

    def revise(self, batch_uid: str, resource_id: str, dot_mw: float) -> DispatchBatch:
        """CAISO changes the DOT of one resource in a batch that it has issued.

        Raises:
            UnknownBatch: the cache does not have it.
            ValueError: the batch has no DOT for the resource, or the DOT is not a finite number.
        """
        batch = self.dispatch(batch_uid)
        if not math.isfinite(dot_mw):
            raise ValueError(f"dot_mw {dot_mw} is not a finite number")
        if not any(each.resource_id == resource_id and each.dot_mw is not None for each in batch.instructions):
            raise ValueError(f"batch {batch_uid} has no DOT for resource {resource_id!r}")
        return self._put(
            batch.revised(
                _changed(
                    batch.instructions,
                    lambda each: each.resource_id == resource_id,
                    lambda each: replace(each, dot_mw=dot_mw, accept_dot_mw=None if each.accept_dot_mw is None else dot_mw),
                )
            )
        )

    def set_status(self, batch_uid: str, status: BatchStatus) -> DispatchBatch:
        """CAISO gives a batch and its instructions another status, such as an emergency cancel.

        Raises:
            UnknownBatch: the cache does not have it.
        """
        batch = self.dispatch(batch_uid)
        return self._put(batch.revised(_with_status(batch.instructions, status), status))

    def forget(self, batch_uid: str) -> None:
        """Lose a batch of either sort, though its interval lasts still. Nothing promises that CAISO does not.

        Raises:
            UnknownBatch: the cache does not have it.
        """
        if self._trajectories.pop(batch_uid, None):
            return
        self.dispatch(batch_uid)
        del self._dispatches[batch_uid]
        self._answerable.discard(batch_uid)
        self._order = [entry for entry in self._order if entry[0] != batch_uid]

    def set_back(self, batch_uid: str) -> DispatchBatch:
        """Say the revision before again, as a server that lags behind does.

        Raises:
            UnknownBatch: the cache does not have it, or never had another revision of it.
        """
        if self.dispatch(batch_uid).batch_uid not in self._before:
            raise UnknownBatch(batch_uid)
        return self._put(self._before[batch_uid])

    def issue(self, order: Order, now: datetime) -> DispatchBatch:
        """Issue a batch that was ordered, for the running interval.

        Raises:
            ValueError: no such batch can be made.
        """
        batch = self._market.ordered(order, now, self._ordered)
        self._ordered += 1
        return self._put(batch)

    def add(self, batch: Batch) -> None:
        """Issue a batch that was made elsewhere, received last of all."""
        if isinstance(batch, DispatchBatch):
            self._put(batch)
        else:
            self._trajectories[batch.batch_uid] = batch

    def _put(self, batch: DispatchBatch) -> DispatchBatch:
        if batch.batch_uid in self._dispatches:
            self._before[batch.batch_uid] = self._dispatches[batch.batch_uid]
        self._dispatches[batch.batch_uid] = batch
        self._order.append((batch.batch_uid, batch.revision_no))
        if batch.batch_type is BatchType.HOURLY and batch.batch_status is BatchStatus.ACTIVE:
            self._answerable.add(batch.batch_uid)
        else:
            self._answerable.discard(batch.batch_uid)
        return batch

    def _newest(self, entries: Iterable[tuple[str, int]]) -> list[DispatchBatch]:
        """Each batch once, at the place of its last change."""
        places = {uid: place for place, (uid, _) in enumerate(entries)}
        return [self._dispatches[uid] for uid, _ in sorted(places.items(), key=lambda item: item[1])]

    def _end_response_periods(self, now: datetime) -> None:
        for batch in [self._dispatches[uid] for uid in self._answerable]:
            if batch.expires_at <= now:
                answered = all(each.accept_status for each in batch.instructions)
                status = BatchStatus.CLOSED if answered else BatchStatus.TIMED_OUT
                self._put(batch.revised(_with_status(tuple(map(timed_out, batch.instructions)), status), status))

    def _forget(self, before: datetime) -> None:
        self._dispatches = {uid: each for uid, each in self._dispatches.items() if each.received_at >= before}
        self._before = {uid: each for uid, each in self._before.items() if uid in self._dispatches}
        self._trajectories = {uid: each for uid, each in self._trajectories.items() if each.received_at >= before}
        self._order = [entry for entry in self._order if entry[0] in self._dispatches]
        self._fetched = {key: revision for key, revision in self._fetched.items() if key[1] in self._dispatches}
        self._listed = {key: revision for key, revision in self._listed.items() if key[1] in self._dispatches}


def _changed(
    instructions: tuple[Instruction, ...],
    chosen: Callable[[Instruction], bool],
    change: Callable[[Instruction], Instruction],
) -> tuple[Instruction, ...]:
    """The instructions with the chosen ones changed and their revision raised."""
    return tuple(
        replace(change(each), revision_number=each.revision_number + 1) if chosen(each) else each for each in instructions
    )


def _with_status(instructions: tuple[Instruction, ...], status: BatchStatus) -> tuple[Instruction, ...]:
    return _changed(instructions, lambda _: True, lambda each: replace(each, status_code=status))
