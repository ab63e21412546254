"""What CAISO said: a reply's prices, what is known of each node, what was told already."""
