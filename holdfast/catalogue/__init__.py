"""Records against the catalogue: fields as comparable text, matching, minimal patches."""
