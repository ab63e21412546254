"""Our server with an image of ten resources, rendered anew twice a second as in the gateway. Usage: our_server.py PORT."""

import asyncio
import sys
import time
from datetime import UTC, datetime

import uvloop
from prometheus_client import CollectorRegistry

from dotbus.runtime.installation import Installation
from dotbus.runtime.logs import configure_logs
from modbus_gateway.image import render
from modbus_gateway.map_draft import read_map
from modbus_gateway.metrics import GatewayMetrics
from modbus_gateway.received import Received
from modbus_gateway.server import Limits, Server

INSTALLATION = {
    "environment": "simulator",
    "plant": [{"name": "plant", "resource": [{"id": f"R{number}", "node": "N"} for number in range(10)]}],
    "modbus": {"accept_environments": ["simulator"], "block": [{"profile": "plant", "unit_id": 1}]},
}


async def serve(port: int) -> None:
    """Serve until killed."""
    configure_logs("modbus_gateway", "bench", "console", "warning")
    installation = Installation.model_validate(INSTALLATION)
    register_map, received = read_map(installation), Received()
    server = Server(register_map.units, Limits(), GatewayMetrics(CollectorRegistry()), time.monotonic)
    await server.start("127.0.0.1", port)
    image = None
    while True:
        image = render(register_map, received, installation.topics, datetime.now(UTC), image)
        server.show(image)
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
