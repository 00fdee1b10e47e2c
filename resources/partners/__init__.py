"""Exports for partners: the files, their manifests, and what each export left behind to compare the next with."""
