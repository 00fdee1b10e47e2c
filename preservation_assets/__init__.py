"""What exists in preservation: one file an asset, named as in the UI, in a folder a group."""
