"""Group `records`: what came in, and what it says."""
