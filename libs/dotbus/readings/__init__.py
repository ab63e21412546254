"""What a resource or a node's price comes to at one time, each value with its quality, whatever service shows it. Pure."""
