"""DOTs: the latest of each resource, and all that count in a range of time (pure)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dotbus.contracts.schedules import Schedule
from historian.api.questions.plants import EVERY_NAME
from historian.api.questions.question import Column, Kind, Question
from historian.api.questions.shown import columns_of, names_of
from historian.api.questions.spans import Span, bounds_of, has_part, reaches_in, starts_in
from historian.api.questions.whose import Whose
from historian.api.request.times import Range

_SHOWN = (
    "plant resource_id schedule interval_start interval_end target_at dot_mw standing batch_type batch_received_at batch_uid"
)
DOT_COLUMNS = columns_of("dot_latest", f"{_SHOWN} revision_no instruction_uid")
_IN_FORCE = Column("is_in_force", Kind.FLAG, "", "Whether its interval covers now: a DOT that is over asks nothing any more.")
LATEST_COLUMNS = (*DOT_COLUMNS, _IN_FORCE)
_RECENT = timedelta(days=35)
_EVER = """
    SELECT true FROM dispatch_batch AS told
    WHERE told.resource_id = r.name AND told.batch_type IN (CASE s.named WHEN 'hourly' THEN 1 ELSE 0 END, 4) LIMIT 1"""


def dots(whose: Whose, schedules: Sequence[Schedule], times: Range, span: Span = Span.OVERLAP) -> Question:
    """The DOTs that count of a range, of several for one interval the one that CAISO had last.

    Of those that began before it and reach into it, exceptional dispatches may have begun months ago.
    """
    told = f"""
        SELECT {names_of(DOT_COLUMNS)} FROM dot_latest
        WHERE {whose.condition()} AND schedule = ANY(%(schedules)s::text[])"""  # noqa: S608  # names of ours
    overlap = f"{told} AND {has_part()} UNION ALL {told} AND batch_type = 4 AND {reaches_in()}"
    sql = overlap if span is Span.OVERLAP else f"{told} AND {starts_in()}"
    parameters = {**whose.parameters, "schedules": _named(schedules), **bounds_of(times)}
    # Of equals the view shows one alone, so these tell each row from all others.
    return Question(sql, parameters, DOT_COLUMNS, key=("resource_id", "interval_start", "interval_end", "schedule"))


def latest_dots(whose: Whose, schedules: Sequence[Schedule], now: datetime) -> Question:
    """Of each resource the DOT with the latest start, which may be ahead or over. Without names, of all that ever had one.

    One that is recent is in the newest months and found there; only where there is none all months are looked through, and
    only for a resource that ever had a batch of the schedule.
    """
    names = "SELECT unnest(%(resources)s::text[])" if whose.resources is not None else EVERY_NAME
    sql = f"""
        SELECT {names_of(DOT_COLUMNS, "d.")}, d.interval_start <= %(now)s AND d.interval_end > %(now)s AS is_in_force
        FROM ({names}) AS r (name) CROSS JOIN unnest(%(schedules)s::text[]) AS s (named)
        CROSS JOIN LATERAL (
          ({_latest(whose, "interval_start >= %(recent)s")})
          UNION ALL ({_latest(whose, f"interval_start < %(recent)s AND ({_EVER})")})
          LIMIT 1
        ) AS d"""  # noqa: S608  # names of ours
    parameters = {**whose.parameters, "schedules": _named(schedules), "now": now, "recent": now - _RECENT}
    # Of each month the view reads four tables: to plan that takes twice as long as to do it.
    return Question(sql, parameters, LATEST_COLUMNS, key=("resource_id", "schedule"), is_planned_once=True)


def _latest(whose: Whose, when: str) -> str:
    claimed = " AND plant = %(plant)s" if whose.plant is not None else ""
    return f"""
        SELECT * FROM dot_latest
        WHERE resource_id = r.name AND environment = %(environment)s::environment AND schedule = s.named{claimed} AND {when}
        ORDER BY interval_start DESC, batch_received_at DESC LIMIT 1"""  # noqa: S608  # names of ours


def _named(schedules: Sequence[Schedule]) -> list[str]:
    return [str(schedule) for schedule in schedules]
