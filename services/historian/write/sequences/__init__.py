"""Which numbers of each stream have come, which are missing, and who is asked for them."""
