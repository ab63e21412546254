"""Responding: answers to instructions, from a command on the bus or a configured rule to what CAISO may be asked. Pure."""
