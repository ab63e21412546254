"""Modbus gateway: topics to registers.

Follows the retained states on the bus and serves them to a plant's SCADA over Modbus TCP, each value with its quality. The
way of a value: `dotbus.judging` (what came, and may it be believed) -> `dotbus.readings` (what it says now, on its ramp) ->
`values` (of the gateway and a plant) -> `encode` -> `image` (all registers at a time) -> `server`.
Everything before the server is pure.
"""
