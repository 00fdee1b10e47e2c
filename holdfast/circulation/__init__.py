"""Loans, renewals and returns: masked, and folded to the last state of each item."""
