"""Taking over: the states that the process before this one kept, each on the topic where it belongs now."""

from datetime import datetime

import msgspec

from ads_ingest.translate import Sender
from dotbus.contracts.codec import UndecodableMessage, decode
from dotbus.contracts.messages import Dot, Instructions, Trajectory
from dotbus.runtime.logs import get_logger
from dotbus.runtime.outbox.outbox import Outbox

KeptState = Dot | Trajectory | Instructions


def take_over(outbox: Outbox, sender: Sender, now: datetime) -> dict[str, bytes]:
    """The kept states, each on the topic where it belongs by today's configuration.

    The state of a resource that went to another plant goes with it: CAISO will not say it again. The topic where it was is
    retracted, else it would say for ever what once held. So are states of another environment, which go nowhere.
    """
    kept = outbox.states()
    states = {topic: _kept_state(payload) for topic, payload in kept.items()}
    gone = [topic for topic, state in states.items() if not _belongs(topic, state, sender)]
    moved = [
        _moved(state, sender, now) for topic in gone if (state := states[topic]) and state.environment is sender.environment
    ]
    if moved:
        outbox.commit(now, states=[(topic, state) for topic, state in moved if topic not in kept])
    if gone:
        get_logger("ads").warning("topics of another configuration are retracted", topics=gone)
        outbox.retract(gone, now)
    return outbox.states()


def _kept_state(payload: bytes) -> KeptState | None:
    try:
        state = decode(payload)
    except UndecodableMessage:
        return None  # of another version of this software: CAISO will be asked again for what still holds
    return state if isinstance(state, KeptState) else None


def _belongs(topic: str, state: KeptState | None, sender: Sender) -> bool:
    address = sender.installation.topics.read(topic)
    if address is None or address.name is None or address.scope != sender.installation.plant_of(address.name):
        return False
    return state is None or state.environment is sender.environment


def _moved(state: KeptState, sender: Sender, now: datetime) -> tuple[str, KeptState]:
    plant = sender.installation.plant_of(state.resource_id)
    return _topic_of(state, sender), msgspec.structs.replace(state, plant=plant, time=now)


def _topic_of(state: KeptState, sender: Sender) -> str:
    match state:
        case Dot():
            return sender.dot_topic(state.resource_id)
        case Trajectory():
            return sender.trajectory_topic(state.resource_id)
        case Instructions():
            return sender.instructions_topic(state.resource_id)
