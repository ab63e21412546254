"""Commands over HTTP: what a page of somebody who may operate asks for, and what became of it."""

from typing import Final, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.access.people import Visit
from console.commanding import AlarmDeed, Answer, Commander
from console.web.replies import NO_SUCH, address_of, body_of, changing_visit_of, json_reply

MAY_NOT: Final = "only an operator or an engineer may do this\n"
T = TypeVar("T")


class Commands:
    """What can be asked for.

    Args:
        commander: sends it.
    """

    def __init__(self, commander: Commander) -> None:
        self._commander = commander

    def routes(self) -> list[Route]:
        """Where."""
        return [Route("/answers", self.answer, methods=["POST"]), Route("/alarms", self.to_alarm, methods=["POST"])]

    async def answer(self, request: Request) -> Response:
        """Answer an instruction."""
        visit = _operator(request)
        answer = await _read(request, Answer)
        _require_plant(visit, answer.plant)
        return json_reply(await self._commander.answer(answer, visit, address_of(request)))

    async def to_alarm(self, request: Request) -> Response:
        """Acknowledge, shelve or unshelve an alarm. Those of no plant are for whoever may see every plant."""
        visit = _operator(request)
        deed = await _read(request, AlarmDeed)
        _require_plant(visit, deed.plant)
        return json_reply(await self._commander.to_alarm(deed, visit, address_of(request)))


def _operator(request: Request) -> Visit:
    visit = changing_visit_of(request)
    if not visit.person.may_operate:
        raise HTTPException(403, MAY_NOT)
    return visit


def _require_plant(visit: Visit, plant: str) -> None:
    if not visit.person.may_see(plant):
        raise HTTPException(404, NO_SUCH)


async def _read(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await body_of(request), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(400, f"{error}\n") from error
