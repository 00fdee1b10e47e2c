"""Museum objects: CSV and LIDO exports in, Dublin Core out, each object with the place that it came from."""
