"""Windows of a library system's changes by day, and the gaps between them."""
