"""For tests, ours and other people's: one sample of each message, and a bus without a broker."""
