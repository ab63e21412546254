"""Write check: what can be wrong with what a map lets SCADA write, each mistake with its key and what to do."""

from collections.abc import Collection, Iterator
from typing import Final

from dotbus.contracts.messages.telemetry import misfit_of_point
from dotbus.runtime.installation.modbus import Addresses, RegisterType, Table
from dotbus.runtime.installation.modbus_writes import Answer, Commit, Writable, Write
from dotbus.runtime.settings.mistakes import Location, Mistake, key_of
from modbus_gateway.map.addressing import ADDRESSES, written
from modbus_gateway.map.checks.check import Area
from modbus_gateway.map.checks.file_facts import FileFacts, why_it_does_not_fit
from modbus_gateway.map.checks.point_check import INTEGER_SCALE_LEAST, SCALE_LEAST, SCALE_MOST
from modbus_gateway.map.form import digits_of
from modbus_gateway.map.writable import TYPES, Writables, form_of, place_of, unit_of, writable_of

_OF_NUMBERS: Final = ("scale", "offset", "word_order", "byte_order", "least", "most")
_NAMED: Final = {"least": "min", "most": "max"}
_DECIDE: Final = ("unit_id", "table", "address", "type", "point", "quality", "places")
"""Keys that decide which registers something takes."""


def check_writable(facts: FileFacts) -> tuple[Writables, list[Area], list[Mistake]]:
    """What SCADA may write, the addresses that it takes, and what is wrong. With mistakes nothing is writable."""
    modbus = facts.file.installation.modbus
    mistakes: list[Mistake] = []
    areas: list[Area] = []
    for key, i, one in modbus.writable:
        mistakes += _check(one, facts, at := ("modbus", key, i))
        has_place = all(facts.file.is_as_given(*at, name) for name in _DECIDE)
        if has_place and (one.table is Table.HOLDING or (one.table is Table.COIL and isinstance(one, Write))):
            areas.append(_area(one, facts, at))
    mistakes += _check_once(facts)
    is_whole = not mistakes and not facts.file.refused
    known = all(one.resource in facts.members for ones in (modbus.writes, modbus.answers) for one in ones)
    return writable_of(modbus, facts.members) if is_whole and known else Writables(), areas, mistakes


def not_of_plant(facts: FileFacts, plant: str) -> Iterator[Mistake]:
    """What a gateway that runs as a plant may not say: a gateway speaks for one plant, whose name is its instance."""
    for key, i, one in facts.file.installation.modbus.writable:
        if isinstance(one, Write | Answer):
            member = facts.members.get(one.resource)
            if member and member.plant != plant:
                told = (
                    f"{one.resource!r} is a resource of plant {member.plant!r}, for which only a gateway of that name speaks; "
                    f"this one is {plant!r}: set MODBUS_GATEWAY_INSTANCE={member.plant}, with a file of its own for each plant"
                )
                yield from facts.tell(("modbus", key, i), "resource", told)


def never_written(facts: FileFacts, roles: Collection[str]) -> Iterator[Mistake]:
    """What nobody could ever write.

    Args:
        facts: of the file.
        roles: of certificates, that may write at all; none where none can come.
    """
    modbus = facts.file.installation.modbus
    for key, i, one in modbus.writable:
        at = ("modbus", key, i)
        for role in one.roles or ():
            if role not in roles:
                told = (
                    f"{role!r} may not write at all: it is not in MODBUS_GATEWAY_TLS_READ_WRITE_ROLES, or there is no TLS port"
                )
                yield from facts.tell(at, "roles", told)
        networks = one.allow_from if one.roles is not None or one.allow_from is not None else modbus.allow_writes_from
        if one.roles is None and not networks and not roles:
            told = "is missing, and [modbus] allow_writes_from too: nobody may write here, without a certificate or with one"
            yield from facts.tell(at, "allow_from", told)


def _area(one: Writable, facts: FileFacts, at: Location) -> Area:
    place = place_of(one)
    notation = facts.file.installation.modbus.addresses
    return Area(key_of(at), place.unit_id, place.table, place.start, place.length, notation=notation)


