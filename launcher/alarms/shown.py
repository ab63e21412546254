"""Shown: alarms, summaries and what there was of both, in lines that stay whole however narrow the terminal."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from rich.text import Text

from dotbus.contracts.alarms import AlarmPriority, AlarmState
from dotbus.contracts.codec import encode
from dotbus.contracts.messages import AlarmStatus, AlarmSummary
from launcher.alarms.figures import Figures, Happened
from launcher.alarms.heard import OPEN, Known, counted, name_of

_STYLES: Final = {AlarmPriority.CRITICAL: "bold red", AlarmPriority.HIGH: "red", AlarmPriority.MEDIUM: "yellow"}
_WIDEST_PRIORITY: Final = max(map(len, AlarmPriority))
_WIDEST_STATE: Final = max(map(len, AlarmState))
_INDENT: Final = " " * (_WIDEST_PRIORITY + 2)
PUT_AWAY: Final = frozenset({AlarmState.SHELVED, AlarmState.SUPPRESSED, AlarmState.OUT_OF_SERVICE})


def alarm_lines(known: Known, *, everything: bool) -> Iterator[Text]:
    """Each alarm that somebody has to look at, or every one, and below them what each operator has before him in all."""
    for alarm in known.alarms if everything else known.open:
        yield from _lines_of(alarm)
    away = [one for one in known.alarms if one.state in PUT_AWAY]
    if away and not everything:
        yield Text(f"{len(away)} more shelved, suppressed or out of service; --all shows them")
    for summary in known.summaries:
        yield _summary_line(summary)


def alarms_document(known: Known) -> str:
    """The same for programs, as messages say it."""
    document = {
        "is_whole": known.is_whole,
        "open": len(known.open),
        "alarms": [{"name": name_of(one), **_as_said(one)} for one in known.alarms],
        "summaries": [_as_said(one) for one in known.summaries],
    }
    return json.dumps(document, indent=2)


def history_lines(events: Sequence[Happened], figures: Figures) -> Iterator[Text]:
    """What happened, the oldest first, and what it comes to."""
    for one in events:
        who = f"  by {one.changed_by}" if one.changed_by else ""
        why = f": {one.comment}" if one.comment else f"  {one.text}"
        yield Text(
            f"{one.changed_at:%Y-%m-%d %H:%M:%S}Z  {one.priority:<{_WIDEST_PRIORITY}}  {one.what:<14}  {one.name}{who}{why}"
        )
    hours = f"{figures.hours:g} h"
    most = f"{figures.most_in_10_min} within 10 minutes at the most"
    yield Text(f"{figures.raised} raised in {hours} ({figures.raised_per_hour:.1f} an hour), {most}")
    flood = f"{figures.flood_min:.0f} minutes of flood ({figures.flood_percent:.1f} % of the time)"
    yield Text(flood, "bold red" if figures.flood_min else "")
    if figures.most_often:
        often = ", ".join(f"{name} {count}" for name, count in figures.most_often)
        yield Text(f"most often: {often}")


def history_document(events: Sequence[Happened], figures: Figures) -> str:
    """The same for programs."""
    rows = [{name: _plain(value) for name, value in one._asdict().items()} for one in events]
    return json.dumps({"figures": figures.as_document(), "events": rows}, indent=2)


def _lines_of(alarm: AlarmStatus) -> Iterator[Text]:
    since = (alarm.raised_at if alarm.state in OPEN else None) or alarm.changed_at
    style = _STYLES.get(alarm.priority, "") if alarm.state in OPEN else "dim"
    yield Text.assemble(
        (f"{alarm.priority:<{_WIDEST_PRIORITY}}  ", style),
        f"{alarm.state:<{_WIDEST_STATE}}  {since:%Y-%m-%d %H:%M:%S}Z  {name_of(alarm)}",
    )
    yield Text(f"{_INDENT}{alarm.text}")
    if alarm.state in OPEN:
        yield Text(f"{_INDENT}{alarm.next_step}", "dim")
    for line in _who(alarm):
        yield Text(f"{_INDENT}{line}", "dim")


def _who(alarm: AlarmStatus) -> Iterator[str]:
    comment = f": {alarm.comment}" if alarm.comment else ""
    if alarm.shelved_until:
        yield f"shelved until {alarm.shelved_until:%Y-%m-%d %H:%M:%S}Z by {alarm.shelved_by}{comment}"
    elif alarm.state is AlarmState.ACKNOWLEDGED:
        yield f"acknowledged by {alarm.acknowledged_by}{comment}"
    if alarm.because:
        yield f"because of {alarm.because}"


def _summary_line(summary: AlarmSummary) -> Text:
    unseen = [(priority, unseen) for priority, (unseen, _active) in counted(summary).items() if unseen]
    words = ", ".join(f"{count} {priority}" for priority, count in unseen)
    line = f"{summary.plant}: {words} unacknowledged" if unseen else f"{summary.plant}: nothing unacknowledged"
    text = Text(f"{line}; {summary.raised_in_10_min} raised within 10 minutes")
    return text.append(", a FLOOD", "bold red") if summary.is_flood else text


def _as_said(message: AlarmStatus | AlarmSummary) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(encode(message))
    return said


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value
