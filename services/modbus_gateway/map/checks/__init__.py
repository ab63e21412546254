"""What can be wrong with a register map: each mistake with its key, whose line it is, and what to do. Pure."""
