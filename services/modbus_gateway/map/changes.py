"""Map changes: what SCADA would read elsewhere, or in another form, once one register map takes the place of another. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from dotbus.runtime.installation.modbus import Table
from modbus_gateway.map.register_map import SERVED, Entry, RegisterMap

_Meaning = tuple[str, str]
"""A quantity and whose it is."""


@dataclass(frozen=True)
class Change:
    """An address at which not the same stands any more.

    Attributes:
        before: what began there, None for nothing.
        after: what begins there, None for nothing.
        goes_to: where that which was there stands now; None when nowhere, or still there.
        comes_from: where that which is there stood before; None when it is new, or was there.
    """

    unit_id: int
    table: Table
    address: int
    before: Entry | None
    after: Entry | None
    goes_to: int | None = None
    comes_from: int | None = None

    def __str__(self) -> str:
        place = f"unit {self.unit_id}, {self.table.value} {self.address}"
        return f"{place}: {self._was()} -> {self._is()}"

    @property
    def _means_the_same(self) -> bool:
        return bool(self.before and self.after and _meaning(self.before) == _meaning(self.after))

    def _was(self) -> str:
        if self.before is None:
            return "nothing"
        where = f"now at {self.goes_to}" if self.goes_to is not None else "served no more"
        return str(self.before) + ("" if self._means_the_same else f" ({where})")

    def _is(self) -> str:
        if self.after is None:
            return "nothing"
        where = f"before at {self.comes_from}" if self.comes_from is not None else "new"
        return str(self.after) + ("" if self._means_the_same else f" ({where})")


def changes_between(before: RegisterMap, after: RegisterMap) -> list[Change]:
    """Every address of every unit at which something else stands, or stands in another form."""
    old, new = _by_table(before), _by_table(after)
    return [change for key in sorted(old.keys() | new.keys()) for change in _in_table(*key, old.get(key, ()), new.get(key, ()))]


def compare_maps(before: RegisterMap, after: RegisterMap) -> tuple[list[str], bool]:
    """What moves when one register map takes the place of another, as lines for people, and whether anything does.

    Each address that says something else has a line, and each unit one with its hash, the `map_hash` that SCADA reads; so has
    what the values come from, when that changes.
    """
    changes = changes_between(before, after)
    lines = [str(change) for change in changes]
    accepted = [", ".join(sorted(register_map.judging.accept_environments)) for register_map in (before, after)]
    if accepted[0] != accepted[1]:
        lines.append(f"all units: values come from {accepted[0]} -> {accepted[1]}")
    for unit_id in sorted(before.units | after.units):
        was, now = (register_map.hashes.get(unit_id) for register_map in (before, after))
        if was == now:
            lines.append(f"unit {unit_id}: map_hash {now}, nothing moves")
        else:
            count = sum(change.unit_id == unit_id for change in changes)
            told = " -> ".join("not served" if number is None else f"map_hash {number}" for number in (was, now))
            lines.append(f"unit {unit_id}: {told}, {count} addresses say something else")
    return lines, bool(changes) or accepted[0] != accepted[1]


def _by_table(register_map: RegisterMap) -> Mapping[tuple[int, Table], Sequence[Entry]]:
    found: defaultdict[tuple[int, Table], list[Entry]] = defaultdict(list)
    for entry in register_map.entries:
        found[entry.unit_id, entry.table].append(entry)
    return found


def _in_table(unit_id: int, table: Table, old: Sequence[Entry], new: Sequence[Entry]) -> Iterator[Change]:
    moved = _moves(old, new)
    origins = {(meaning, to): origin for (meaning, origin), to in moved.items()}
    was, now = ({(entry.address, entry.quantity == SERVED): entry for entry in entries} for entries in (old, new))
    for place in sorted(was.keys() | now.keys()):
        address, before, after = place[0], was.get(place), now.get(place)
        if before != after:
            goes_to = moved.get((_meaning(before), address)) if before else None
            comes_from = origins.get((_meaning(after), address)) if after else None
            yield Change(unit_id, table, address, before, after, goes_to, comes_from)


def _moves(old: Sequence[Entry], new: Sequence[Entry]) -> dict[tuple[_Meaning, int], int]:
    """To which address each meaning went from an address at which it is no more. What is served twice may have moved twice."""
    was, now = _addresses(old), _addresses(new)
    moved: dict[tuple[_Meaning, int], int] = {}
    for meaning, addresses in was.items():
        left = [address for address in addresses if address not in now[meaning]]
        taken = [address for address in now[meaning] if address not in addresses]
        moved |= {(meaning, origin): to for origin, to in zip(left, taken, strict=False)}
    return moved


def _addresses(entries: Sequence[Entry]) -> defaultdict[_Meaning, list[int]]:
    found: defaultdict[_Meaning, list[int]] = defaultdict(list)
    for entry in entries:
        found[_meaning(entry)].append(entry.address)
    return found


def _meaning(entry: Entry) -> _Meaning:
    return entry.quantity, entry.whose
