"""CAISO OASIS to topics: locational marginal prices of the configured nodes."""
