"""The page over HTTP, and the stream that keeps it live."""
