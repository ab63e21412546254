"""Alarms by ISA-18.2: what is wrong, how urgent it is, who has seen it, and nothing twice for one cause.

The way of an alarm: `rules` (does it hold, by what the bus says) -> `states` (delays, causes, the standard's state machine) ->
the outbox (state and event in one transaction) -> the bus, and `out` to people who do not look at a screen.
"""
