"""What `lmp-ingest` does besides being the service: prices from CAISO or out of a file, without any broker."""
