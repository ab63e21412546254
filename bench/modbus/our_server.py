"""Our server with an image of ten resources as the gateway shows them.

    our_server.py PORT [RTU_PORT TLS_PORT FOLDER]

FOLDER has server.pem, with its key, and ca.pem, the authority of clients.
"""

import asyncio
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from prometheus_client import CollectorRegistry

from dotbus.runtime.installation.installation import Installation
from dotbus.runtime.logs import configure_logs
from modbus_gateway.map.draft import read_map
from modbus_gateway.metrics import GatewayMetrics
from modbus_gateway.wire.admission import Limits
from modbus_gateway.wire.certificates import Files
from modbus_gateway.wire.connection import Door
from modbus_gateway.wire.identification import Identification
from modbus_gateway.wire.images.current_image import CurrentImage
from modbus_gateway.wire.pdu import Served
from modbus_gateway.wire.rtu import Rtu
from modbus_gateway.wire.server import Server
from modbus_gateway.wire.tls import Roles, Secured
from modbus_gateway.wire.writing import NothingWritable

INSTALLATION = {
    "environment": "simulator",
    "plant": [{"name": "plant", "resource": [{"id": f"R{number}", "node": "N"} for number in range(10)]}],
    "modbus": {"accept_environments": ["simulator"], "block": [{"profile": "plant", "unit_id": 1}]},
}


async def serve(port: int, rtu_port: int | None = None, tls_port: int | None = None, folder: Path | None = None) -> None:
    """Serve until killed."""
    configure_logs("modbus_gateway", "bench", "console", "error")
    installation = Installation.model_validate(INSTALLATION)
    register_map = read_map(installation)
    images = CurrentImage(register_map, installation.topics, wall=lambda: datetime.now(UTC), monotonic_s=time.monotonic)
    served = Served(register_map.units, images.look, NothingWritable(), Identification.of("0", "bench"))
    server = Server(served, Limits(), GatewayMetrics(CollectorRegistry()), time.monotonic)
    await server.start("127.0.0.1", port)
    if rtu_port:
        await server.start("127.0.0.1", rtu_port, Door("RTU", Rtu))
    if tls_port and folder:
        files = Files(folder / "server.pem", None, folder / "ca.pem")
        await server.start(
            "127.0.0.1", tls_port, Door("TLS", securing=Secured(files, Roles(), lambda: datetime.now(UTC), time.monotonic))
        )
    while True:
        while subject := images.next_outdated():
            images.renew(subject)
        server.tend()
        await asyncio.sleep(0.5)


if __name__ == "__main__":
    uvloop.run(serve(*map(int, sys.argv[1:4]), *map(Path, sys.argv[4:])))
