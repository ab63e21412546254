"""Writes: what SCADA writes, judged, told on the bus and kept.

The way of a write: `writable` of the map (what stands there) -> `requests` (whole values of points) -> `unit` (staged, taken
or refused; pure) -> `taking` (kept as an event, before it is answered) -> `telemetry` (said as a state) -> `shown` (read back).
"""
