"""The historian: every event of the bus into PostgreSQL, acknowledged once it is committed there."""
