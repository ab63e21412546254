"""What is to be asked of CAISO, when, and what it is told."""
