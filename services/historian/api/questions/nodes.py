"""Nodes: which are known, and which are near to a name that is not."""

from historian.api.questions.question import Column, Kind, Question

NODE_COLUMNS = (
    Column("node", Kind.TEXT, "", "CAISO's name of a pricing node, hub or aggregation point of which a price is kept."),
)
KNOWN_OF = "SELECT node FROM node WHERE node = ANY(%(nodes)s)"
NEAR = """
    SELECT node FROM node
    WHERE starts_with(upper(node), upper(left(%(name)s, 3))) OR position(upper(%(name)s) IN upper(node)) > 0
    ORDER BY node LIMIT 2000"""
"""Names that begin alike or hold the name: those that are compared letter by letter."""


def nodes(holding: str | None) -> Question:
    """The question for names of nodes; those that hold a text, in capitals or small letters, when one is given."""
    condition = "WHERE position(upper(%(holding)s) IN upper(node)) > 0" if holding else ""
    parameters = {"holding": holding} if holding else {}
    # In the order of bytes, which is also the order that a page's key is compared in.
    sql = f'SELECT node COLLATE "C" AS node FROM node {condition}'  # noqa: S608  # words of ours
    return Question(sql, parameters, NODE_COLUMNS, key=("node",))
