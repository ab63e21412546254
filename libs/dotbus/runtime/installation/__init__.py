"""What an installation is: `dotbus.toml`, read, and what is wrong with it."""
