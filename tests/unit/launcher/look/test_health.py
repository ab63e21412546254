"""What is well and what is not, and that each thing that is not has its line."""

from datetime import timedelta

import msgspec
import pytest

from dotbus.contracts.messages import ServiceStatus
from dotbus.testing import samples
from launcher.look.health import BrokerReport, Complaint, ServiceHealth, StatusReport, judge

NOW = samples.AT + timedelta(seconds=2)
REACHED = BrokerReport(host="broker.example", port=8883, connected=True)
UPSTREAM = samples.service_status().upstreams[0]


def changed(**changes: object) -> ServiceStatus:
    return msgspec.structs.replace(samples.service_status(), **changes)


def judged(*statuses: ServiceStatus, broker: BrokerReport = REACHED, expected: tuple[str, ...] = ()) -> StatusReport:
    return judge(broker, statuses, expected, "dotbus/v1", NOW)


def with_upstream(**changes: object) -> ServiceStatus:
    return changed(upstreams=(msgspec.structs.replace(UPSTREAM, **changes),))


def test_services_that_complain_of_nothing_are_well():
    report = judged(samples.service_status())
    assert (report.well, report.complaints) == (True, ())
    assert [one.health for one in report.services] == [ServiceHealth.ONLINE]


@pytest.mark.parametrize(
    ("status", "health", "complaint"),
    [
        (changed(online=False), ServiceHealth.OFFLINE, "is offline since"),
        (changed(time=NOW - timedelta(seconds=16)), ServiceHealth.SILENT, "has said nothing since"),
        (changed(complaints=("a file cannot be written",)), ServiceHealth.DEGRADED, "a file cannot be written"),
        (changed(certificate_days_left=29.0), ServiceHealth.DEGRADED, "its certificate ends in 29 days"),
        (changed(certificate_days_left=-1.0), ServiceHealth.DEGRADED, "its certificate has ended"),
        (with_upstream(ok=False, last_error="refused", failures_in_a_row=7), ServiceHealth.DEGRADED, "refused (7 times)"),
        (with_upstream(ok=False, last_error=None, failures_in_a_row=0), ServiceHealth.DEGRADED, "not heard yet"),
        (with_upstream(clock_offset_s=-2.5), ServiceHealth.DEGRADED, "its clock differs from ours by -2.5 s"),
        (with_upstream(complaints=("no price for TYPO",)), ServiceHealth.DEGRADED, "no price for TYPO"),
    ],
)
def test_one_thing_that_is_not_well_makes_all_not_well_and_is_told(
    status: ServiceStatus, health: ServiceHealth, complaint: str
):
    report = judged(changed(instance="b", source="ads_ingest/b"), status)
    assert not report.well
    assert report.services[-1].health is health
    assert complaint in str(report.complaints[-1])
    assert [str(one).partition(" ")[0].rstrip(":") for one in report.complaints] == ["ads_ingest/a"]


@pytest.mark.parametrize(
    "status",
    [
        changed(time=NOW - timedelta(seconds=14)),
        changed(certificate_days_left=31.0),
        with_upstream(clock_offset_s=1.9),
        changed(outbox=msgspec.structs.replace(samples.service_status().outbox, unpublished=100)),
    ],
)
def test_what_is_still_within_its_bounds_is_well(status: ServiceStatus):
    assert judged(status).well


def test_events_that_pile_up_are_told():
    outbox = msgspec.structs.replace(samples.service_status().outbox, unpublished=101)
    assert [one.reason for one in judged(changed(outbox=outbox)).complaints] == ["101 events wait for the broker"]


def test_of_a_service_that_is_gone_no_more_is_told_than_that():
    gone = msgspec.structs.replace(with_upstream(ok=False, last_error="refused"), online=False, complaints=("old",))
    assert len(judged(gone).complaints) == 1


def test_without_the_broker_nothing_is_known_and_nothing_is_well():
    report = judged(samples.service_status(), broker=BrokerReport(host="h", port=1, connected=False, complaint="away"))
    assert (report.well, report.services, report.complaints) == (False, (), (Complaint(reason="away"),))


def test_an_installation_of_which_nothing_is_heard_is_not_well():
    assert "No service is heard under dotbus/v1" in str(judged().complaints[0])


def test_a_service_that_the_file_expects_is_missed():
    report = judged(samples.service_status(), expected=("historian/main", "ads_ingest/a"))
    assert [str(one) for one in report.complaints] == [
        "historian/main: nothing was heard of it, and [alarms.service_down] expects it"
    ]
