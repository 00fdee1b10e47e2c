"""The governor: what all workers together ask of the library system, and when they hold back."""
