"""Measured: how long each answer took, and how it ended."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from historian.api.exchange.context import Context

_UNKNOWN = "unknown"
_GUARDED = ((b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer"))


class Measured:
    """Notes every answer, and says to browsers that it is nothing else than it says."""

    def __init__(self, app: ASGIApp, context: Context) -> None:
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        status, began_s = 0, self._context.monotonic()

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = {**message, "headers": [*message["headers"], *_GUARDED]}
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            path = getattr(scope.get("route"), "path", _UNKNOWN)
            self._context.meters.note(path, status, self._context.monotonic() - began_s)
