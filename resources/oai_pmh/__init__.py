"""Repositories that speak OAI-PMH 2.0."""
