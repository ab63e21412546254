"""Answers: the endpoints. FastAPI is known here, in `app` and in `process`, and nowhere else."""
