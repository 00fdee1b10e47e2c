"""The elements that a column or constant of `holdfast.toml` may be mapped to.

Names are those of DCMI Metadata Terms (https://www.dublincore.org/specifications/dublin-core/dcmi-terms/, 2020-01-20): the
fifteen elements of ISO 15836-1, the terms of ISO 15836-2 that museums need, and two links for the public page.
"""

from __future__ import annotations

DUBLIN_CORE = (
    "contributor",
    "coverage",
    "creator",
    "date",
    "description",
    "format",
    "identifier",
    "language",
    "publisher",
    "relation",
    "rights",
    "source",
    "subject",
    "title",
    "type",
)
TERMS = ("alternative", "created", "extent", "medium", "provenance", "rightsHolder", "spatial", "temporal")
LINKS = ("image_url", "page_url")
ELEMENTS = DUBLIN_CORE + TERMS + LINKS
