"""Charts: pages for a browser, each in one piece. They ask the API as anybody does; the server makes the page and no more."""
