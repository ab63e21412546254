"""What a message says, as records, and what of it cannot be kept."""
