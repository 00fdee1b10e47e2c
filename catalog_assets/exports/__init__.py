"""Group `exports`: what partners get."""
