"""Set-points: which DOTs and what curve follow from CAISO's batches, and what they ask at any moment. Pure.

ads_ingest says what follows as states, the gateway shows what they ask, the historian tells of any time what both did.
"""
