"""Codes: numbers of registers that stand for words, for whoever reads them live. Pure."""

from collections.abc import Mapping
from typing import Final

from dotbus.contracts.alarms import CODE_OF
from modbus_gateway.map.quantities import ALARM, BATCH_TYPE, COMMITMENT, FRESH, SCHEDULE

_WORDS: Final[Mapping[str, Mapping[int, str]]] = {
    COMMITMENT: {1: "start-up", 2: "shut-down", 3: "other"},
    SCHEDULE: {1: "five-minute", 2: "hourly", 3: "both"},
    ALARM: {code: rule.value for rule, code in CODE_OF.items()},
    BATCH_TYPE: {0: "five-minute", 1: "hourly", 4: "exceptional"},
}
_BITS: Final[Mapping[str, tuple[str, ...]]] = {FRESH: ("DOT", "trajectory", "price", "instructions", "clocks")}


def in_words(number: float, unit: str) -> str | None:
    """What a number stands for, by its unit; None where it is a number and no more."""
    if unit in _BITS:
        return ", ".join(name for bit, name in enumerate(_BITS[unit]) if int(number) >> bit & 1) or "none"
    if unit not in _WORDS:
        return None
    word = _WORDS[unit].get(int(number))
    return f"{number:.0f} {word}" if word else f"{number:.0f}"
