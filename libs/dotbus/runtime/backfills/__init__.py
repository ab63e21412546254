"""Prices of the past: how a command has the running lmp_ingest ask for them, and follows it to its end."""
