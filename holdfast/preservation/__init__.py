"""A page's way into custody: manifest, fixity, events, image facts, text, enrichment. No Dagster, no network."""
