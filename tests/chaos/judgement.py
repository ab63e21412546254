"""Judgement: what the simulator told, held against what the database holds. Pure: facts in, what is wrong out."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TypeVar

import msgspec
from chaos.market import Key
from chaos.rows import ComplianceRow, DopRow, InstructionRow, PriceRow, StreamRow
from chaos.volume import RESOURCES, TOGETHER_AGAIN, mw_of

from dotbus.runtime.outbox.sequence import SequenceRanges
from launcher.look.sent import SentBatch, SentDop

SHOWN = 3
NOTED_WITHIN = 2 * TOGETHER_AGAIN
"""So many events of the source of many may be on its disk before it could write down how many."""
KEPT_WITHIN = timedelta(seconds=5)
"""What was told so long before its client was disturbed may not have been kept yet."""
ASKED_WITHIN = timedelta(minutes=30)
"""From the first group of nodes that is asked for to the last one, on a machine that is busy."""
_NEVER = datetime(1, 1, 1, tzinfo=UTC)
Gaps = Mapping[tuple[str, str], SequenceRanges]
_RANGE = re.compile(r"[\[(](\d+),(\d+)[\])]")


class ToldBatch(msgspec.Struct, frozen=True):
    """A revision that the simulated ADS gave to its client, and when it was first."""

    told_at: datetime
    batch: SentBatch


class SentCompliance(msgspec.Struct, frozen=True):
    """One compliance record."""

    compliance_uid: str
    resource_id: str
    start_at: datetime
    expected_mwh: float
    compliance_flag: str


class SentTrajectory(msgspec.Struct, frozen=True):
    """A trajectory batch, all of it."""

    batch_uid: str
    received_at: datetime
    dops: tuple[SentDop, ...]
    compliance: tuple[SentCompliance, ...]


class SentAll(msgspec.Struct, frozen=True):
    """What ADS has issued: each batch as it is now."""

    batches: tuple[SentBatch, ...]
    trajectories: tuple[SentTrajectory, ...]


@dataclass(frozen=True)
class Disturbance:
    """Something that kept a source from keeping what it was told."""

    source: str
    kind: str
    begun: datetime
    ended: datetime


def instruction_rows(batch: SentBatch) -> list[InstructionRow]:
    """A batch as it should be in the database."""
    return [
        InstructionRow(
            batch.batch_uid, batch.revision_no, batch.batch_status, each.instruction_uid, each.resource_id, each.dot_mw
        )
        for each in batch.instructions
    ]


def dispatch_faults(
    told: Sequence[ToldBatch], held: Sequence[InstructionRow], wanted: Collection[str], disturbed: Sequence[Disturbance]
) -> tuple[list[str], int]:
    """What is wrong with CAISO's instructions, and how many revisions were replaced before they could be kept.

    Of batches that are not `wanted` something may still be on its way.
    """
    expected = {row: each.told_at for each in told for row in instruction_rows(each.batch)}
    newest = {each.batch.batch_uid: each.batch.revision_no for each in sorted(told, key=lambda each: each.batch.revision_no)}
    missing = {row for row in expected.keys() - set(held) if row.batch_uid in wanted}
    excused = {row for row in missing if row.revision_no < newest[row.batch_uid] and _was_disturbed(expected[row], disturbed)}
    faults = [
        *_some("instruction is missing", missing - excused),
        *_some("instruction was never told", set(held) - expected.keys()),
        *_some("instruction is there twice", _twice(held)),
    ]
    return faults, len({(row.batch_uid, row.revision_no) for row in excused})


def newest_faults(batches: Iterable[SentBatch], latest: Collection[InstructionRow]) -> list[str]:
    """Where the newest revision is another than CAISO's."""
    expected = {row for batch in batches for row in instruction_rows(batch)}
    return [
        *_some("newest instruction is not there", expected - set(latest)),
        *_some("newest instruction is not CAISO's", set(latest) - expected),
    ]


