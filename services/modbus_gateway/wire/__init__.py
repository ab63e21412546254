"""The values as registers: encoded, kept as an image, served over Modbus TCP."""
