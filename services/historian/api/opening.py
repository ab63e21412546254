"""Opening: what the API needs around it: the database, and where it is asked."""

import time
from collections.abc import Callable
from typing import Final

from dotbus.web.serving import Entrance
from historian.api.problems import Problem
from historian.api.reading import Reader
from historian.api.settings import ApiSettings
from historian.settings import API_PREFIX

QUESTIONS: Final = "questions"
"""What is listened for."""
FOR_HEALTH: Final = 1
"""A connection that no question takes: whoever waits for the API is answered while it is busy."""


def open_reader(settings: ApiSettings, monotonic: Callable[[], float] = time.monotonic) -> Reader:
    """The configured database; nothing is connected yet."""
    return Reader(
        settings.database_url.get_secret_value(),
        settings.database_schema,
        password=settings.read_database_password(),
        connections=settings.connections + settings.streams + FOR_HEALTH,
        statement_timeout_s=settings.statement_timeout_s,
        monotonic=monotonic,
    )


def answers(reader: Reader) -> bool:
    """Whether the database answers."""
    try:
        with reader.reading() as reading:
            return bool(reading.rows("SELECT 1", {}))
    except Problem:
        return False


def entrance(settings: ApiSettings) -> Entrance:
    """Where the API is reached."""
    return Entrance(API_PREFIX, settings.host, settings.port, settings.certificate_file, settings.key_file)
