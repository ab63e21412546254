"""The values as registers: encoded, and kept as the bytes that replies are cut from."""
