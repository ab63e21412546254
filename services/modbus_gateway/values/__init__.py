"""What the gateway itself, a plant or a field of a state shows at one moment, each value with its quality."""
