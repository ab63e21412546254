"""The load: connections that ask again and again, each waiting for its answer before it asks the next question.

    python load.py PORT CONNECTIONS SECONDS < paths

Prints a JSON list of how long each answer took, in milliseconds. A process of its own: it takes no turn of whom it asks.
"""

import asyncio
import json
import sys
import time
from itertools import cycle

HEAD = "GET {} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


async def ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> float:
    """One question and all of its answer."""
    begun = time.perf_counter()
    writer.write(HEAD.format(path).encode())
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), (path, head)
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return (time.perf_counter() - begun) * 1000


async def one(port: int, paths: "cycle[str]", until: float) -> list[float]:
    """One connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 20)
    await ask(reader, writer, next(paths))
    took_ms = []
    while time.perf_counter() < until:
        took_ms.append(await ask(reader, writer, next(paths)))
    writer.close()
    return took_ms


async def main() -> None:
    """All of them."""
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    paths = cycle(line.strip() for line in sys.stdin)
    until = time.perf_counter() + seconds
    took_ms = await asyncio.gather(*(one(port, paths, until) for _ in range(connections)))
    print(json.dumps([ms for of_one in took_ms for ms in of_one]))


if __name__ == "__main__":
    asyncio.run(main())
