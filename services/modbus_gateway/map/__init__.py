"""What stands where: the register map, from the configuration to addresses, and what is wrong with one."""
