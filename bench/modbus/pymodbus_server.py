"""pymodbus serving a thousand registers, on uvloop as our server does. Usage: pymodbus_server.py PORT."""

import sys

import uvloop
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


async def serve(port: int) -> None:
    """Serve until killed."""
    bits = SimData(0, values=[False] * 16, datatype=DataType.BITS)
    registers = SimData(0, values=list(range(1000)), datatype=DataType.REGISTERS)
    device = SimDevice(0, simdata=([bits], [bits], [registers], [registers]))
    await ModbusTcpServer(device, address=("127.0.0.1", port)).serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
