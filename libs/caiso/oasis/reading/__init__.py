"""From the bytes of a reply to prices, or to a typed failure."""
