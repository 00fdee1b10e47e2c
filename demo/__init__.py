"""A library to try Holdfast on: an ILS, scanners, sample drops. Tests use it too."""
