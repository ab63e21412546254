"""Pages and answers over HTTP: what every service that serves a browser does alike. Only those import it: it needs uvicorn."""
