"""The master store: files that are written once, proved, and never changed."""
