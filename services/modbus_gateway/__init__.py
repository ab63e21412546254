"""Modbus gateway: topics to registers.

Follows the retained states on the bus and serves them to a plant's SCADA over Modbus TCP, each value with its quality. The
way of a value: `received` (what came) -> `judge` (may it be believed) -> `readings` (what it says now, on `setpoint`'s ramp)
-> `encode` -> `image` (all registers at a time) -> `server`. Everything before the server is pure.
"""
