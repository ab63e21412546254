"""Plants: which resources the database has ever heard of (pure)."""

from collections.abc import Sequence

from historian.api.questions.question import Column, Kind, Question
from historian.api.questions.spans import bounds_of, has_part, reaches_in
from historian.api.request.times import Range

_RESOURCE = (Column("resource_id", Kind.TEXT, "", "CAISO's resource ID."),)
# The name of the next resource is looked up in an index: that takes as long as there are names, not rows.
_NAMES = """
    WITH RECURSIVE named AS (
      (SELECT resource_id FROM {table} ORDER BY resource_id LIMIT 1)
      UNION ALL
      SELECT (SELECT i.resource_id FROM {table} AS i WHERE i.resource_id > n.resource_id ORDER BY i.resource_id LIMIT 1)
      FROM named AS n WHERE n.resource_id IS NOT NULL
    ) SELECT resource_id FROM named WHERE resource_id IS NOT NULL"""
EVERY_NAME = _NAMES.format(table="dispatch_batch")
"""Every resource of which there ever was a batch: a look for each. Instructions have an index for each month, and so many."""


def every_resource() -> Question:
    """Every resource that was ever instructed."""
    return Question(_NAMES.format(table="instruction"), {}, _RESOURCE, key=("resource_id",))


# The same of a plant, whatever the installation says of it today.
_TOLD_TO = """
      (
        WITH RECURSIVE told AS (
          (SELECT resource_id FROM {table} WHERE plant = %(plant)s ORDER BY resource_id LIMIT 1)
          UNION ALL
          SELECT (
            SELECT b.resource_id FROM {table} AS b WHERE b.plant = %(plant)s AND b.resource_id > t.resource_id
            ORDER BY b.resource_id LIMIT 1
          ) FROM told AS t WHERE t.resource_id IS NOT NULL
        ) SELECT resource_id FROM told WHERE resource_id IS NOT NULL
      )"""


def those_of_plant(plant: str) -> Question:
    """Every resource of which a plant was ever told anything."""
    sql = " UNION ".join(_TOLD_TO.format(table=table) for table in ("dispatch_batch", "trajectory_batch"))
    return Question(sql, {"plant": plant}, _RESOURCE, key=("resource_id",))


def those_seen(names: Sequence[str], plant: str | None) -> Question:
    """Those of some resources that CAISO ever told anything of; of a plant those of which it was told."""
    if plant is not None:
        sql = """
        SELECT resource_id FROM unnest(%(names)s::text[]) AS n (resource_id)
        WHERE EXISTS (SELECT FROM dispatch_batch AS b WHERE b.plant = %(plant)s AND b.resource_id = n.resource_id)
          OR EXISTS (SELECT FROM trajectory_batch AS b WHERE b.plant = %(plant)s AND b.resource_id = n.resource_id)"""
        return Question(sql, {"names": list(names), "plant": plant}, _RESOURCE)
    sql = """
        SELECT resource_id FROM unnest(%(names)s::text[]) AS n (resource_id)
        WHERE EXISTS (SELECT FROM instruction AS i WHERE i.resource_id = n.resource_id)
          OR EXISTS (SELECT FROM dop AS d WHERE d.resource_id = n.resource_id)
          OR EXISTS (SELECT FROM compliance AS c WHERE c.resource_id = n.resource_id)"""
    return Question(sql, {"names": list(names)}, _RESOURCE)


def those_instructed(environment: str, plant: str, times: Range) -> Question:
    """The resources of which a plant was told instructions for a range of time, whatever the installation says of it today."""
    sql = f"""
        SELECT resource_id FROM ({EVERY_NAME}) AS every WHERE EXISTS (
          SELECT FROM instruction AS i JOIN dispatch_batch AS b USING (event_no)
          WHERE i.resource_id = every.resource_id AND i.standing IS NOT NULL AND {has_part("i.")}
            AND b.environment = %(environment)s::environment AND b.plant = %(plant)s
        ) OR EXISTS (
          SELECT FROM instruction AS i JOIN dispatch_batch AS b USING (event_no)
          WHERE i.resource_id = every.resource_id AND i.standing IS NOT NULL AND {reaches_in("i.")}
            AND b.batch_type = 4 AND b.environment = %(environment)s::environment AND b.plant = %(plant)s
        )"""  # noqa: S608  # of our own words
    return Question(sql, {"environment": environment, "plant": plant, **bounds_of(times)}, _RESOURCE)
