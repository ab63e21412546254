"""SQL of a question as a format wants its columns: times as text for CSV, plain types for Arrow. Pure."""

from collections.abc import Callable

from historian.api.questions.question import SQL_TYPES, Column, Kind, Question
from historian.api.request.times import Zone

BETWEEN_TEXTS = ";"


def as_text(question: Question, zone: Zone) -> str:
    """The question with times as ISO 8601, which PostgreSQL writes with a blank and without minutes of the offset."""
    return _select(question, lambda column: _text(column, zone))


def as_plain_types(question: Question) -> str:
    """The question with each column of the type that its kind says: Arrow has none for PostgreSQL's own."""
    return _select(question, lambda column: f"CAST({_quoted(column.name)} AS {SQL_TYPES[column.kind]})")


def _select(question: Question, written: Callable[[Column], str]) -> str:
    columns = ", ".join(f"{written(column)} AS {_quoted(column.name)}" for column in question.columns)
    return f"SELECT {columns} FROM ({question.sql}) AS question"  # noqa: S608  # names are ours, values are bound


def _text(column: Column, zone: Zone) -> str:
    name = _quoted(column.name)
    if column.kind is Kind.TEXTS:
        return f"array_to_string({name}, '{BETWEEN_TEXTS}')"
    return _time(name, zone) if column.kind is Kind.TIME else name


def _time(name: str, zone: Zone) -> str:
    local = f"replace(CAST({name} AT TIME ZONE '{zone.info.key}' AS text), ' ', 'T')"
    return f"{local} || 'Z'" if zone is Zone.UTC else f"{local} || {_offset(name)}"


def _offset(name: str) -> str:
    """Pacific has two of them. Said here, and not by the session's zone, on which a question's own SQL may rest."""
    summer = f"({name} AT TIME ZONE 'America/Los_Angeles') - ({name} AT TIME ZONE 'UTC') = interval '-7 hours'"
    return f"CASE WHEN {summer} THEN '-07:00' ELSE '-08:00' END"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
