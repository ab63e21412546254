"""Before a plant runs: credentials, who may say what, and every mistake of a configuration."""
