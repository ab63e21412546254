"""Steps: what a write request comes to, given what its unit knows. All of a request is taken, or nothing. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from modbus_gateway.map.form import digits_of
from modbus_gateway.map.writable import NoValue, WritablePoint, Writables, read_words
from modbus_gateway.wire.images.image import Refusal
from modbus_gateway.wire.writing import Client
from modbus_gateway.writes.requests import Part, Piece
from modbus_gateway.writes.unit import Now, Result, Staging, Step, Taken, UnitState, Written, identity_of, refused

Entry = tuple[WritablePoint, bytes]
"""A point, and the words that are written to it."""
Refusing = dict[tuple[str, str], tuple[str, str]]
"""For each point that is wrong what refuses it, and why in words."""


def write(state: UnitState, of_unit: Writables, pieces: Sequence[Piece], client: Client, now: Now) -> Step:
    """What a request comes to of a client that may write all of it.

    Args:
        state: the unit, of which time has been let act.
        of_unit: what is written there.
        pieces: what is written, to points and to the registers of a commit.
        client: who writes.
        now: the time.
    """
    points = [(piece.slot.owner, piece.words) for piece in pieces if isinstance(piece.slot.owner, WritablePoint)]
    step = _write(state, of_unit, pieces, points, client, now)
    if step.refusal is None:
        return replace(step, state=_heard(step.state, pieces, now, takes=bool(points or step.written)))
    told = {one.point for one in step.written}
    untold = [entry for entry in points if entry[0] not in told]  # whatever of it was wrong, all of the request is refused
    return replace(step, written=(*step.written, *_all_refused(state, untold, client, {})))


def _write(
    state: UnitState, of_unit: Writables, pieces: Sequence[Piece], points: Sequence[Entry], client: Client, now: Now
) -> Step:
    """The same, but for what every refusal tells of and who was heard by it."""
    at_once = [entry for entry in points if not entry[0].needs_commit]
    to_confirm = [entry for entry in points if entry[0].needs_commit]
    sequence = next((int.from_bytes(piece.words) for piece in pieces if piece.slot.part is Part.SEQUENCE), None)
    if wrong := _wrong(at_once):
        return Step(state, _all_refused(state, at_once, client, wrong), Refusal.COUNT)
    if foreign := _foreign(state, to_confirm, client, confirms=sequence is not None):
        return foreign
    step = _take(_stage(state, of_unit, to_confirm, client, now), at_once, client, now)
    if sequence is None:
        return step
    commit = _commit(state, step.state, sequence, client, now)
    if commit.refusal:
        return commit
    unkept = replace(state, answered=sequence, outcome=Result.NOT_KEPT, since=None, wrong=None)
    return Step(commit.state, (*step.written, *commit.written), unkept=unkept)


def why_not(point: WritablePoint, words: bytes) -> tuple[str, str] | None:
    """Why words are no value that a point takes: what refuses it, and in words. None when they are one."""
    value = read_words(words, point.form)
    if isinstance(value, NoValue):
        return "value", value.reason
    if isinstance(value, bool) or value is None:
        return None
    shown = f"{digits_of(value)} {point.unit or ''}".strip()
    if point.least is not None and value < point.least:
        return "limits", f"{shown} is below {digits_of(point.least)}"
    if point.most is not None and value > point.most:
        return "limits", f"{shown} is above {digits_of(point.most)}"
    return None


def _wrong(entries: Sequence[Entry]) -> Refusing:
    return {point.key: why for point, words in entries if (why := why_not(point, words))}


def _all_refused(state: UnitState, entries: Sequence[Entry], client: Client, wrong: Refusing) -> tuple[Written, ...]:
    """The wrong values, and with them those that were right: half of what belongs together is not taken."""
    beside = ("commit", "what was written with it was refused")
    return tuple(refused(state, point, client, words, *wrong.get(point.key, beside)) for point, words in entries)


def _foreign(state: UnitState, entries: Sequence[Entry], client: Client, *, confirms: bool) -> Step | None:
    """What one client has staged is not for another one to add to, or to confirm."""
    staging = state.staging
    if staging is None or identity_of(staging.client) == identity_of(client) or not (entries or confirms):
        return None
    told = f"{identity_of(staging.client)} has staged values here and not confirmed them yet"
    concerned = entries or list(staging.words.values())
    return Step(
        state, tuple(refused(state, point, client, words, "commit", told) for point, words in concerned), Refusal.FAILURE
    )


def _stage(state: UnitState, of_unit: Writables, entries: Sequence[Entry], client: Client, now: Now) -> UnitState:
    """The time to confirm counts from the first value: who goes on staging does not put it off."""
    if not entries:
        return state
    staging = state.staging or Staging(client, now.seconds + of_unit.commits[0].commit_within_s, {})
    words = {**staging.words, **{point.key: (point, words) for point, words in entries}}
    return replace(state, staging=replace(staging, words=words))


def _take(state: UnitState, entries: Sequence[Entry], client: Client, now: Now) -> Step:
    """All of these, of which each is a value."""
    taken = dict(state.taken)
    written: list[Written] = []
    for point, words in entries:
        value = read_words(words, point.form)
        if isinstance(value, NoValue):
            raise TypeError(value.reason)  # it was looked at before
        taken[point.key] = Taken(value, now, client)
        written.append(Written(point, client, state.value(point), value, None, "taken"))
    return Step(replace(state, taken=taken), tuple(written))


def _commit(before: UnitState, state: UnitState, sequence: int, client: Client, now: Now) -> Step:
    """Confirm what is staged.

    Args:
        before: the unit before the request; what holds of it when the commit is refused.
        state: the unit with what the same request wrote.
        sequence: the number that was written.
        client: who writes.
        now: the time.
    """
    entries = list(state.staging.words.values()) if state.staging else []
    was_answered = sequence == before.answered and before.outcome is not Result.NOT_KEPT
    if sequence == 0 or (entries and was_answered):
        told = ("commit", "its sequence number is 0, or was answered before")
        written = _all_refused(before, entries, client, {point.key: told for point, _words in entries})
        return Step(replace(before, since=Result.SEQUENCE, wrong=None), written, Refusal.COUNT)
    if not entries:
        return _nothing_staged(before, state, sequence)
    if wrong := _wrong(entries):
        first = next(point for point, _words in entries if point.key in wrong)
        result = Result.LIMITS if wrong[first.key][0] == "limits" else Result.NO_VALUE
        answered = replace(before, staging=None, answered=sequence, outcome=result, since=None, wrong=first)
        return Step(answered, _all_refused(before, entries, client, wrong), Refusal.COUNT)
    confirmed = replace(state, staging=None, answered=sequence, outcome=Result.TAKEN, since=None, wrong=None)
    return _take(confirmed, entries, client, now)


def _nothing_staged(before: UnitState, state: UnitState, sequence: int) -> Step:
    """The same number again is the question what became of it: a reply may have been lost on its way."""
    if sequence == before.answered:
        if before.outcome is Result.TAKEN:
            return Step(replace(state, since=None))
        return Step(replace(before, since=None), (), Refusal.COUNT)
    outcome = Result.TOO_LATE if before.since is Result.TOO_LATE else Result.NOTHING_STAGED
    return Step(replace(before, answered=sequence, outcome=outcome, since=None, wrong=None), (), Refusal.COUNT)


def _heard(state: UnitState, pieces: Sequence[Piece], now: Now, *, takes: bool) -> UnitState:
    """A counter that stands still is a driver that repeats what a controller said which is gone; so is a number of a commit.

    Args:
        state: the unit afterwards.
        pieces: what was written.
        now: the time.
        takes: whether a value of the request was taken or staged, or any by its commit.
    """
    heartbeat = next((int.from_bytes(piece.words) for piece in pieces if piece.slot.part is Part.HEARTBEAT), None)
    goes_on = heartbeat is not None and heartbeat != state.heartbeat
    if goes_on or takes:
        state = replace(state, heard_s=now.seconds)
    return state if heartbeat is None else replace(state, heartbeat=heartbeat)
