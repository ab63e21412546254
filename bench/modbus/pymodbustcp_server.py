"""pyModbusTCP serving a thousand registers. Usage: pymodbustcp_server.py PORT."""

import sys

from pyModbusTCP.server import DataBank, ModbusServer

if __name__ == "__main__":
    bank = DataBank(h_regs_size=1000)
    bank.set_holding_registers(0, list(range(1000)))
    ModbusServer(host="127.0.0.1", port=int(sys.argv[1]), data_bank=bank).start()
