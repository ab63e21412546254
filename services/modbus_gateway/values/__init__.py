"""What a resource or a price shows at one moment, each value with its quality."""
