"""What was asked for: times, pages, nodes, keys, out of the words of a request (pure)."""
