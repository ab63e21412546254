"""What an ingest must not lose: kept on disk, numbered, taken to the bus, and said again when a consumer asks."""
