"""The library system: what is read from it and written to it. Adding one is a file beside `folio.py`."""
