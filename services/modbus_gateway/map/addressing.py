"""Addressing: the same address as the protocol has it, from 1, and as SCADA packages write it. Pure.

Classic addresses have a first digit for the table (0 coil, 1 discrete input, 3 input register, 4 holding register) and count
from 1 behind it: in 5 digits up to 9999, in 6 up to 65536. Holding register 0 of the protocol is 40001 or 400001.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeVar

from dotbus.runtime.installation.file import InstallationFile
from dotbus.runtime.installation.modbus import Addresses, Block, BlockChange, Line, Point, SixDigits, Table
from dotbus.runtime.installation.modbus_writes import Answer, Commit, Writable, Write
from dotbus.runtime.settings.mistakes import Location, Mistake, key_of

_Placed = TypeVar("_Placed", Block, BlockChange, Line, Point, Write, Commit, Answer)
ADDRESSES: Final = 65536
"""How many a table has."""
DIGIT: Final = {Table.COIL: 0, Table.DISCRETE: 1, Table.INPUT: 3, Table.HOLDING: 4}
_TABLE: Final = {digit: table for table, digit in DIGIT.items()}
_FIVE: Final = 10_000
_SIX: Final = 100_000


def written(notation: Addresses, table: Table, address: int) -> str:
    """An address of the protocol in a notation."""
    match notation:
        case Addresses.FROM_0:
            return str(address)
        case Addresses.FROM_1:
            return str(address + 1)
        case Addresses.CLASSIC:
            return f"{DIGIT[table]}{address + 1:0{4 if address + 1 < _FIVE else 5}}"


def table_of(block: Block) -> Table:
    """The table that a block's address is told in: the first that it is shown in, of registers unless it has none."""
    return next((table for table in Table if table in block.tables), Table.HOLDING)


def from_0(file: InstallationFile) -> tuple[InstallationFile, list[Mistake]]:
    """A file with the addresses of the protocol in it, and those that are none in the notation that it states.

    An address that is refused is as one that could not be read.
    """
    modbus = file.installation.modbus
    wrong: dict[Location, str] = {}

    def placed(one: _Placed, at: Location) -> _Placed:
        told = _update(one, modbus.addresses)
        if isinstance(told, str):
            wrong[at] = told
            told = {"address": 0}
        if isinstance(one, Block):
            told["changes"] = tuple(placed(change, (*at, "change", j)) for j, change in enumerate(one.changes))
            told["additions"] = tuple(placed(line, (*at, "add", j)) for j, line in enumerate(one.additions))
        return one.model_copy(update=told)

    blocks = tuple(placed(block, ("modbus", "block", i)) for i, block in enumerate(modbus.blocks))
    points = tuple(placed(point, ("modbus", "point", i)) for i, point in enumerate(modbus.points))
    writes = tuple(placed(write, ("modbus", "write", i)) for i, write in enumerate(modbus.writes))
    commits = tuple(placed(commit, ("modbus", "commit", i)) for i, commit in enumerate(modbus.commits))
    answers = tuple(placed(answer, ("modbus", "answer", i)) for i, answer in enumerate(modbus.answers))
    placed_all = {"blocks": blocks, "points": points, "writes": writes, "commits": commits, "answers": answers}
    of_protocol = modbus.model_copy(update=placed_all)
    installation = file.installation.model_copy(update={"modbus": of_protocol})
    refused = file.refused.union((*at, "address") for at in wrong)
    return replace(file, installation=installation, refused=refused), list(_mistakes(file, wrong))


def _mistakes(file: InstallationFile, wrong: Mapping[Location, str]) -> Iterator[Mistake]:
    for at, reason in wrong.items():
        if all(file.is_as_given(*place) for place in ((*at, "address"), (*at, "table"), ("modbus", "addresses"))):
            yield Mistake(file.where, key_of((*at, "address")), reason)


def _update(one: Block | BlockChange | Line | Writable, notation: Addresses) -> dict[str, object] | str:
    """What of a table of the file is otherwise in the protocol, or why its address is none."""
    if one.address is None or "address" not in one.model_fields_set:
        return {}
    read = _read(one.address, notation)
    if isinstance(read, str):
        return read
    table, address = read
    if table is None or isinstance(one, BlockChange):
        return {"address": address}
    if isinstance(one, Block):
        told = f"{one.address} is in table {table}, in which this block is not: its first digit is {DIGIT[table_of(one)]}"
        return {"address": address} if table in one.tables else told
    if "table" in one.model_fields_set and one.table is not table:
        return f"{one.address} is in table {table}, and table says {one.table}: leave table out, the first digit says it"
    return {"address": address, "table": table}


def read_address(text: str, notation: Addresses) -> tuple[Table | None, int] | str:
    """An address of digits in a notation: the table that it names, if it does, and the address from 0; or why it is none."""
    is_long_coil = notation is Addresses.CLASSIC and len(text) > len("00001") and text.startswith("0")
    return _read(SixDigits(text) if is_long_coil else int(text), notation)


def _read(address: int, notation: Addresses) -> tuple[Table | None, int] | str:
    """The table that an address names, if it does, and the address from 0; or why it is none."""
    if notation is Addresses.CLASSIC:
        return _classic(address)
    first = 1 if notation is Addresses.FROM_1 else 0
    if not first <= address < ADDRESSES + first:
        return f"{address} is not between {first} and {ADDRESSES - 1 + first}, as addresses that are {notation} are"
    return None, address - first


def _classic(address: int) -> tuple[Table | None, int] | str:
    six_digits = address >= _SIX or isinstance(address, SixDigits)
    digit, number = divmod(address, _SIX if six_digits else _FIVE)
    table = _TABLE.get(digit)
    if table is None or not 1 <= number <= ADDRESSES:
        return f"{address} is no address in 4xxxx: 0, 1, 3 or 4 for the table and then 0001 to 9999, or 00001 to 65536"
    return table, number - 1
