"""Instruction board: what CAISO instructs every resource besides five-minute DOTs, and what speaks against it.

A board as that of the DOTs, filled from the same batches in the same transaction. Its doubts are its own: a commitment that
cannot be had says nothing against a DOT, and a five-minute batch nothing against an award.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from ads_ingest.board import VALID_FOR_LEAST, Board, Judgement, configured_in, refresh_of, restored
from ads_ingest.doubts import Doubts
from ads_ingest.known_instructions import InstructionBook
from ads_ingest.open_batch import ASKED_SOON, Known, OpenBatch, known_of
from ads_ingest.open_batches import OpenBatches
from ads_ingest.translate import Sender
from dotbus.contracts.instruction_states import Status, is_nothing_by_status
from dotbus.contracts.instruction_times import is_binding
from dotbus.contracts.messages import Dispatch, DispatchBatchHeader, Instructions
from dotbus.contracts.schedules import BatchType, Schedule

InstructionBoard = Board[InstructionBook, Instructions]


def instruction_board(sender: Sender, kept: Mapping[str, bytes], valid_for: timedelta = VALID_FOR_LEAST) -> InstructionBoard:
    """What is instructed, taken up where the kept states left it."""
    said = restored(sender, kept, Instructions)
    books = {state.resource_id: InstructionBook.of_state(state) for state in said}

    def make_state(resource_id: str, book: InstructionBook, judgement: Judgement) -> Instructions:
        return Instructions(
            environment=sender.environment,
            source=sender.source,
            time=judgement.now,
            plant=sender.installation.plant_of(resource_id),
            resource_id=resource_id,
            heard_at=judgement.heard_at,
            valid_until=judgement.valid_until,
            reasons=judgement.reasons.state,
            received_at=book.received_at,
            instructions=book.instructions,
            withdrawn=book.withdrawn,
        )

    topic = sender.instructions_topic
    return Board(configured_in(sender), InstructionBook(), books, said, make_state, topic, refresh_of(sender), valid_for)


def restore_instructions(batches: OpenBatches, board: InstructionBoard, now: datetime) -> None:
    """After a restart: the batches of the kept states are open until the last that they instructed is over."""
    for resource_id, book in board.books.items():
        for said in book.batches.values() if board.is_of(resource_id) else ():
            batches.restore(known_of(said.batch_uid, said.revision_no, said.batch_type), resource_id, said.until, now)


def fold_instructions(board: InstructionBoard, header: DispatchBatchHeader, events: Sequence[Dispatch]) -> None:
    """Put a batch into the books of its resources, and take it out of those that its revision no longer names."""
    named = {event.resource_id for event in events}
    for event in events:
        _put(board, event.resource_id, board.book(event.resource_id).with_dispatch(event))
    for resource_id, book in tuple(board.books.items()):
        said = book.batches.get(header.batch_uid)
        if said and said.instructions and resource_id not in named and board.is_of(resource_id):
            told_at = max((event.time for event in events), default=said.told_at)
            _put(board, resource_id, book.without_batch(header, said.until, told_at))


def withdraw_instructions(board: InstructionBoard, batch: OpenBatch, named: Collection[str], now: datetime) -> None:
    """Take away what a batch instructed by its header alone. Of a cancel every resource is told while nobody knows its own."""
    header = batch.header
    if not named and header.batch_status == Status.CANCELLED and header.batch_type != BatchType.FIVE_MINUTE:
        named = frozenset(filter(board.is_of, board.books))
    holding = frozenset(name for name, book in board.books.items() if header.batch_uid in book.batches and board.is_of(name))
    for resource_id in holding | (frozenset(named) if header.batch_type != BatchType.FIVE_MINUTE else frozenset()):
        _put(board, resource_id, board.book(resource_id).without_batch(header, batch.until, now))


def judge_instructions(board: InstructionBoard, batches: OpenBatches, now: datetime) -> Mapping[str, datetime]:
    """Say what speaks against each state. Returns of each resource the oldest of CAISO's last words on the batches in it."""
    concerned = _concerned(board, batches.every())
    doubts = [_doubted(batch, now, batches.vouched) for batch in concerned]
    resources = frozenset(resource for each in doubts for resource in each.resources)
    found = Doubts(resources, everyone=any(each.everyone for each in doubts))
    board.doubts = dict.fromkeys(Schedule, found)
    confirmed: dict[str, datetime] = {}
    for batch in concerned:
        if batch.confirmed_at and batch.had and batch.until > now and _may_instruct(batch):
            for resource_id in batch.resources - found.resources:
                confirmed[resource_id] = min(batch.confirmed_at, confirmed.get(resource_id, batch.confirmed_at))
    return confirmed


def _concerned(board: InstructionBoard, batches: Iterable[OpenBatch]) -> list[OpenBatch]:
    """The batches that these states rest on: of every type but five-minute, and such a one that is in a state."""
    held = {uid for book in board.books.values() for uid in book.batches}
    return [batch for batch in batches if batch.header.batch_type != BatchType.FIVE_MINUTE or batch.batch_uid in held]


def _may_instruct(batch: OpenBatch) -> bool:
    return batch.header.batch_status != Status.CANCELLED and is_binding(batch.header.binding_flag)


def _doubted(batch: OpenBatch, now: datetime, vouched: timedelta) -> Doubts:
    """Whose states a batch speaks against: what was never had also when it may be over, since only its document tells that."""
    is_never_had = batch.known is Known.LISTED and not batch.is_given_up
    if not _may_instruct(batch) or not (batch.until > now or is_never_had):
        return Doubts()
    if batch.is_missing:
        is_asked_soon = not batch.failures and now - batch.ask_at <= ASKED_SOON
        if is_asked_soon or (batch.had and is_nothing_by_status(batch.header.batch_status)):
            return Doubts()
        return Doubts(batch.resources, everyone=batch.known is Known.LISTED and not batch.resources)
    return Doubts(batch.resources if batch.is_unconfirmed(now, vouched) else batch.in_doubt)


def _put(board: InstructionBoard, resource_id: str, book: InstructionBook) -> None:
    if book != board.book(resource_id):
        board.put(resource_id, book)
