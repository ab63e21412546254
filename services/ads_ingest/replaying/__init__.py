"""A day of the past played again, as a simulation: from the archive of an ads_ingest, or from the historian's database."""
