"""dotbus: CAISO dispatch and prices on a bus, in registers with honest quality, and in a database."""
