"""Told: dispatch batches, instructions and compliance records as CAISO told them, the last word on each or every one (pure)."""

from enum import StrEnum

from historian.api.questions.question import Column, Kind, Question
from historian.api.questions.shown import columns_of, names_of
from historian.api.questions.spans import Span, bounds_of, has_part, reaches_in, starts_in
from historian.api.questions.whose import Whose
from historian.api.request.times import Range


class Revisions(StrEnum):
    """Which revisions of what CAISO told."""

    LATEST = "latest"
    ALL = "all"

    @property
    def _view(self) -> str:
        return "latest" if self is Revisions.LATEST else "history"

    def of(self, what: str) -> str:
        """The view that shows them."""
        return f"{what}_{self._view}"


_WHEN = "time received_at recorded_at source event_no"
_BATCH = (
    "batch_uid revision_no batch_status batch_type start_at batch_received_at batch_sent_at batch_expires_at market_id"
    f" dispatch_mode binding_flag contingency_type path_exclusion plant resource_id extra {_WHEN}"
)
_INSTRUCTION = (
    "plant resource_id interval_start interval_end target_at standing standing_mw dot_mw batch_type instruction_type as_type"
    " award_mw cleared_mw self_sched_mw pre_goto_mw min_accept_mw hourly_threshold_mw hourly_mw base_schedule_mw accept_status"
    " accept_dot_mw responder reason_code opr_accept_status opr_accept_dot_mw opr_responder opr_reason_code validated_at"
    " validated_by api_validated_at api_validated_by start_at end_at bid_delay_min oos_energy_code rmr_test_requestor"
    " configuration_id transition_from_config_id transition_to_config_id agc_flag rmr_flag registered_intertie_flag batch_uid"
    f" revision_no batch_status batch_received_at instruction_uid revision_number status_code is_newest extra {_WHEN}"
)
_COMPLIANCE = (
    "plant resource_id start_at expected_mwh compliance_flag configuration_id compliance_uid batch_uid batch_received_at"
)
BATCH_COLUMNS = (
    *columns_of("dispatch_batch_history", _BATCH),
    Column("instructions", Kind.INTEGER, "", "How many instructions it has for the resource; none: nothing any more."),
    Column("told_for", Kind.TIME, "", "start_at, else when its source made the event: the time that ranges are of."),
)
INSTRUCTION_COLUMNS = (
    *columns_of("instruction_history", _INSTRUCTION),
    Column("details", Kind.DOCUMENT, "", "Its segments by service type; none where the batch names the instruction twice."),
    Column("row_digest", Kind.INTEGER, "", "Tells instructions apart that have one identifier in one event."),
)
COMPLIANCE_COLUMNS = columns_of("compliance_history", f"{_COMPLIANCE} time event_no")

# Whose the segments are nobody can tell of an instruction that its batch names twice.
_DETAILS = """(
          SELECT json_agg(json_build_object('seg_no', d.seg_no, 'service_type', d.service_type, 'segment_mw', d.segment_mw)
            ORDER BY d.position)
          FROM instruction_detail AS d
          WHERE d.event_no = i.event_no AND d.instruction_uid = i.instruction_uid
            AND d.interval_start IS NOT DISTINCT FROM i.interval_start
          HAVING 1 = (
            SELECT count(*) FROM instruction AS n WHERE n.event_no = i.event_no AND n.instruction_uid = i.instruction_uid
          )
        )"""
_BATCH_KEY = ("told_for", "event_no")
_INSTRUCTION_KEY = ("resource_id", "interval_start", "event_no", "instruction_uid", "row_digest")
_TOLD_FOR = """b.start_at >= %(start)s AND b.start_at < %(end)s
            OR b.start_at IS NULL AND b.time >= %(start)s AND b.time < %(end)s"""


