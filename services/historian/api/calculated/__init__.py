"""Calculated: what CAISO asked of a resource at any moment, by the functions of ads_ingest and of the gateway (pure)."""
