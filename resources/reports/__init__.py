"""Reports for people: HTML pages in VAR/reports."""
