"""The demonstration: everything on this machine, against a simulated CAISO."""
