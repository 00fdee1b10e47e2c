"""Names of persons, by rules: a title, a known given name or initials before a capitalized name.

No model: those that learnt names come as downloads, and none may be fetched here. What the rules find is mostly right
and far from all: bare surnames, names in other scripts and names that were read wrongly stay unfound. Values are names as
written, not identities; linking them to an authority file is a person's work.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources as package_files

from holdfast.preservation.enrichment.statement import Statement, without_overlaps

SOURCE = "holdfast persons 1"

_TITLES = (
    "Mr Mrs Ms Miss Dr Prof Professor Sir Lady Lord Captain Colonel General Rev Reverend Bishop King Queen Prince Princess Duke "
    "Count Herr Herrn Hrn Frau Fräulein Doktor Graf Gräfin Freiherr Freifrau Fürst Herzog Herzogin König Königin Kaiser "
    "Kaiserin Bischof Monsieur Madame Mademoiselle Mme Mlle Mgr Abbé Comte Comtesse Duc Duchesse Roi Reine Evêque Évêque"
).split()
# What is capitalized after a title, an initial or a name and is none: first words of sentences, forms of address.
_NO_NAMES = frozenset(
    "The This That These Those There Then Thus And But For From His Her Their They When Where Which While With You Your Our "
    "Der Die Das Dem Den Des Ein Eine Einer Eines Und Aber Auch Auf Aus Bei Denn Diese Dieser Dieses Doch Durch Er Es Für Ich Ihr "
    "Im In Ist Man Mit Nach Nun Nur Ob Sie So Über Um Von Vor Wenn Wer Wie Wir Zu Zum Zur Gott Herr Frau Band Seite Kapitel "
    "Le La Les Un Une Et Mais Pour Par Dans Sur Avec Ce Cette Ces Il Elle Ils Nous Vous Que Qui Où De Du Des Au Aux Chapitre Tome "
    "January February March April May June July August September October November December Januar Februar März Mai Juni "
    "Juli Oktober Dezember Volume Chapter Page Street Road President Secretary Minister Majesty Justice".split()
)

_CAPITAL = r"[A-ZÀ-ÖØ-ÞŒŠŽ]"
_NAME = rf"{_CAPITAL}[a-zß-öø-ÿœšžſ]+(?:[-'’]{_CAPITAL}?[a-zß-öø-ÿœšžſ]+)*"
_PARTICLE = r"(?:von der|von dem|van der|van den|de la|of|von|van|zu|vom|zum|de|du|des|della|di|da|le|la|d['’])"
_SURNAME = rf"(?:{_PARTICLE}[ ]?)?{_NAME}"
_INITIALS = rf"(?:{_CAPITAL}\.[ ]?){{1,3}}"
_GAP = r"[ ]"


@cache
def given_names() -> frozenset[str]:
    """Given names of English, German and French title pages, a list of ours."""
    return frozenset((package_files.files(__package__) / "given_names.txt").read_text(encoding="utf-8").split())


_TITLED = re.compile(
    rf"\b(?:{'|'.join(_TITLES)})\b\.?{_GAP}(?P<name>(?:{_INITIALS}[ ]?)?(?:{_NAME}{_GAP}){{0,2}}{_SURNAME})"
)
_GIVEN = re.compile(rf"\b(?P<name>(?P<given>{_NAME})(?:{_GAP}(?:{_INITIALS}|{_NAME})){{0,3}}?{_GAP}{_SURNAME})")
_INITIALED = re.compile(rf"(?<![\w.])(?P<name>{_INITIALS}[ ]?{_SURNAME})")


def find_persons(text: str) -> list[Statement]:
    """Names of persons in `text`.

    >>> [p.value for p in find_persons("Herr Moses Mendelssohn an Immanuel Kant, gedruckt bey J. F. Hartknoch")]
    ['Moses Mendelssohn', 'Immanuel Kant', 'J. F. Hartknoch']
    """
    return without_overlaps(_all_persons(text))


def _all_persons(text: str) -> Iterator[Statement]:
    for pattern, confidence in ((_TITLED, 0.8), (_GIVEN, 0.75), (_INITIALED, 0.55)):
        at = 0
        while match := pattern.search(text, at):
            at = match.end("name")
            name = match["name"]
            if pattern is _GIVEN and match["given"].split("-")[0] not in given_names():
                at = match.end("given")
                continue
            name = _cut(name)
            if name:
                start = match.start("name")
                yield Statement(
                    "person", name, " ".join(name.split()), name, start, start + len(name), confidence, SOURCE
                )


def _cut(name: str) -> str:
    """`name` up to the first word that is none; '' where no surname is left."""
    words = name.split(" ")
    for number, word in enumerate(words):
        if word in _NO_NAMES:
            words = words[:number]
            break
    while words and (len(words[-1]) < 3 or not re.fullmatch(_NAME, words[-1])):
        words.pop()
    whole = " ".join(words)
    return whole if len(words) > 1 or (len(words) == 1 and len(words[0]) > 2 and words[0] not in given_names()) else ""
