"""The scans folder: drops that wait there, read without following links."""
