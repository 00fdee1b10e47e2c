"""Scanners to try Holdfast on: one that speaks eSCL over HTTP, and one that fills a hot folder."""
