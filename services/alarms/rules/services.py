"""Rules about services: are they there, are their clocks right, will their certificates last, did they miss anything. Pure."""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta

from alarms.heard import Heard, Service
from alarms.states.conditions import is_beyond
from alarms.states.observed import AlarmKey, Observed
from dotbus.contracts.alarms import INSTALLATION, AlarmRule
from dotbus.contracts.messages import AlarmStatus
from dotbus.contracts.quality import HEARTBEAT_S
from dotbus.judging.arrivals import ADS_INGEST
from dotbus.runtime.installation.alarms import Alarms, CertificateExpiring, ClockWrong, ServiceDown, UpstreamGap

SILENT_AFTER_S = 3 * HEARTBEAT_S


def service_key(source: str, rule: AlarmRule) -> AlarmKey:
    """The alarm about a service's instance."""
    return AlarmKey(INSTALLATION, source, rule)


def observe_services(
    heard: Heard,
    rules: Alarms,
    own_source: str,
    now: datetime,
    *,
    because: AlarmKey | None,
    was_active: Callable[[AlarmKey], bool],
) -> Iterator[Observed]:
    """What the rules say of every service that was heard of or is expected; of this one itself nothing.

    Args:
        heard: what is known.
        rules: as they are set.
        own_source: ours.
        now: the time.
        because: the lost broker, while it is.
        was_active: whether a rule held at the last look.
    """
    names = {*heard.services, *rules.service_down.expected} - {own_source}
    for source in sorted(names):
        service = heard.services.get(source)
        yield _down(source, service, rules.service_down, heard, now, because)
        if service is not None:
            yield _clock(source, service, rules.clock_wrong, because, was_active=was_active)
            yield from _certificate(source, service, rules.certificate_expiring)
    yield from _gaps(heard, rules.upstream_gap, now)


def is_down(service: Service | None, heard: Heard, now: datetime) -> bool | None:
    """Whether a service says that it is gone, or says nothing; None while nothing can be heard, or not yet."""
    if heard.connected_since is None:
        return None
    silent_since = max(heard.connected_since, service.heard_at) if service else heard.connected_since
    is_silent = (now - silent_since).total_seconds() > SILENT_AFTER_S
    if service is None:
        return True if is_silent else None
    return is_silent or not service.status.online


def cause_of_silence(heard: Heard, rules: Alarms, broker_lost: AlarmKey | None, now: datetime) -> AlarmKey | None:
    """Why no word of CAISO's comes, where an alarm of its own tells of it: the broker, or every ads_ingest that there is."""
    if broker_lost:
        return broker_lost
    sources = [
        source for source in sorted({*heard.services, *rules.service_down.expected}) if source.startswith(f"{ADS_INGEST}/")
    ]
    if rules.service_down.enabled and sources and all(is_down(heard.services.get(one), heard, now) for one in sources):
        return service_key(sources[0], AlarmRule.SERVICE_DOWN)
    return None


def _down(
    source: str, service: Service | None, rule: ServiceDown, heard: Heard, now: datetime, because: AlarmKey | None
) -> Observed:
    key, holds = service_key(source, AlarmRule.SERVICE_DOWN), is_down(service, heard, now)
    if service is None:
        text = f"nothing was heard of {source}"
    elif not service.status.online:
        text = f"{source} is offline"
    else:
        text = f"{source} says nothing since {service.heard_at:%H:%M:%S}Z"
    return Observed(key, rule, holds, text, because=because)


def _clock(
    source: str, service: Service, rule: ClockWrong, because: AlarmKey | None, *, was_active: Callable[[AlarmKey], bool]
) -> Observed:
    key = service_key(source, AlarmRule.CLOCK_WRONG)
    upstreams = {one.name: one.clock_offset_s for one in service.status.upstreams}
    offsets = {**upstreams, "us": service.clock_offset_s}
    known = {name: offset_s for name, offset_s in offsets.items() if offset_s is not None}
    if not known or not service.status.online:
        return Observed(key, rule, None, "")
    worst = max(known, key=lambda name: abs(known[name]))
    away_s = abs(known[worst])
    holds = is_beyond(away_s, rule.offset_s, rule.deadband_s, was_beyond=was_active(key))
    text = f"the clocks of {source} and {'this machine' if worst == 'us' else f'CAISO ({worst})'} differ by {away_s:.1f} s"
    return Observed(key, rule, holds, text, away_s, rule.offset_s, "s", because)


def _certificate(source: str, service: Service, rule: CertificateExpiring) -> Iterator[Observed]:
    days = service.status.certificate_days_left
    if days is None and service.status.online:
        return
    key = service_key(source, AlarmRule.CERTIFICATE_EXPIRING)
    if days is None:  # a last will says nothing of it
        yield Observed(key, rule, None, "")
    else:
        text = f"the certificate of {source} {f'is valid for {days:.1f} days more' if days > 0 else 'is not valid any more'}"
        yield Observed(key, rule, days < rule.days, text, days, rule.days, "days")


def _gaps(heard: Heard, rule: UpstreamGap, now: datetime) -> Iterator[Observed]:
    """The newest of each source; the alarm is over after some hours, and waits to be acknowledged then."""
    newest = {gap.source: gap for gap in sorted(heard.gaps.values(), key=lambda gap: gap.time)}
    for source, gap in newest.items():
        holds = now - gap.time < timedelta(hours=rule.holds_h)
        times = f"{gap.missing_from:%Y-%m-%dT%H:%MZ} to {gap.missing_until:%Y-%m-%dT%H:%MZ}"
        text = f"{source} could not have {gap.upstream} of {times}"
        yield Observed(service_key(source, AlarmRule.UPSTREAM_GAP), rule, holds, f"{text}: {gap.detail}")


def remembered_gaps(
    kept: Iterable[AlarmStatus], seen: Collection[AlarmKey], rule: UpstreamGap, now: datetime
) -> Iterator[Observed]:
    """Those that a process before us was told of: the bus says a gap once, and the alarm holds for as long as it would have."""
    for status in kept:
        key = AlarmKey(status.plant, status.about, status.rule)
        if status.rule == AlarmRule.UPSTREAM_GAP and status.is_active and status.raised_at and key not in seen:
            yield Observed(key, rule, now - status.raised_at < timedelta(hours=rule.holds_h), status.text)
