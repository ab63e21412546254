"""Formats: the rows of a question as bytes."""
