"""Plants: which resources the database has ever heard of (pure)."""

from collections.abc import Sequence

from historian.api.questions.question import Column, Kind, Question

_RESOURCE = (Column("resource_id", Kind.TEXT, "", "CAISO's resource ID."),)
# The name of the next resource is looked up in the index, month by month: that takes as long as there are names, not rows.
EVERY_NAME = """
    WITH RECURSIVE named AS (
      (SELECT resource_id FROM instruction ORDER BY resource_id LIMIT 1)
      UNION ALL
      SELECT (SELECT i.resource_id FROM instruction AS i WHERE i.resource_id > n.resource_id ORDER BY i.resource_id LIMIT 1)
      FROM named AS n WHERE n.resource_id IS NOT NULL
    ) SELECT resource_id FROM named WHERE resource_id IS NOT NULL"""


def every_resource() -> Question:
    """Every resource that was ever instructed."""
    return Question(EVERY_NAME, {}, _RESOURCE, key=("resource_id",))


def those_seen(names: Sequence[str]) -> Question:
    """Those of some resources that CAISO ever told anything of."""
    sql = """
        SELECT resource_id FROM unnest(%(names)s::text[]) AS n (resource_id)
        WHERE EXISTS (SELECT FROM instruction AS i WHERE i.resource_id = n.resource_id)
          OR EXISTS (SELECT FROM dop AS d WHERE d.resource_id = n.resource_id)
          OR EXISTS (SELECT FROM compliance AS c WHERE c.resource_id = n.resource_id)"""
    return Question(sql, {"names": list(names)}, _RESOURCE)
