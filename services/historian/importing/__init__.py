"""Prices out of files: of caiso_connector, of `lmp-ingest get`, of `historian export`, or of any that has columns for them."""
