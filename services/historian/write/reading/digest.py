"""Digest: a number that tells whether two events under one key say the same. Pure.

What is absent is left out and what is present is named, so a field that a later version adds changes no digest that is stored.
"""

from functools import partial
from hashlib import blake2b
from operator import attrgetter

import msgspec
from msgspec.structs import replace

from historian.write.reading.events import (
    Event,
    KeptAlarm,
    KeptAnswer,
    KeptDispatch,
    KeptGap,
    KeptPrices,
    KeptTrajectory,
    KeptWrite,
)

PRICE_COLUMNS = (
    "lmp_usd_per_mwh",
    "energy_usd_per_mwh",
    "congestion_usd_per_mwh",
    "loss_usd_per_mwh",
    "ghg_usd_per_mwh",
)
_OF_STREAM = frozenset(
    {"version", "environment", "source", "time", "id", "stream", "seq", "response_seq", "write_seq", "alarm_seq"}
)
ANSWER_COLUMNS = tuple(name for name in KeptAnswer.__struct_fields__ if name not in _OF_STREAM)
WRITE_COLUMNS = tuple(name for name in KeptWrite.__struct_fields__ if name not in _OF_STREAM)
GAP_COLUMNS = tuple(name for name in KeptGap.__struct_fields__ if name not in _OF_STREAM)
ALARM_COLUMNS = tuple(name for name in KeptAlarm.__struct_fields__ if name not in _OF_STREAM)
# CAISO raises revisionNo when an instruction or the status of its batch changes (specification, section 6). These are neither:
# it fills them in or moves them under the same revision, and two clients that ask at two times are given different ones.
# batchSent is null until the batch is active, batchExpires says how long the present status lasts. The four stamps say which
# client confirmed the instruction, we among them. fetchedAt of prices is when we asked. All else is part of what is said: the
# answers (acceptDot, acceptStatus and so on) raise revisionNumber, and they decide with how many megawatts a DOT stands.
_unmoved = partial(replace, batch_sent_at=None, batch_expires_at=None)
_unstamped = partial(replace, validated_at=None, validated_by=None, api_validated_at=None, api_validated_by=None, details=())
_instruction_uid, _dop_uid, _compliance_uid = attrgetter("instruction_uid"), attrgetter("dop_uid"), attrgetter("compliance_uid")
_columns = attrgetter(*PRICE_COLUMNS)
_encode = msgspec.json.Encoder().encode


def digest_of(event: Event) -> int:
    """The digest of what an event says, without when and by whom, and without the order in which CAISO lists it."""
    return int.from_bytes(blake2b(_encode(_content(event)), digest_size=8).digest(), "big", signed=True)


def _content(event: Event) -> object:  # noqa: PLR0911  # one for each kind
    match event:
        case KeptDispatch():
            told = sorted(event.instructions, key=_instruction_uid)
            return (_unmoved(event.batch), [(_unstamped(each), each.details) for each in told])
        case KeptTrajectory():
            dops, compliance = sorted(event.dops, key=_dop_uid), sorted(event.compliance, key=_compliance_uid)
            return (replace(event.batch, batch_sent_at=None), dops, compliance)
        case KeptAnswer():
            return {name: value for name in ANSWER_COLUMNS if (value := getattr(event, name)) is not None}
        case KeptWrite():
            return {name: value for name in WRITE_COLUMNS if (value := getattr(event, name)) is not None}
        case KeptGap():
            return {name: value for name in GAP_COLUMNS if (value := getattr(event, name)) is not None}
        case KeptAlarm():
            return {name: value for name in ALARM_COLUMNS if (value := getattr(event, name)) is not None}
        case KeptPrices():
            return (event.market, event.interval_start, event.interval_end, event.nodes, _columns(event))
