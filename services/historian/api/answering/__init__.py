"""How every endpoint answers: who asks, what all have alike, and in which format it is sent."""
