"""CAISO's schema (ads.caiso.com.xsd) as tables: which element or attribute is which field, and how its text is read.

A reader gives None for a text that is not of its type; the parser then keeps the text itself in `extra`.
"""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

Reader = Callable[[str], object | None]
Table = Mapping[str, tuple[str, Reader]]

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})")
_INTEGER = re.compile(r"([+-]?[0-9]{1,10})(\.0*)?")
_INT_MOST = 2**31
_YEAR_FIRST, _YEAR_LAST = 1990, 2200


read_text: Final[Reader] = str
"""The text as it is."""


def read_int(text: str) -> int | None:
    """An xsd:int. `3.0` passes for 3; a number that 32 bits cannot hold is no xsd:int."""
    match = _INTEGER.fullmatch(text)
    number = int(match[1]) if match else None
    return number if number is not None and -_INT_MOST <= number < _INT_MOST else None


def read_revision(text: str) -> int | None:
    """An xsd:int that counts changes: one below zero is none."""
    number = read_int(text)
    return number if number is not None and number >= 0 else None


def read_float(text: str) -> float | None:
    """An xsd:double that is a quantity: INF and NaN are none, nor what only Python takes for a number (1_000)."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text and text.isascii() else None


def read_time(text: str) -> datetime | None:
    """An xsd:dateTime in UTC, digits below the microsecond dropped.

    A time without a zone could be any hour: it is none. Nor is one far from our days, as systems write for "never".
    """
    if not _TIME.fullmatch(text):
        return None
    try:
        at = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return at if _YEAR_FIRST <= at.year <= _YEAR_LAST else None


def read_bool(text: str) -> bool | None:
    """An xsd:boolean."""
    return {"true": True, "1": True, "false": False, "0": False}.get(text.lower())


READ_ONCE: frozenset[Reader] = frozenset({read_int, read_revision, read_time})
"""What is read of texts that repeat in a document: codes, and the time of an interval."""

DISPATCH_BATCH: Table = {
    "batchUID": ("batch_uid", read_text),
    "marketID": ("market_id", read_text),
    "batchStatus": ("batch_status", read_int),
    "batchReceived": ("batch_received_at", read_time),
    "batchSent": ("batch_sent_at", read_time),
    "batchExpires": ("batch_expires_at", read_time),
    "batchType": ("batch_type", read_int),
    "startTime": ("start_at", read_time),
    "dispatchMode": ("dispatch_mode", read_int),
    "bindingFlag": ("binding_flag", read_text),
    "revisionNo": ("revision_no", read_revision),
    "contingencyType": ("contingency_type", read_text),
    "pathExclusion": ("path_exclusion", read_text),
}

INSTRUCTION: Table = {
    "instructionUID": ("instruction_uid", read_text),
    "batchUID": ("batch_uid", read_text),
    "resourceId": ("resource_id", read_text),
    "startTime": ("start_at", read_time),
    "endTime": ("end_at", read_time),
    "dot": ("dot_mw", read_float),
    "oosEnergyCode": ("oos_energy_code", read_text),
    "asType": ("as_type", read_text),
    "instructionType": ("instruction_type", read_int),
    "preGoto": ("pre_goto_mw", read_float),
    "bidDelay": ("bid_delay_min", read_int),
    "minAccept": ("min_accept_mw", read_float),
    "acceptDot": ("accept_dot_mw", read_float),
    "acceptStatus": ("accept_status", read_text),
    "responder": ("responder", read_text),
    "reasonCode": ("reason_code", read_int),
    "oprAcceptDot": ("opr_accept_dot_mw", read_float),
    "oprAcceptStatus": ("opr_accept_status", read_text),
    "oprResponder": ("opr_responder", read_text),
    "oprReasonCode": ("opr_reason_code", read_int),
    "validated": ("validated_at", read_time),
    "validatedBy": ("validated_by", read_text),
    "apiValidated": ("api_validated_at", read_time),
    "apiValidatedBy": ("api_validated_by", read_text),
    "revisionNumber": ("revision_number", read_revision),
    "statusCode": ("status_code", read_int),
    "clearedMW": ("cleared_mw", read_float),
    "awardMW": ("award_mw", read_float),
    "selfSchedMW": ("self_sched_mw", read_float),
    "hourlyMw": ("hourly_mw", read_float),
    "rmrTestRequestor": ("rmr_test_requestor", read_text),
    "configurationId": ("configuration_id", read_text),
    "transitionFromConfigId": ("transition_from_config_id", read_text),
    "transitionToConfigId": ("transition_to_config_id", read_text),
    "agcFlag": ("agc_flag", read_text),
    "rmrFlag": ("rmr_flag", read_text),
    "hourlyMwThreshold": ("hourly_threshold_mw", read_float),
    "baseSchedule": ("base_schedule_mw", read_float),
    "registeredIntertieFlag": ("registered_intertie_flag", read_text),
}

INSTRUCTION_DETAIL: Table = {
    "segNo": ("seg_no", read_int),
    "serviceType": ("service_type", read_text),
    "mw": ("segment_mw", read_float),
}

TRAJECTORY_BATCH: Table = {
    "batchUID": ("batch_uid", read_text),
    "batchReceived": ("batch_received_at", read_time),
    "bindingFlag": ("binding_flag", read_text),
    "batchSent": ("batch_sent_at", read_time),
}

TRAJECTORY_DOP: Table = {
    "dopUID": ("dop_uid", read_text),
    "resourceId": ("resource_id", read_text),
    "dop": ("dop_mw", read_float),
    "targetTime": ("target_at", read_time),
    "sequenceNumber": ("sequence_number", read_int),
    "configurationId": ("configuration_id", read_text),
}

TRAJECTORY_COMPLIANCE: Table = {
    "complianceUID": ("compliance_uid", read_text),
    "resourceId": ("resource_id", read_text),
    "startTime": ("start_at", read_time),
    "mwh": ("expected_mwh", read_float),
    "complFlag": ("compliance_flag", read_text),
    "configurationId": ("configuration_id", read_text),
}

MSS_REQUEST: Table = {"scMSSBatchId": ("sc_batch_id", read_text)}

MSS_INSTRUCTION_REQUEST: Table = {
    "scMSSBatchId": ("sc_batch_id", read_text),
    "scMSSLFInstructionId": ("sc_instruction_id", read_text),
    "resourceId": ("resource_id", read_text),
    "startTime": ("start_at", read_time),
    "endTime": ("end_at", read_time),
    "loadFollowingMW": ("load_following_mw", read_float),
}

MSS_RESPONSE: Table = {"caisoMSSBatchId": ("caiso_batch_id", read_text), "scMSSBatchId": ("sc_batch_id", read_text)}

MSS_INSTRUCTION_RESPONSE: Table = {
    "caisoMSSBatchId": ("caiso_batch_id", read_text),
    "caisoMSSLFInstructionId": ("caiso_instruction_id", read_text),
    "scMSSBatchId": ("sc_batch_id", read_text),
    "scMSSLFInstructionId": ("sc_instruction_id", read_text),
    "validated": ("validated", read_bool),
}
