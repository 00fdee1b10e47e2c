"""Authority files: where they lie, and what of them is in the lake."""
