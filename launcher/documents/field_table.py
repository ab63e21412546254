"""Field table: every field of a message with its unit and meaning, from the types and the `Attributes` of their docstrings."""

from typing import Final

import msgspec

from launcher.documents.json_schemas import descriptions

_UNITS: Final = {
    "_usd_per_mwh": "USD/MWh",
    "_mw_per_min": "MW/min",
    "_percent": "%",
    "_mw": "MW",
    "_days_left": "days",
    "_at": "UTC",
    "_until": "UTC",
    "_start": "UTC",
    "_end": "UTC",
    "_s": "s",
}
"""A quantity ends in its unit; a longer ending counts before one that it ends in."""


def unit_of(field: str) -> str:
    """The unit that a field's name ends in; empty where it has none."""
    return next((unit for ending, unit in _UNITS.items() if field.endswith(ending)), "UTC" if field == "time" else "")


def field_table(message: type[msgspec.Struct]) -> str:
    """The fields of a message in their order."""
    meanings = descriptions(message)
    rows = ["| field | unit | meaning |", "| --- | --- | --- |"]
    for name in message.__struct_encode_fields__:
        meaning = meanings[name].replace("|", r"\|")
        rows.append(f"| `{name}` | {unit_of(name)} | {meaning} |")
    return "\n".join(rows)
