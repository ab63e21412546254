"""Digest: a number that tells whether two events under one key say the same. Pure.

What is absent is left out and what is present is named, so a field that a later version adds changes no digest that is stored.
"""

from collections.abc import Callable
from hashlib import blake2b
from operator import attrgetter
from typing import Any

import msgspec

from dotbus.contracts.messages import (
    Compliance,
    Dispatch,
    DispatchBatchHeader,
    Dop,
    Instruction,
    InstructionDetail,
    Prices,
    TrajectoryBatch,
    TrajectoryBatchHeader,
)

PRICE_COLUMNS = (
    "lmp_usd_per_mwh",
    "energy_usd_per_mwh",
    "congestion_usd_per_mwh",
    "loss_usd_per_mwh",
    "ghg_usd_per_mwh",
)
# CAISO raises revisionNo when an instruction or the status of its batch changes (specification, section 6). These are neither:
# it fills them in or moves them under the same revision, and two clients that ask at two times are given different ones.
# batchSent is null until the batch is active, batchExpires says how long the present status lasts. The four stamps say which
# client confirmed the instruction, we among them. fetchedAt of prices is when we asked. All else is part of what is said: the
# answers (acceptDot, acceptStatus and so on) raise revisionNumber, and they decide with how many megawatts a DOT stands.
_MOVES = ("batch_sent_at", "batch_expires_at")
_STAMPS = ("validated_at", "validated_by", "api_validated_at", "api_validated_by")

Event = Dispatch | TrajectoryBatch | Prices


def digest_of(event: Event) -> int:
    """The digest of what an event says, without when and by whom, and without the order in which CAISO lists it."""
    return int.from_bytes(blake2b(msgspec.json.encode(_content(event)), digest_size=8).digest(), "big", signed=True)


def _content(event: Event) -> object:
    match event:
        case Dispatch():
            told = sorted(event.instructions, key=_instruction_uid)
            return (_header(event.batch), [(_instruction(each), list(map(_detail, each.details))) for each in told])
        case TrajectoryBatch():
            dops = [_dop(each) for each in sorted(event.dops, key=_dop_uid)]
            return (_curve(event.batch), dops, [_compliance(each) for each in sorted(event.compliance, key=_compliance_uid)])
        case Prices():
            return (event.market, event.interval_start, event.interval_end, event.nodes, _columns(event))


def _said(kind: type[msgspec.Struct], *without: str) -> Callable[[Any], msgspec.Struct]:
    """What makes a value of a kind into one that is encoded by name, without what is absent; in C, not field by field."""
    names = tuple(name for name in kind.__struct_fields__ if name not in without)
    shown = msgspec.defstruct(f"Said{kind.__name__}", [(name, Any, None) for name in names], omit_defaults=True)
    values = attrgetter(*names)
    return lambda value: shown(*values(value))


_header = _said(DispatchBatchHeader, *_MOVES)
_instruction = _said(Instruction, *_STAMPS, "details")
_detail = _said(InstructionDetail)
_curve = _said(TrajectoryBatchHeader, *_MOVES)
_dop, _compliance = _said(Dop), _said(Compliance)
_instruction_uid, _dop_uid, _compliance_uid = attrgetter("instruction_uid"), attrgetter("dop_uid"), attrgetter("compliance_uid")
_columns = attrgetter(*PRICE_COLUMNS)
