"""Structured logs: one event a line, JSON for machines or coloured text for people, secrets redacted.

An event is a sentence in lower case; what it is about comes as key=value.
"""

import logging
import re
import sys
from contextlib import suppress
from typing import Any, Literal, TextIO

import structlog

_SECRET_KEY = re.compile(r"password|secret|token|private_key|passphrase", re.IGNORECASE)
# It begins with what is rare, so that a text takes as long as it is long: what others say may be all letters.
_URL_PASSWORD = re.compile(r"(://[^:/\s@]+):[^@/\s]+@")
REDACTED = "***"
LONGEST_TEXT = 10_000
"""Characters of one value. What others say comes into logs, and some of it is megabytes."""


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """The logger of one part of a service."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger().bind(part=name)
    return logger


def configure_logs(service: str, instance: str, form: Literal["json", "console"], level: str) -> None:
    """Send all logs of this process to standard error in one form. Called once, by the process's own start."""
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(_Unbroken(sys.stderr)),  # type: ignore[arg-type]  # all that it uses
    )
    structlog.contextvars.bind_contextvars(service=service, instance=instance)


class _Unbroken:
    """A stream whose end costs lines and nothing else: a closed terminal or a full disk must not stop who only tells."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: closed by ourselves
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def redact(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace what looks like a secret: values of telling keys, and passwords inside URLs. What is long is cut."""
    return {key: _redacted(str(key), value) for key, value in event.items()}


def _redacted(key: str, value: Any) -> Any:  # noqa: ANN401  # a log event holds anything
    if _SECRET_KEY.search(key):
        return REDACTED
    match value:
        case str():
            return _shortened(_URL_PASSWORD.sub(rf"\1:{REDACTED}@", value))
        case dict():
            return {name: _redacted(str(name), inner) for name, inner in value.items()}
        case list() | tuple():
            return [_redacted("", inner) for inner in value]
        case _:
            return value


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}... ({len(text):,} characters)"
