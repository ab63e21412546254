"""Fault table: what the registers were seen to show while each fault was forced, as docs/registers.md tells it. Pure.

The record is written by `make faults`, which forces every fault on real processes; the end-to-end test forces them again and
fails when it sees something else.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

RECORD: Final = Path(__file__).parents[2] / "docs" / "faults.json"

FLAGS: Final = {"10001": "ads_polling_works", "10003": "trajectories_fresh", "10006": "lmp_fresh"}
"""The discrete inputs of the classic map, by the numbers that SCADA packages give them."""
HELD: Final = {"40001": "latest_dop_mw", "40051": "lmp_published_usd_per_mwh"}
"""The classic registers that a flag stands for, which are held while they are bad."""
COLUMNS: Final = {
    "dot": ("DOT", "dot_mw"),
    "set_point": ("set-point", "set_point_mw"),
    "trajectory": ("trajectory", "trajectory_mw"),
    "latest_dop": ("latest DOP", "latest_dop_mw"),
    "lmp_active": ("active price", "lmp_active_usd_per_mwh"),
    "lmp_published": ("published price", "lmp_published_usd_per_mwh"),
    "worst": ("worst", ""),
}
"""The qualities of the plant profile: what the table calls each, and the register whose quality it is.

Those of the previous, next and hourly DOT are judged as the DOT's is, and not here: which of them there are goes by the hour,
and by what was said before the fault.
"""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """A level that something came to, and when: in the words of the table, never in seconds."""

    level: str
    when: str = ""


class Seen(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one quality showed in the end, and how it came there; no steps when it stayed good.

    `shows` is "the value", "no value" or "held".
    """

    level: str
    reasons: tuple[str, ...] = ()
    shows: str = ""
    steps: tuple[Step, ...] = ()


class Flag(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a flag showed in the end, when that came, and what the register beside it showed."""

    state: int
    when: str = ""
    register: str = ""


class FaultSeen(msgspec.Struct, frozen=True, kw_only=True):
    """One fault and all that was seen of it."""

    name: str
    group: str
    fault: str
    flags: dict[str, Flag]
    qualities: dict[str, Seen]


def load_record(path: Path = RECORD) -> tuple[FaultSeen, ...]:
    """The committed record, empty before the first."""
    return msgspec.json.decode(path.read_bytes(), type=tuple[FaultSeen, ...]) if path.exists() else ()


def write_record(faults: Sequence[FaultSeen], path: Path = RECORD) -> None:
    """Replace the record."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(faults), indent=1) + b"\n")


def render_faults(faults: Sequence[FaultSeen]) -> str:
    """What each fault shows, a table for each group of them."""
    groups = dict.fromkeys(fault.group for fault in faults)
    return _INTRODUCTION + "\n".join(_group(group, [fault for fault in faults if fault.group == group]) for group in groups)


_INTRODUCTION: Final = """\
## What each fault shows

Every row was forced on real processes (a broker, both ingests, a gateway, a simulated CAISO) and this is what was read; the
end-to-end tests force each again. The discrete inputs are those of the classic map, the qualities those of the plant profile;
of the previous, next and hourly DOT what is said of the DOT holds, as far as CAISO has said any.
"uncertain at once, bad after stale_after_s: `stale`" means that it left good at once, became bad after `stale_after_s`, and
shows in the end the reason named; what its value register shows comes after that. "0 at once; 40001 shown" means that the
register which the flag stands for goes on showing a number. Limits are those of `dotbus.toml`. Where a fault lasts longer
than was watched, more may follow: a DOT whose interval is over is `expired` besides. "At the next question" is within
`ADS_INGEST_POLL_S`, for a revision within `ADS_INGEST_RECHECK_S`, for a price within its market's `LMP_INGEST_..._EVERY_S`.

"""


def _group(name: str, faults: Iterable[FaultSeen]) -> str:
    head = ["fault", *FLAGS, *(title for title, _ in COLUMNS.values())]
    rows = [head, ["---"] * len(head), *(_row(fault) for fault in faults)]
    return f"### {name}\n\n" + "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _row(fault: FaultSeen) -> list[str]:
    flags = [_flag(fault.flags[name]) for name in FLAGS]
    return [fault.fault, *flags, *(_quality(fault.qualities[name]) for name in COLUMNS)]


def _flag(flag: Flag) -> str:
    if flag.state < 0:
        return "no answer"
    held = f"; {flag.register}" if flag.register else ""
    return f"{flag.state}{' ' + flag.when if flag.when else ''}{held}"


def _quality(seen: Seen) -> str:
    if not seen.steps:
        return seen.level
    steps = ", ".join(f"{step.level} {step.when}".rstrip() for step in seen.steps)
    why = f": {', '.join(f'`{reason}`' for reason in seen.reasons)}" if seen.reasons else ""
    return f"{steps}{why}{'; ' + seen.shows if seen.shows else ''}"
