"""From what is wanted to replies: questions, when they may be asked, and what is left of them when all are answered."""
