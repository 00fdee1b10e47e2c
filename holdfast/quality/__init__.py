"""How good a load's records are: figures, their trend, and a page for people."""
