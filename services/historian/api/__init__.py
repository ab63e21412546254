"""The API: questions about what the historian keeps, answered over HTTP by a process that can read and nothing else."""
