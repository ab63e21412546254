"""Hearing: how the ingests are heard whose values a service shows, for its own status. Pure.

One instance of each that speaks is enough; whether CAISO answers an ingest is for that ingest to say.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dotbus.contracts.messages import Upstream
from dotbus.contracts.quality import HEARTBEAT_S
from dotbus.judging.received import Received

SILENT_AFTER = timedelta(seconds=3 * HEARTBEAT_S)


def hear_ingests(received: Received, services: Sequence[str], now: datetime) -> tuple[Upstream, ...]:
    """Each needed ingest as an upstream, by what its instances last said of themselves."""
    return tuple(_hear(received, service, now) for service in services)


def _hear(received: Received, service: str, now: datetime) -> Upstream:
    sources = received.sources_of(service)
    last_at = max((source.told_at for source in sources if source.told_at), default=None)
    if any(source.online and source.told_at and now - source.told_at <= SILENT_AFTER for source in sources):
        return Upstream(name=service, ok=True, last_ok_at=last_at)
    if any(source.online for source in sources):
        cause = _unusable(received, service) or f"silent for more than {SILENT_AFTER.total_seconds():.0f} s"
    elif not sources and (unusable := _unusable(received, service)):
        cause = unusable
    else:
        cause = "offline" if sources else "no status of it has come"
    return Upstream(name=service, ok=False, last_ok_at=last_at, last_error=cause, last_error_at=now, failures_in_a_row=1)


def _unusable(received: Received, service: str) -> str | None:
    """Why the last status of an instance could not be used, None when each could."""
    found = sorted((name, why) for name, why in received.unusable.items() if name.startswith(f"{service}/"))
    return f"the status of {found[0][0]} cannot be used: {found[0][1]}" if found else None
