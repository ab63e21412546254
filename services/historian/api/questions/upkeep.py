"""Upkeep: what is missing and why, and how services are, as the historian keeps it.

A plant's key sees what is about prices, which are everybody's, and its own plant's services: names of accounts, and which other
plants there are, are not its business.
"""

from datetime import datetime

from historian.api.questions.question import Column, Kind, Question

GAP_COLUMNS = (
    Column("kind", Kind.TEXT, "", "upstream: CAISO has it no more; lost: a source has it no more; missing: not come yet."),
    Column("source", Kind.TEXT, "", "SERVICE/INSTANCE that would have sent it."),
    Column("stream", Kind.TEXT, "", "Its outbox: numbers count within it."),
    Column("number", Kind.INTEGER, "", "Of upstream the event that says so; else the first event number that is missing."),
    Column("last_number", Kind.INTEGER, "", "The last event number that is missing; null of upstream, which has none."),
    Column("upstream", Kind.TEXT, "", "What is missing of CAISO: ads_dispatch, oasis_rtm, ...; null of the others."),
    Column("missing_from", Kind.TIME, "", "Since when; of events when it was known."),
    Column("missing_until", Kind.TIME, "", "Until when; null of events."),
    Column("detail", Kind.TEXT, "", "The same in words; null where nothing is to be said yet."),
)
HEALTH_COLUMNS = (
    Column("source", Kind.TEXT, "", "SERVICE/INSTANCE."),
    Column("service", Kind.TEXT, "", "The service."),
    Column("instance", Kind.TEXT, "", "Which instance of it."),
    Column("online", Kind.FLAG, "", "Whether it said that it is there; see age_s."),
    Column("age_s", Kind.NUMBER, "s", "How long ago it last said anything: a service says how it is every few seconds."),
    Column("heard_at", Kind.TIME, "", "When it last said so, by its clock."),
    Column("started_at", Kind.TIME, "", "When its process started, by its clock."),
    Column("software_version", Kind.TEXT, "", "Version of dotbus that it runs."),
    Column("certificate_days_left", Kind.NUMBER, "days", "Until its certificate towards CAISO ends; null where it has none."),
    Column("upstreams", Kind.DOCUMENT, "", "How it heard what it depends on."),
)
_ABOUT_PRICES = "source LIKE 'lmp\\_ingest/%%'"


def gaps(environment: str, plant: str | None) -> Question:
    """The question for what is missing for good or as yet.

    Args:
        environment: which CAISO.
        plant: whose key asks; None sees all.
    """
    seen = f"WHERE {_ABOUT_PRICES}" if plant is not None else ""
    sql = f"""
        SELECT kind, source, stream, number, last_number, upstream, missing_from, missing_until, detail FROM (
          SELECT 'upstream' AS kind, source, stream, event_no AS number, NULL::bigint AS last_number, upstream, missing_from,
            missing_until, detail
          FROM upstream_gap_history WHERE environment = %(environment)s::environment
          UNION ALL
          SELECT 'lost', o.source, o.stream, l.first_seq, l.last_seq, NULL, l.noticed_at, NULL, l.reason
          FROM lost_events AS l JOIN origin AS o USING (origin_no)
          WHERE o.environment = %(environment)s::environment AND l.found_at IS NULL
          UNION ALL
          SELECT 'missing', source, stream, lower(part), upper(part) - 1, NULL, updated_at, NULL, NULL
          FROM stream_sequence,
            unnest(int8multirange(int8range(1, upper(received))) - received - lost) AS part
          WHERE environment = %(environment)s::environment AND NOT isempty(received)
        ) AS gap {seen}"""  # noqa: S608  # words of ours
    return Question(sql, {"environment": environment}, GAP_COLUMNS, key=("kind", "source", "stream", "number"))


def health(environment: str, plant: str | None, now: datetime) -> Question:
    """The question for how each service is: what it said last of itself, and how long ago."""
    seen = f"AND ({_ABOUT_PRICES} OR instance = %(plant)s)" if plant is not None else ""
    sql = f"""
        SELECT DISTINCT ON (source) source, service, instance, online,
          extract(epoch FROM %(now)s - heard_at)::double precision AS age_s, heard_at, started_at, software_version,
          certificate_days_left, upstreams
        FROM service_state WHERE environment = %(environment)s::environment {seen}
        ORDER BY source, heard_at DESC, id DESC"""  # noqa: S608  # words of ours
    bound = {"environment": environment, "now": now} | ({"plant": plant} if plant is not None else {})
    return Question(sql, bound, HEALTH_COLUMNS, key=("source",))
