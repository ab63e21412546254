"""Where things run: environment variables, what they may hold, and their mistakes told all at once."""
