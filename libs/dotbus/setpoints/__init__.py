"""Set-points: what DOTs and a trajectory ask at any moment. The gateway shows it, the historian tells it of the past. Pure."""
