"""Upkeep: what keeps the database well. Months, retention, dead letters, what an operator asks."""
