"""Keys: who may ask, and what of."""
