"""When to do a thing again: pure functions of what happened, and a clock to hand to whoever needs the time."""

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The wall clock, aware. Wiring passes it on; nothing else calls it."""
    return datetime.now(UTC)


def backoff_s(failures: int, first_s: float, most_s: float, jitter: float) -> float:
    """The pause after a number of failures in a row: doubling from `first_s`, never above `most_s`.

    `jitter` (0 to 1) takes up to half of it away, so that many clients do not return together.

        failures   1    2    3    4 ...
        pause      f   2f   4f   8f ... most
    """
    if failures < 1:
        return 0.0
    pause_s = min(most_s, first_s * 2.0 ** min(failures - 1, 60))
    return pause_s * (1.0 - 0.5 * jitter)
