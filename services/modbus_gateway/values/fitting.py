"""Fitting: whether registers can show what a reading says, and what speaks against it in the cell that shows it. Pure."""

from dotbus.contracts.quality import Reason
from dotbus.readings.reading import Reading
from modbus_gateway.map.form import Form, carries
from modbus_gateway.map.register_map import NO_LIMITS, Limits


def fits(reading: Reading, form: Form) -> bool:
    """Whether registers can show what a reading says. Where nothing is to be shown, or a bad value, they can."""
    return reading.value is None or reading.quality.is_bad or carries(form, reading.value)


def against(reading: Reading, form: Form, limits: Limits) -> frozenset[Reason]:
    """What speaks against a reading where a cell shows it, and nowhere else: its registers and its own limits."""
    if fits(reading, form) and limits is NO_LIMITS:  # nearly all
        return frozenset()
    if reading.value is None or reading.quality.is_bad:
        return frozenset()
    is_outside = isinstance(reading.value, int | float) and not limits.allow(reading.value)
    unfit = [] if carries(form, reading.value) else [Reason.INVALID]
    return frozenset([*unfit, *([Reason.OUT_OF_LIMITS] if is_outside else [])])
