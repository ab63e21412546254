"""Observing: every rule about every subject, at one look."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime

from alarms.heard import Heard
from alarms.rules.own import Disk, observe_broker, observe_disk
from alarms.rules.resources import Subject, observe_resource
from alarms.rules.services import cause_of_silence, observe_services, remembered_gaps
from alarms.states.observed import AlarmKey, Observed
from dotbus.contracts.messages import AlarmStatus
from dotbus.readings.reading import Read
from dotbus.readings.resources import read_resource
from dotbus.readings.subjects import Member
from dotbus.runtime.installation.alarms import settled_for_resource
from dotbus.runtime.installation.installation import Installation


class Observing:
    """Asks every rule.

    Args:
        installation: what is watched, and how the rules are set.
        heard: what is known from the bus.
        own_source: this service, as messages name it.
        disk: how full the disk is; None where it does not answer.
    """

    def __init__(self, installation: Installation, heard: Heard, own_source: str, disk: Callable[[], Disk | None]) -> None:
        self._installation = installation
        self._rules = installation.alarms
        self._heard = heard
        self._own_source = own_source
        self._disk = disk
        self._subjects = [
            Subject(Member(plant.name, resource), settled_for_resource(installation.alarms, plant.alarms, resource.alarms))
            for plant in installation.plants
            for resource in plant.resources
        ]
        self._read: dict[int, Read] = {}  # nearly all resources read as they did a second ago, but for their age

    def observe(
        self, now: datetime, was_active: Callable[[AlarmKey], bool], kept: Iterable[AlarmStatus] = ()
    ) -> Sequence[Observed]:
        """What all rules say now.

        Args:
            now: the time.
            was_active: whether a rule held of a subject at the last look.
            kept: the alarms so far, of which some were told by what is said once.
        """
        heard, rules = self._heard, self._rules
        broker = observe_broker(self._own_source, rules.broker_lost, is_connected=heard.connected_since is not None)
        broker_lost = broker.key if broker.holds and rules.broker_lost.enabled else None
        found = [broker, observe_disk(self._own_source, rules.disk_filling, self._disk(), was_active)]
        found += observe_services(heard, rules, self._own_source, now, because=broker_lost, was_active=was_active)
        found += remembered_gaps(kept, {one.key for one in found}, rules.upstream_gap, now)
        silence = cause_of_silence(heard, rules, broker_lost, now)
        judging, topics = self._installation.modbus, self._installation.topics
        for number, subject in enumerate(self._subjects):
            read = read_resource(subject.member, heard.received, topics, judging, now, self._read.get(number))
            self._read[number] = read
            found += observe_resource(subject, read.named, heard, topics, judging, now, because=silence, was_active=was_active)
        return found
