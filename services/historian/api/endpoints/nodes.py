"""/v1/nodes: the names of nodes; and whether a node that a question names is one."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response

from historian.api.exchange.documented import pages_of
from historian.api.exchange.exchange import Ask, Exchange
from historian.api.exchange.parameters import PageParameters, Text
from historian.api.problems import Problem, Sort, unknown
from historian.api.questions.nodes import KNOWN_OF, NEAR, NODE_COLUMNS, nodes
from historian.api.reading import Reading

router = APIRouter(tags=["prices"])


class NodesAsked(PageParameters):
    """What may be said."""

    name: Annotated[Text | None, Query(description="Only those whose name holds this, in capitals or small letters.")] = None


@router.get("/v1/nodes", responses=pages_of(NODE_COLUMNS), response_class=Response)
async def get_nodes(asked: Annotated[NodesAsked, Query()], ask: Ask) -> Response:
    """Nodes of which prices are kept, by name."""
    return await ask.answer(nodes(asked.name), asked)


async def require_nodes(ask: Exchange, names: Sequence[str]) -> None:
    """Whether every node is known. A name that is misspelt must not read as a node without prices.

    Raises:
        Problem: one is not, with those near to it.
    """
    strange = [name for name in names if name not in ask.context.known_nodes]
    if not strange:
        return

    def look(reading: Reading) -> Problem | None:
        ask.context.known_nodes.update(str(node) for (node,) in reading.rows(KNOWN_OF, {"nodes": strange}))
        missing = next((name for name in strange if name not in ask.context.known_nodes), None)
        if missing is None:
            return None
        near = [str(node) for (node,) in reading.rows(NEAR, {"name": missing})]
        return unknown(Sort.UNKNOWN_NODE, "node", missing, near)

    if problem := await ask.read(look):
        raise problem
