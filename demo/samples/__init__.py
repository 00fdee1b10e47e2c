"""Sample drops, made by code from facts of our own writing: the same bytes every time.

`python -m demo.samples --to DIR` writes them; `demo.samples.seed` is the catalogue that the demo ILS begins with.
"""
