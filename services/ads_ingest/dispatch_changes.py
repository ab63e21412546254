"""Dispatch changes: what a dispatch batch makes of what is known - DOTs, instructions and the batches that they are of.

All of it or nothing: events, states and cursor go into the outbox in one transaction, and what cannot be kept was never known.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain

from ads_ingest.batches.contradictions import told_apart, word_of
from ads_ingest.batches.open_batch import ASKED_SOON, OpenBatch, may_last_until
from ads_ingest.batches.open_batches import OpenBatches, restore_dots
from ads_ingest.batches.views import Views
from ads_ingest.caiso import Ads
from ads_ingest.known.from_batches import Judge, fold_dots, fold_instructions, restore_instructions, withdraw_instructions
from ads_ingest.known.unreadable import is_dot_unreadable, is_other_unreadable, unreadable_of
from ads_ingest.publishing import Publisher
from ads_ingest.translate import Sender, translate_dispatch, translate_header
from caiso.ads import WHOLE_CACHE
from caiso.ads.records import DispatchBatch
from dotbus.contracts.instruction_states import Status, is_nothing_by_status
from dotbus.contracts.messages import Dispatch, DispatchBatchHeader, Dot
from dotbus.contracts.schedules import DOT_BATCH_TYPES
from dotbus.setpoints.intervals import is_undecided, open_from, open_until
from dotbus.setpoints.schedules import DotSchedule


class DispatchChanges:
    """Makes them.

    Args:
        caiso: by whose clock it was heard.
        publisher: where they go.
        sender: who passes them on.
        batches: what is known of each.
        views: which of them this account is shown, and the others are.
        clock: the wall clock.
        note_seen: told which resources CAISO names, where that matters.
    """

    def __init__(
        self,
        caiso: Ads,
        publisher: Publisher[DotSchedule, Dot],
        sender: Sender,
        *,
        batches: OpenBatches,
        views: Views,
        clock: Callable[[], datetime],
        note_seen: Callable[[Collection[str]], None] = lambda _resources: None,
    ) -> None:
        self._publisher = publisher
        self._sender = sender
        self._batches = batches
        self._views = views
        publisher.known_state.judge = Judge(caiso, batches, publisher.known_state, publisher.instructions).judge
        self._clock = clock
        self._note_seen = note_seen
        self._listed: Sequence[DispatchBatchHeader] = ()
        self._looked_through = publisher.cursor != WHOLE_CACHE
        self._listed_at: datetime | None = None
        batches.restore_told(publisher.missing, publisher.had, clock() - 2 * ASKED_SOON)  # that has waited already
        restore_dots(batches, publisher.known_state, clock())
        if publisher.instructions:
            restore_instructions(batches, publisher.instructions, clock())
        views.restore(publisher.told_otherwise, clock())

    def begin_anew(self, set_back_by: timedelta) -> None:
        """The clock was set back: all that CAISO has is to be had again.

        Raises:
            sqlite3.Error: the outbox cannot keep anything.
        """
        self._batches.read_anew(self._clock())
        with self._publisher.lock:
            self._publisher.begin_anew(set_back_by, self._clock())

    def note_listed(self, listed: Sequence[DispatchBatchHeader], now: datetime) -> None:
        """CAISO listed batches, in this round."""
        self._listed = listed
        self._listed_at = self._listed_at or now
        self._batches.note_listed(listed, now)

    def pass_on(self, document: DispatchBatch, asked_at: datetime) -> list[str]:
        """Pass a batch on, or leave everything as it was. Returns what nobody can read, which speaks against its resources.

        Args:
            document: the batch.
            asked_at: when CAISO was asked for it: it may be otherwise since.

        Raises:
            sqlite3.Error: the outbox cannot keep anything.
        """
        known_state, instructions = self._publisher.known_state, self._publisher.instructions
        entries, known = dict(known_state.entries), self._batches.get(document.header.batch_uid)
        instructed = dict(instructions.entries) if instructions else {}
        try:
            return self._pass_on(document, asked_at)
        except Exception:
            known_state.take_back(entries)
            if instructions:
                instructions.take_back(instructed)
            self._batches.take_back(known)
            self._views.compare(document.header.batch_uid)
            raise

    def _pass_on(self, document: DispatchBatch, asked_at: datetime) -> list[str]:
        now, header = self._clock(), translate_header(document.header)
        named = document.resources
        self._note_seen(named)
        before = self._named_before(header.batch_uid)
        anybody = self._anybody() if document.is_ownerless and not is_nothing_by_status(header.batch_status) else frozenset()
        unnamed = self._views.unnamed(header, named | anybody, before)
        events = translate_dispatch(document, self._sender, now, unnamed.gone)
        self._fold(header, events, unnamed.over, now)
        unreadable_in = {event.resource_id: unreadable_of(event) for event in events}
        unread = [each for each in events if unreadable_in[each.resource_id]]
        others_in_doubt = {each.resource_id for each in unread if is_other_unreadable(each)} | anybody
        in_doubt = {each.resource_id for each in events if is_undecided(each)} | document.nameless | anybody
        in_doubt |= {each.resource_id for each in unread if is_dot_unreadable(each)}
        in_doubt |= {resource_id for resource_id in unnamed.awaited - unnamed.over if before[resource_id] is not None}
        instructed = tuple(chain.from_iterable(event.instructions for event in events))
        unreadable = list(dict.fromkeys(chain.from_iterable(unreadable_in.values())))
        unreadable += [f"an instruction of {resource_id} without a UID" for resource_id in sorted(document.nameless)]
        unreadable += ["an instruction without a resource"] if anybody else []
        untold = may_last_until(header, now) if unreadable else None
        until = max((at for at in (open_until(header, instructed), untold) if at), default=None)
        words = self._words_of(event for event in events if event.resource_id in named)
        words_of_all, begins_at = {**dict.fromkeys(named, ""), **words}, open_from(header, instructed)
        self._batches.note_had(header, until, in_doubt, min(asked_at, now), words_of_all, begins_at, others_in_doubt)
        self._views.note(header, named, unnamed)
        self.commit(self._compared(header.batch_uid, events, words), self._settled_to(), had=header, news_only=True)
        return unreadable

    def _anybody(self) -> frozenset[str]:
        """All resources that this account may be told of."""
        return frozenset(filter(self._publisher.known_state.is_of, self._publisher.known_state.entries))

    def _words_of(self, events: Iterable[Dispatch]) -> Mapping[str, str]:
        """What a batch comes to for each resource, which is compared with what other accounts were told of it."""
        if not self._publisher.known_state.is_one_of_several:
            return {}
        return {event.resource_id: word_of(event) for event in events}

    def _compared(self, batch_uid: str, events: Sequence[Dispatch], words: Mapping[str, str]) -> Sequence[Dispatch]:
        """The events of a batch, told apart where another account was told otherwise; that it was is kept."""
        if not self._publisher.known_state.is_one_of_several:
            return events
        self._views.compare(batch_uid)
        self._publisher.keep_told_otherwise(self._views.told_otherwise())
        return [self._told_apart(each) if each.resource_id in words else each for each in events]

    def _told_apart(self, event: Dispatch) -> Dispatch:
        kept = [each for each in self._publisher.kept(event.id) if isinstance(each, Dispatch)]
        return told_apart(event, kept, word_of)

    def _fold(self, header: DispatchBatchHeader, events: Sequence[Dispatch], over: Collection[str], now: datetime) -> None:
        """Put a batch into what is known. What any account was told is cancelled stays so in that revision, and without one."""
        told = {event.resource_id for event in events}
        if header.batch_status != Status.CANCELLED and self._views.is_cancelled(header):
            events, over = (), told.union(over)
        else:
            self._reopen(header, told)
        fold_dots(self._publisher.known_state, header, events, over)
        if instructions := self._publisher.instructions:
            fold_instructions(instructions, header, events, over, now)

    def _reopen(self, header: DispatchBatchHeader, told: Collection[str]) -> None:
        """Of what was contradicted the same revision is news."""
        dots, instructions = self._publisher.known_state, self._publisher.instructions
        batch = self._batches.get(header.batch_uid)
        for resource_id in batch.contested.intersection(told) if batch else ():
            dots.put(resource_id, dots.entry(resource_id).reopened(header.batch_uid, header.revision_no))
            if instructions:
                entry = instructions.entry(resource_id)
                instructions.put(resource_id, entry.reopened(header.batch_uid, header.revision_no))

    def withdraw(self, batch: OpenBatch) -> None:
        """Take the DOTs of a batch away by its header alone. Of a cancel every resource is told while nobody knows its own.

        Raises:
            sqlite3.Error: the outbox cannot keep anything.
        """
        with self._publisher.lock:
            self._views.note_cancelled(batch.header)
            self._withdraw_at_once(batch)

    def _withdraw_at_once(self, batch: OpenBatch) -> None:
        named = self._named_by(batch.batch_uid)
        if not named and batch.header.batch_status == Status.CANCELLED and batch.header.batch_type in DOT_BATCH_TYPES:
            named = self._anybody()
        if batch.header.batch_type is None or batch.header.batch_type in DOT_BATCH_TYPES:
            self._withdraw_from(batch.batch_uid, batch.header.revision_no, batch.until, named)
        if batch.instructs_nothing:
            self._withdraw_instructions(batch)
        self.commit(news_only=True)

    def withdraw_replaced(self, batch: OpenBatch) -> None:
        """Take away what a batch said in older revisions than its header, which nobody could read. It is kept with the next."""
        held, newest = self._named_before(batch.batch_uid), batch.header.revision_no or 0
        older = [resource_id for resource_id, revision in held.items() if (revision or 0) < newest]
        self._withdraw_from(batch.batch_uid, None, None, older)
        self._withdraw_instructions(batch)

    def _withdraw_from(
        self, batch_uid: str, revision_no: int | None, until: datetime | None, resources: Collection[str]
    ) -> None:
        known_state = self._publisher.known_state
        for resource_id in resources:
            known_state.put(resource_id, known_state.entry(resource_id).without_batch(batch_uid, revision_no, until))

    def _withdraw_instructions(self, batch: OpenBatch) -> None:
        if self._publisher.instructions:
            withdraw_instructions(self._publisher.instructions, batch, self._named_by(batch.batch_uid), self._clock())

    def commit(
        self,
        events: Sequence[Dispatch] = (),
        cursor: str | None = None,
        *,
        had: DispatchBatchHeader | None = None,
        news_only: bool = False,
    ) -> None:
        """Keep events, the states that are due by now, the cursor, if it moves, and that a batch was had.

        Raises:
            sqlite3.Error: nothing of it was kept.
        """
        with self._publisher.lock:
            now = self._clock()
            cursor = self._publisher.cursor if cursor is None else cursor
            events_only = self._knows_a_part_only(now)
            self._publisher.commit(now, events, cursor, had=had, news_only=news_only, events_only=events_only)

    def commit_round(self) -> None:
        """The same at the end of a round, when all that is new was asked for; what is settled is let go of.

        Raises:
            sqlite3.Error: nothing of it was kept.
        """
        self._looked_through |= all(batch.had for batch in self._batches.told(self._clock()))
        self._publisher.known_state.complete |= self._batches.lacks_none(self._clock())
        if self._publisher.instructions:
            self._publisher.instructions.complete = self._publisher.known_state.complete
        self.commit(cursor=self._settled_to())
        with self._publisher.lock:
            self._batches.forget_settled(self._needed(), self._clock())
            self._publisher.forget_had(frozenset(batch.batch_uid for batch in self._batches.every()), self._clock())

    def _knows_a_part_only(self, now: datetime) -> bool:
        """Whether nothing of before is known, and what CAISO lists was asked for in part only.

        A state that is made of it would pass for all that holds. What takes longer speaks against the states by then.
        """
        return not self._looked_through and self._listed_at is not None and now - self._listed_at <= ASKED_SOON

    def _settled_to(self) -> str:
        """The last listed batch before the first that has to be listed again after a restart."""
        cursor, now = self._publisher.cursor, self._clock()
        for header in self._listed:
            if not self._batches.is_settled(header.batch_uid, now):
                break
            cursor = header.batch_uid
        return cursor

    def _needed(self) -> frozenset[str]:
        """The batches that CAISO lists, and those that a state is made of."""
        in_states = (
            interval.batch_uid for entry in self._publisher.known_state.entries.values() for interval in entry.intervals
        )
        return frozenset(in_states) | {header.batch_uid for header in self._listed}

    def _named_by(self, batch_uid: str) -> frozenset[str]:
        """The resources of this account that a batch has named, as far as that is known: a revision may leave some out."""
        entries, batch = self._publisher.known_state.entries.items(), self._batches.get(batch_uid)
        held = {resource for resource, entry in entries if any(one.batch_uid == batch_uid for one in entry.intervals)}
        return frozenset(filter(self._publisher.known_state.is_of, held.union(batch.resources if batch else ())))

    def _named_before(self, batch_uid: str) -> dict[str, int | None]:
        """The same, each with the revision in which it is held; None when nothing of it is."""
        return {resource: self._held_revision(batch_uid, resource) for resource in self._named_by(batch_uid)}

    def _held_revision(self, batch_uid: str, resource_id: str) -> int | None:
        intervals = self._publisher.known_state.entry(resource_id).intervals
        held = [one.revision_no or 0 for one in intervals if one.batch_uid == batch_uid]
        if self._publisher.instructions:
            said = self._publisher.instructions.entry(resource_id).batches.get(batch_uid)
            held += [said.revision_no or 0] if said and said.instructions else []
        return max(held, default=None)
