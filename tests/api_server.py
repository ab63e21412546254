"""An application served on loopback by the server that serves the API, in a thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from real_mosquitto import free_port
from starlette.types import ASGIApp
from waiting import eventually


@contextmanager
def served(app: ASGIApp, **own: Any) -> Iterator[str]:
    """Its address, while it is served; `own` as uvicorn has it."""
    config = uvicorn.Config(app, host="127.0.0.1", port=free_port(), log_config=None, lifespan="off", **own)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started)
        yield f"http://127.0.0.1:{config.port}"
    finally:
        server.should_exit = True
        thread.join()
