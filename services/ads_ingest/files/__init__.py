"""Documents of CAISO's on disk: the latest for SCADA, all of them in an archive, and what reads them again."""
