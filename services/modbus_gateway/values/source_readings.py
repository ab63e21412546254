"""Source readings: how the ingests are that values come from, the broker between them, and how long certificates last. Pure.

A count is no value while the gateway is not connected to the broker: then nobody tells it.
"""

from datetime import datetime

from dotbus.judging.arrivals import ADS_INGEST, LMP_INGEST
from dotbus.judging.received import Received
from dotbus.judging.source_states import SourceState, states_of
from dotbus.readings.motion import DaysLeft, EndsAt
from dotbus.readings.reading import Named, Reading
from dotbus.runtime.installation.modbus import Modbus


def read_sources(received: Received, judging: Modbus, now: datetime, tls_ends_at: EndsAt | None) -> Named:
    """Every quantity of the gateway itself that tells of others, and of certificates."""
    ads = states_of(received, ADS_INGEST, judging.stale_after_s, now)
    lmp = states_of(received, LMP_INGEST, judging.price_stale_after_s, now)
    online = [one for one in (*ads, *lmp) if one.online]
    days = [one.certificate_days_left for one in ads if one.online and one.certificate_days_left is not None]
    return {
        "broker_since": Reading(None if received.turned_at is None else int(received.turned_at.timestamp())),
        "clocks_agree": Reading(bool(online) and all(one.clock_agrees for one in online)),
        **_read_ingests("ads", ads, is_known=received.hears),
        **_read_ingests("lmp", lmp, is_known=received.hears),
        "ads_certificate_days_left": Reading(min(days, default=None)),
        "tls_certificate_days_left": Reading.moving(DaysLeft(tls_ends_at), now) if tls_ends_at else Reading(None),
    }


def _read_ingests(name: str, states: list[SourceState], *, is_known: bool) -> Named:
    online = sum(one.online for one in states)
    hearing = sum(one.hears for one in states)
    counts = {"online": online, "hearing": hearing, "failing": online - hearing}
    return {
        **{f"{name}_ingests_{what}": Reading(count if is_known else None) for what, count in counts.items()},
        f"{name}_ingests_worst": Reading(min((one.level for one in states), default=None)),
    }
