"""What exists in the catalogue: one file an asset, named as in the UI, in a folder a group."""