def trajectory_faults(
    sent: Sequence[SentTrajectory], until: datetime, dops: Sequence[DopRow], compliance: Sequence[ComplianceRow]
) -> list[str]:
    """What is wrong with the trajectories. Of those received after `until` something may still be on its way."""
    wanted = {batch.batch_uid for batch in sent if batch.received_at < until}
    expected_dops = {
        DopRow(batch.batch_uid, dop.dop_uid, dop.resource_id, dop.dop_mw, dop.target_at, dop.sequence_number)
        for batch in sent
        for dop in batch.dops
    }
    expected_compliance = {
        ComplianceRow(
            batch.batch_uid, each.compliance_uid, each.resource_id, each.start_at, each.expected_mwh, each.compliance_flag
        )
        for batch in sent
        for each in batch.compliance
    }
    return [
        *_differences("DOP", expected_dops, wanted, dops),
        *_differences("compliance record", expected_compliance, wanted, compliance),
    ]


R = TypeVar("R", DopRow, ComplianceRow)


def _differences(what: str, expected: Collection[R], wanted: Collection[str], held: Sequence[R]) -> list[str]:
    return [
        *_some(f"{what} is missing", {row for row in set(expected) - set(held) if row.batch_uid in wanted}),
        *_some(f"{what} was never told", set(held) - set(expected)),
        *_some(f"{what} is there twice", _twice(held)),
    ]


def price_faults(now: Mapping[Key, float], published: Mapping[Key, Sequence[float]], latest: Sequence[PriceRow]) -> list[str]:
    """What is wrong with the newest prices; intervals that the ingest does not ask for any more are not in `now`.

    The nodes are asked for in groups, one after another, each from so long before its own turn: the later, the later it begins.
    What only some have at the beginning of all is therefore not missing.
    """
    held = {(row.node, row.interval_start): row.lmp_usd_per_mwh for row in latest}
    asked_from = min((row.interval_start for row in latest), default=_NEVER) + ASKED_WITHIN
    wrong = {key for key, lmp in now.items() if held.get(key) != lmp and (key in held or key[1] >= asked_from)}
    return _some(
        "price is not the published one", {(*key, held.get(key), now[key], tuple(published.get(key, ()))) for key in wrong}
    )


def price_history_faults(
    published: Mapping[Key, Sequence[float]],
    model: Callable[[Key], float | None],
    rows: Sequence[PriceRow],
    *,
    may_repeat: bool,
) -> tuple[list[str], int]:
    """Prices that nobody published, in another order than published, or said twice in a row; and how many are corrections.

    Args:
        published: the prices of what was corrected, in their order.
        model: the price of what was not.
        rows: every revision, oldest first within a node and interval.
        may_repeat: the ingest was set back, so it may have told again what it did not know that it told.
    """
    unknown, disordered, repeated, corrections = set(), set(), set(), 0
    for key, group in groupby(rows, key=lambda row: (row.node, row.interval_start)):
        held = [row.lmp_usd_per_mwh for row in group]
        allowed = published.get(key) or [model(key)]
        without = [lmp for place, lmp in enumerate(held) if not place or held[place - 1] != lmp]
        corrections += len(without) - 1
        if set(held) - set(allowed):
            unknown.add((*key, tuple(held), tuple(allowed)))
        elif not _is_part_in_order(without, allowed):
            disordered.add((*key, tuple(held), tuple(allowed)))
        if len(without) < len(held) and not may_repeat:
            repeated.add((*key, tuple(held)))
    faults = [
        *_some("price was never published", unknown),
        *_some("prices are in another order than published", disordered),
        *_some("price is there twice", repeated),
    ]
    return faults, corrections


def _is_part_in_order(held: Sequence[float], allowed: Sequence[float | None]) -> bool:
    remaining = iter(allowed)
    return all(lmp in remaining for lmp in held)


