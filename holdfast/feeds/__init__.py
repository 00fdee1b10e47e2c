"""Feeds: tables of patrons, items and holdings that another system sends, and what they would change in the library system."""
