"""Formats: rows as CSV, Arrow or Parquet, in a stream that takes the same memory however long the answer is.

A format writes to a sink. The sink is as slow as the reader is, and so is what reads the database: nothing is gathered.
"""
