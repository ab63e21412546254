"""Gateways side by side: what others of them say on the bus, and what follows for this one."""