def volume_faults(told: int, rows: Iterable[tuple[int, float, str]]) -> list[str]:
    """What is wrong with the events of the source of many, of which so many were told at least."""
    count: Counter[int] = Counter()
    wrong = set()
    for number, mw, resource_id in rows:
        count[number] += 1
        if mw != mw_of(number) or resource_id != f"VOLUME_{number % RESOURCES}":
            wrong.add((number, mw, resource_id))
    last = max(count, default=0)
    return [
        *_some(
            "event of the source of many is missing", {number for number in range(1, max(told, last) + 1) if not count[number]}
        ),
        *_some("event of the source of many is there twice", {number for number, times in count.items() if times > 1}),
        *_some("event of the source of many was never told", {number for number in count if number > told + NOTED_WITHIN}),
        *_some("event of the source of many has other values", wrong),
    ]


def gaps(streams: Iterable[StreamRow]) -> Gaps:
    """Of each source and stream the numbers that neither came nor are given up, though later ones came."""
    found = {}
    for row in streams:
        known = SequenceRanges.of((int(first), int(end) - 1) for first, end in _RANGE.findall(row.received + row.lost))
        last = known.ranges[-1][1] if known.ranges else 0
        found[row.source, row.stream] = SequenceRanges.of(known.missing(1, last))
    return found


def stream_faults(before: Gaps | None, now: Gaps) -> list[str]:
    """Numbers that were missing when it was looked before, and still are: others may be on their way. None: look again."""
    if before is None:
        return ["gaps are looked at a second time"]
    still = {key: before[key].common(missing).ranges for key, missing in now.items() if key in before}
    return _some("stream has a gap", {(*key, *part) for key, parts in still.items() for part in parts})


def lost_faults(lost: Iterable[tuple[str, str, int, int]], restored: Collection[str]) -> list[str]:
    """What is given up, but for streams that ended because their outbox was replaced by an older one."""
    return _some("events are given up", {row for row in lost if row[0] not in restored})


def order_faults(found: Iterable[tuple[str, int]], ended: Collection[str]) -> list[str]:
    """Events whose numbers are in another order than they were told, but for streams that ended by a restored outbox."""
    return _some("event is out of order", {row for row in found if row[0] not in ended})


def number_faults(found: Iterable[tuple[str, int]], ended: Collection[str]) -> list[str]:
    """Numbers of a stream that stand for two events: gaps of it cannot be seen.

    Where an outbox is restored and the broker forgets how far its stream went, that happens, and the stream ends by it.
    """
    return _some("number stands for two events", {row for row in found if row[0] not in ended})


def ended_streams(streams: Iterable[StreamRow], restored: Collection[str]) -> set[str]:
    """The streams of sources whose outbox was restored, but the newest of each."""
    return {
        row.stream
        for _, of_source in groupby(sorted(streams), key=lambda row: row.source)
        for row in sorted(of_source, key=lambda row: row.origin_no)[:-1]
        if row.source in restored
    }


def foreign_faults(letters: Iterable[tuple[str, str, str]]) -> list[str]:
    """Dead letters that the hostile publisher did not say."""
    return _some("dead letter of ours", set(letters))


def _was_disturbed(told_at: datetime, disturbed: Sequence[Disturbance]) -> bool:
    return any(
        each.source == "ads_ingest" and each.begun - KEPT_WITHIN <= told_at <= each.ended + KEPT_WITHIN for each in disturbed
    )


def _twice(rows: Iterable[Hashable]) -> set[Hashable]:
    return {row for row, times in Counter(rows).items() if times > 1}


def _some(what: str, found: Collection[Hashable]) -> list[str]:
    """One line for a kind of fault: how many and the first of them."""
    if not found:
        return []
    first = ", ".join(str(tuple(map(str, row)) if isinstance(row, tuple) else row) for row in sorted(found, key=str)[:SHOWN])
    return [f"{len(found)} times: {what}: {first}"]
