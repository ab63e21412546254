"""Questions: what was asked as SQL with bound parameters, and what its columns mean (pure)."""