def _check(one: Writable, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    allowed = (Table.HOLDING, Table.COIL) if isinstance(one, Write) else (Table.HOLDING,)
    if one.table not in allowed:
        told = f"{one.table} cannot be written: it is {' or '.join(allowed)}"
        key = "address" if facts.file.installation.modbus.addresses is Addresses.CLASSIC else "table"
        yield from facts.tell(at, key, told, "address")
        return
    if place_of(one).end > ADDRESSES and all(facts.file.is_as_given(*at, name) for name in _DECIDE):
        most = written(facts.file.installation.modbus.addresses, one.table, ADDRESSES - 1)
        yield from facts.tell(at, "address", f"does not end before the last address of a unit, {most}")
    yield from _check_writers(one, facts, at)
    match one:
        case Write():
            yield from facts.unknown_resource(one.resource, at, "resource")
            yield from _check_point(one, facts, at)
            yield from _check_unit(one, facts, at)
        case Answer():
            yield from facts.unknown_resource(one.resource, at, "resource")
        case Commit():
            yield from _check_commit(one, facts, at)


def _check_writers(one: Writable, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """A role that no certificate can have is for the settings to know; here only whether anybody at all was thought of."""
    for name in dict.fromkeys(one.roles or ()):
        if (one.roles or ()).count(name) > 1:
            yield from facts.tell(at, "roles", f"{name!r} is named twice")


def _check_point(write: Write, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    form = form_of(write)
    if write.table.has_bits and write.type not in (None, RegisterType.BIT, RegisterType.BOOL):
        yield from facts.tell(at, "type", f"a coil is on or off, not a {write.type}", "table")
    elif not write.table.has_bits and form.type not in TYPES:
        yield from facts.tell(at, "type", f"a point is a number or a flag, which {write.type} is not", "table")
        return
    misfit = misfit_of_point(write.point, form.is_flag or 0.0, unit_of(write))
    if misfit:
        yield from facts.tell(at, "point", misfit, "type", "table", "unit")
    if form.is_flag:
        for name in (*_OF_NUMBERS, "unit"):
            if name in write.model_fields_set and not (name == "byte_order" and form.type is RegisterType.BOOL):
                yield from facts.tell(at, _NAMED.get(name, name), "means nothing for what is on or off", "type", "table")
        return
    yield from _check_scale(write, facts, at)
    if write.least is not None and write.most is not None and write.least > write.most:
        yield from facts.tell(at, "max", f"{digits_of(write.most)} is below min {digits_of(write.least)}", "min")
    for name, limit in (("min", write.least), ("max", write.most)):
        if limit is not None and write.scale and why_it_does_not_fit(limit, form):
            told = f"{form.type} with scale {write.scale:g} and offset {write.offset:g} cannot hold {name}, {limit:g}"
            yield from facts.tell(at, "type", told, "scale", "offset", name, "table")


def _check_scale(write: Write, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    form = form_of(write)
    least = SCALE_LEAST if form.is_float else INTEGER_SCALE_LEAST
    if write.scale != 1 and not least <= abs(write.scale) <= SCALE_MOST:
        told = f"{write.scale:g} is not between {least:g} and {SCALE_MOST:g} or their negatives: too much would be lost"
        yield from facts.tell(at, "scale", told, "type", "table")


def _check_unit(write: Write, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    """What the point needs of its unit's commit block. What is wrong with the block of another unit does not matter for it."""
    file, commits = facts.file, facts.file.installation.modbus.commits
    if not file.is_as_given("modbus", "commit", None, "unit_id"):
        return
    i, commit = next(((i, one) for i, one in enumerate(commits) if one.unit_id == write.unit_id), (None, None))
    if write.commit and commit is None:
        told = f"needs a [[modbus.commit]] at unit {write.unit_id}, by which it is confirmed"
        yield from facts.tell(at, "commit", told, "unit_id")
    may_watch = commit and (commit.watchdog_s is not None or not file.is_as_given("modbus", "commit", i, "watchdog_s"))
    if write.expires_after_s is None and not may_watch:
        told = (
            "is missing, how long a value counts that nobody writes again; or give the unit a [[modbus.commit]] with watchdog_s"
        )
        yield from facts.tell(at, "expires_after_s", told, "unit_id")


def _check_commit(commit: Commit, facts: FileFacts, at: Location) -> Iterator[Mistake]:
    modbus = facts.file.installation.modbus
    alike = [i for i, one in enumerate(modbus.commits) if one.unit_id == commit.unit_id]
    if at[-1] != alike[0]:
        yield from facts.tell(at, "unit_id", f"unit {commit.unit_id} has modbus.commit[{alike[0]}] already")
    written_at = {write.unit_id for write in modbus.writes}
    if facts.file.is_as_given("modbus", "write", None, "unit_id") and commit.unit_id not in written_at:
        yield from facts.tell(at, "unit_id", f"unit {commit.unit_id} has no [[modbus.write]] that it could be about")


def _check_once(facts: FileFacts) -> Iterator[Mistake]:
    """A point that is written at two places has two writers, and nobody knows which one counts."""
    first: dict[tuple[str, str], int] = {}
    for i, write in enumerate(facts.file.installation.modbus.writes):
        known = first.setdefault((write.resource, write.point), i)
        if known != i:
            told = f"{write.point!r} of {write.resource!r} is written by modbus.write[{known}] already"
            yield from facts.tell(("modbus", "write", i), "point", told, "resource")
