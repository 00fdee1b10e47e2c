"""The vault: sealed originals."""
