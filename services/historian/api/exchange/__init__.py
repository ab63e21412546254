"""One request and its answer: who asks, what every endpoint does alike, and in which format it is sent."""