def dispatch_batches(
    whose: Whose, times: Range, revisions: Revisions, batch_uid: str | None = None, span: Span = Span.OVERLAP
) -> Question:
    """Dispatch batches that are for a range of time, as each resource sees them; those of one name whenever they are for.

    By overlap that is also one of which an instruction reaches into the range, in whichever revision.
    """
    told = f"""
        SELECT {names_of(BATCH_COLUMNS[:-2], "b.")}, coalesce(b.start_at, b.time) AS told_for,
          (SELECT count(*) FROM instruction AS i WHERE i.event_no = b.event_no) AS instructions
        FROM {revisions.of("dispatch_batch")} AS b
        WHERE {whose.condition("b.")} AND"""  # noqa: S608  # names of ours
    if batch_uid is not None:
        parameters = {**whose.parameters, "batch_uid": batch_uid}
        return Question(f"{told} b.batch_uid = %(batch_uid)s", parameters, BATCH_COLUMNS, key=_BATCH_KEY)
    beside = "" if span is Span.START else f" UNION ALL {told} ({_TOLD_FOR}) IS NOT TRUE AND {_reaching(whose)}"
    return Question(f"{told} ({_TOLD_FOR}){beside}", {**whose.parameters, **bounds_of(times)}, BATCH_COLUMNS, key=_BATCH_KEY)


def instructions(
    whose: Whose, times: Range, revisions: Revisions, batch_uid: str | None = None, span: Span = Span.OVERLAP
) -> Question:
    """Instructions of every type of a range of time, with their segments; those of one batch whenever that is."""
    told = f"""
        SELECT {names_of(INSTRUCTION_COLUMNS[:-2], "i.")}, {_DETAILS} AS details, hashtextextended(i::text, 0) AS row_digest
        FROM {revisions.of("instruction")} AS i
        WHERE {whose.condition("i.")} AND"""  # noqa: S608  # names of ours
    if batch_uid is not None:
        parameters = {**whose.parameters, "batch_uid": batch_uid}
        return Question(f"{told} i.batch_uid = %(batch_uid)s", parameters, INSTRUCTION_COLUMNS, key=_INSTRUCTION_KEY[2:])
    overlap = f"{told} {has_part('i.')} UNION ALL {told} {reaches_in('i.')}"
    sql = overlap if span is Span.OVERLAP else f"{told} {starts_in('i.')}"
    return Question(sql, {**whose.parameters, **bounds_of(times)}, INSTRUCTION_COLUMNS, key=_INSTRUCTION_KEY)


def compliance(whose: Whose, times: Range, revisions: Revisions) -> Question:
    """Compliance records of intervals that start in a range; of several on one interval the one that CAISO had last, or all."""
    names = names_of(COMPLIANCE_COLUMNS)
    newest = "DISTINCT ON (environment, resource_id, start_at, configuration_id)" if revisions is Revisions.LATEST else ""
    order = "ORDER BY environment, resource_id, start_at, configuration_id, " if newest else ""
    precedence = "coalesce(batch_received_at, time) DESC, compliance_uid DESC, event_no DESC" if newest else ""
    sql = f"""
        SELECT {newest} {names} FROM compliance_history
        WHERE {whose.condition()} AND start_at >= %(start)s AND start_at < %(end)s
        {order}{precedence}"""  # noqa: S608  # names of ours
    parameters = {**whose.parameters, "start": times.start, "end": times.end}
    return Question(sql, parameters, COMPLIANCE_COLUMNS, key=("resource_id", "start_at", "event_no", "compliance_uid"))


def _reaching(whose: Whose) -> str:
    """Of a batch: one of its revisions has an instruction in the range that the time of the batch does not tell of."""
    told = f"""
          SELECT n.batch_uid, n.resource_id FROM instruction AS i JOIN dispatch_batch AS n USING (event_no)
          WHERE {whose.condition("n.")}{whose.of_resources("i.")} AND"""  # noqa: S608  # names of ours
    began_before = f"{has_part('i.')} AND i.interval_start < %(start)s"
    of_no_time = f"{starts_in('i.')} AND n.start_at IS NULL"
    found = f" UNION {told} ".join((began_before, reaches_in("i."), of_no_time))
    return f"(b.batch_uid, b.resource_id) IN ({told} {found})"
