"""From the drop into custody: manifests, masters, technical metadata."""
