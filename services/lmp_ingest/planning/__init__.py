"""What is asked of CAISO next, and when: from the time and what is known."""
