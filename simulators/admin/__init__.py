"""The simulator's own door: what it has sent and told, what prices it gives, and orders to misbehave."""
