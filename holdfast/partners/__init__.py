"""Exports for partners: what is new, changed or gone since the last one, without anything that is masked."""
