"""Connections of the API: how many there may be, and a refusal as a problem."""

import asyncio
from typing import Final

import msgspec

from dotbus.web.connections import BoundedProtocol, Refused
from dotbus.web.connections import bounded as bounded_to
from historian.api.exchange.streamed import CUT
from historian.api.problems import MEDIA_TYPE, Problem, Sort

AT_ONCE_MOST: Final = 1000
"""Connections, of all processes together."""
STRANGERS_EACH_MOST: Final = 100
"""Of them strangers of one address."""
_SORTS: Final = {Refused.NO_HTTP: Sort.NO_HTTP, Refused.HEAD_TOO_LARGE: Sort.HEAD_TOO_LARGE, Refused.TOO_MANY: Sort.BUSY}


def bounded(processes: int) -> type[BoundedProtocol]:
    """The protocol of one of so many processes, each of which has its part of the connections that there may be."""
    return bounded_to(AT_ONCE_MOST // processes, max(1, STRANGERS_EACH_MOST // processes), _Problems)


class _Problems(BoundedProtocol):
    """Refuses as the API does, and ends an answer before its end where whoever makes it says so."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Each request has in its state how its answer is cut."""
        super().connection_made(transport)
        self.app_state = {**self.app_state, CUT: self.cut}

    def refusal(self, why: Refused) -> tuple[dict[str, str], bytes]:
        """See `BoundedProtocol`."""
        problem = Problem(_SORTS[why], why.value[1], retry_after_s=1 if why is Refused.TOO_MANY else None)
        return {**problem.headers(), "content-type": MEDIA_TYPE}, msgspec.json.encode(problem.document())
