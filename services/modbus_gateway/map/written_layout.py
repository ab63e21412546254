"""Written layout: what stands at each register of a commit and of an answer block. The one list behind the map and its docs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from dotbus.runtime.installation.modbus import RegisterType
from modbus_gateway.map.form import Form
from modbus_gateway.map.quantities import EPOCH, LEVEL
from modbus_gateway.map.writable import ANSWER_REGISTERS, REPLY_REGISTERS

_U16, _U32, _F32 = Form(RegisterType.UINT16), Form(RegisterType.UINT32), Form(RegisterType.FLOAT32)


Codes = Mapping[int | None, str]
"""What the numbers of a register stand for; None is 0xFFFF."""


@dataclass(frozen=True)
class Line:
    """One value of a block.

    Attributes:
        start: its first register, counted from the block's.
        name: what it is called in the map.
        told: what it is, in words.
        form: how it stands there.
        unit: of its number, or what the number means.
        codes: what each of its numbers stands for, where it is no number.
    """

    start: int
    name: str
    told: str
    form: Form = _U16
    unit: str = ""
    codes: Codes = field(default_factory=dict)

    @property
    def end(self) -> int:
        """The first register behind it."""
        return self.start + self.form.registers

    @property
    def meaning(self) -> str:
        """In words, with all of its numbers."""
        codes = (f"{'0xFFFF' if code is None else code} {word}" for code, word in self.codes.items())
        return f"{self.told}: {', '.join(codes)}" if self.codes else self.told


RESULTS: Final[Codes] = {
    0: "nothing yet",
    1: "taken",
    2: "nothing was staged",
    3: "not confirmed in time",
    4: "a value was none",
    5: "a value beyond its limits",
    6: "the number is 0 or was answered before",
    7: "it could not be kept",
}
ACTIONS: Final[Codes] = {1: "acknowledge (told to nobody, kept as a write)", 2: "accept", 3: "decline", 4: "partial"}
OUTCOMES: Final[Codes] = {
    0: "nothing yet",
    1: "sent",
    2: "taken by CAISO",
    3: "refused",
    4: "unknown (CAISO may have taken it)",
    5: "dry run",
    6: "no reply in time",
    7: "acknowledged",
}
REFUSED_BY: Final[Codes] = {
    0: "nothing",
    1: "command (the registers say no answer)",
    2: "commit (the sequence number)",
    3: "bus",
    4: "fault",
    5: "message",
    6: "topic",
    7: "environment",
    8: "time",
    9: "expired",
    10: "instruction",
    11: "window",
    12: "megawatts",
    13: "reason",
    14: "repeated",
    15: "answered",
    16: "account",
    17: "busy",
    18: "outbox",
    19: "broker",
    20: "unreachable",
    21: "caiso",
    255: "any other",
}
_TABLES: Final[Codes] = {0: "coil", 4: "holding register", None: "none"}
_WATCHDOG: Final[Codes] = {1: "SCADA writes", 0: "it is silent or never wrote", None: "the unit has none"}
COMMIT_WRITTEN: Final = (
    Line(0, "sequence", "sequence number, 1 to 65535, another one than last time: take what is staged, or nothing"),
    Line(1, "heartbeat", "heartbeat: any number that differs from the last. Reads that"),
)
COMMIT_STATUS: Final = (
    Line(2, "answered", "sequence number that was answered last, 0 before the first"),
    Line(3, "result", "result", codes=RESULTS),
    Line(4, "wrong_table", "table of the first point that was wrong", codes=_TABLES),
    Line(5, "wrong_address", "its address, from 0; 0xFFFF none"),
    Line(6, "staged", "how many values are staged"),
    Line(7, "staged_for_s", "seconds until they are gone, 0xFFFF without any", unit="s"),
    Line(8, "watchdog", "watchdog", codes=_WATCHDOG),
    Line(9, "silent_for_s", "seconds since the last write, 0xFFFF before the first", unit="s"),
    Line(10, "good_points", "how many points of the unit are good"),
    Line(11, "points", "how many it has"),
)
ANSWER_WRITTEN: Final = (
    Line(0, "instruction", "number of the instruction, from the places below", _U32),
    Line(2, "action", "what is answered", codes=ACTIONS),
    Line(3, "reason_code", "reason code of CAISO's, 10 to 16, to decline and to accept in part; else 0"),
    Line(4, "partial_mw", "megawatts of a partial answer; else NaN", _F32, "MW"),
    Line(6, "sequence", "sequence number, 1 to 65535, another one than last time: send it"),
)
ANSWER_STATUS: Final = (
    Line(7, "answered", "sequence number that was written last"),
    Line(8, "outcome", "outcome", codes=OUTCOMES),
    Line(9, "result_code", "CAISO's result code, 0xFFFF without one"),
    Line(10, "refused_by", "refused by, from 4 on in the words of a reply", codes=REFUSED_BY),
    Line(11, "reply", "the reply in words", Form(RegisterType.STRING, length=24)),
    Line(35, "list_quality", "quality of the list: 192, 64, 0", unit=LEVEL),
    Line(36, "open", "how many instructions can be answered, listed or not; 0xFFFF while the list is bad"),
)
PLACES_AT: Final = ANSWER_REGISTERS + REPLY_REGISTERS
"""Where the first place begins; what is between the status and it is reserved."""
PLACE_LINES: Final = (
    Line(0, "number", "number of the instruction, 0xFFFFFFFF where there is none", _U32),
    Line(2, "type", "instruction type of CAISO's, 0xFFFF without one"),
    Line(3, "batch_type", "batch type of CAISO's, 0xFFFF without one"),
    Line(4, "mw", "megawatts that are instructed, NaN without any", _F32, "MW"),
    Line(6, "start", "when it starts, 0xFFFFFFFF where there is none", _U32, EPOCH),
    Line(8, "answer_until", "when the time for answers ends, 0xFFFFFFFF without an end", _U32, EPOCH),
)
