"""What uvloop and the system alone take: each request gets as many bytes as it asks for. Usage: echo_server.py PORT.

No server of ours can take less while asyncio hands it the bytes: what it takes above this is its own.
"""

import asyncio
import sys

import uvloop

ANSWERS = [(3 + 2 * count).to_bytes(2, "big") + bytes((1, 3, 2 * count)) + bytes(2 * count) for count in range(126)]


class Echo(asyncio.Protocol):
    """One client."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # create_server makes no others
        """It came."""
        self._write = transport.write

    def data_received(self, request: bytes) -> None:
        """One request to read registers, whole."""
        self._write(request[:4] + ANSWERS[request[11]])


async def serve(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Echo, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
