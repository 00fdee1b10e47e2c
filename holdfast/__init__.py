"""The knowledge of Holdfast: MARC, matching, museum objects, fixity, OCR, privacy.

A plain Python library: give it bytes or a frame, get a frame back. No Dagster and no network in here
(import-linter holds that).
"""
