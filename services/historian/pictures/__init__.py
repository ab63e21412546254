"""Pictures for a report: the same questions to the API as the pages ask, drawn into a file."""
