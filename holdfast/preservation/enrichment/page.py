"""All that is said of one page."""

from __future__ import annotations

from holdfast.preservation.enrichment.dates import find_dates
from holdfast.preservation.enrichment.language import language_statement
from holdfast.preservation.enrichment.persons import find_persons
from holdfast.preservation.enrichment.places import find_places
from holdfast.preservation.enrichment.statement import Statement


def enrich(text: str) -> list[Statement]:
    """Language (always, first), dates, persons and places of a page's text; a blank page has the language `und`."""
    language = language_statement(text)
    dates = find_dates(text, language.value)
    persons = find_persons(text)
    return [language, *dates, *persons, *find_places(text, taken=persons)]
