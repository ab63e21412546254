"""What is known of each resource: folded from events, with what speaks against it. No I/O but one small file."""
