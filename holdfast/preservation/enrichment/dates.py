"""Dates in English, German and French text, as EDTF (ISO 8601-2:2019, levels 0 and 1).

Strict patterns of our own: the searching parsers of general libraries make dates of page numbers and of the word "may".
What is here is a date in one of the forms below or nothing. Limits: no Revolutionary or Julian calendar, no "the year
after", day and month of 3/4/1784 stay open unless the page is French or German.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator

from holdfast.preservation.enrichment.statement import Statement, without_overlaps

SOURCE = "holdfast dates 1"
_FIRST, _LAST = 1000, 2100

_MONTHS: dict[str, int] = {}
for _number, _names in enumerate(
    (
        "january jan januar jänner janvier janv",
        "february feb februar feber février fevrier févr",
        "march mar märz mars",
        "april apr avril avr",
        "may mai",
        "june jun juni juin",
        "july jul juli juillet juil",
        "august aug août aout",
        "september sept sep septembre",
        "october oct oktober okt octobre",
        "november nov novembre",
        "december dec dezember dez décembre decembre déc",
    ),
    start=1,
):
    _MONTHS.update(dict.fromkeys(_names.split(), _number))
_SEASONS = {
    **dict.fromkeys(("spring", "frühling", "frühjahr", "printemps"), 21),
    **dict.fromkeys(("summer", "sommer", "été"), 22),
    **dict.fromkeys(("autumn", "fall", "herbst", "automne"), 23),
    **dict.fromkeys(("winter", "hiver"), 24),
}

_MONTH = r"(?P<month>" + "|".join(sorted(_MONTHS, key=len, reverse=True)) + r")\b\.?"
_SEASON = r"(?P<season>" + "|".join(sorted(_SEASONS, key=len, reverse=True)) + r")\b"
_DAY = r"(?P<day>[0-3]?\d)(?:st|nd|rd|th|er|\.)?"
_YEAR = r"(?P<year>[12]\d{3})(?![\d.,]?\d)"
_SPACE = r"[ \t]*\n?[ \t]*"
_ROMAN = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}

Match = re.Match[str]


def _year(match: Match, group: str = "year") -> int | None:
    year = int(match[group])
    return year if _FIRST <= year <= _LAST else None


def _full(match: Match) -> str:
    year = _year(match)
    try:
        return dt.date(year or 0, _MONTHS[match["month"].lower()], int(match["day"])).isoformat()
    except ValueError:
        return ""


def _iso(match: Match) -> str:
    try:
        return dt.date(_year(match) or 0, int(match["m"]), int(match["d"])).isoformat()
    except ValueError:
        return ""


def _slashed(match: Match) -> str:
    first, second, year = int(match["a"]), int(match["b"]), _year(match)
    readings = {
        f"{year:04d}-{month:02d}-{day:02d}"
        for day, month in ((first, second), (second, first))
        if year and 1 <= month <= 12 and 1 <= day <= 31
    }
    if len(readings) > 1:
        return f"{year}-XX-XX"
    return next(iter(readings), "")


def _month(match: Match) -> str:
    return f"{match['year']}-{_MONTHS[match['month'].lower()]:02d}" if _year(match) else ""


def _season(match: Match) -> str:
    return f"{match['year']}-{_SEASONS[match['season'].lower()]}" if _year(match) else ""


def _interval(match: Match) -> str:
    first, last = _year(match), int(match["last"])
    if last < 100:  # 1784-86
        last += (first or 0) // 100 * 100
    return f"{first}/{last}" if first and first < last <= _LAST else ""


def _approximate(match: Match) -> str:
    return f"{match['year']}~" if _year(match) else ""


def _decade(match: Match) -> str:
    return match["year"][:3] + "X" if _year(match) else ""


def _century(match: Match) -> str:
    text = match["century"]
    number = int(text) if text.isdigit() else _roman(text.upper())
    return f"{number - 1:02d}XX" if number and 2 <= number <= 21 else ""


def _roman(text: str) -> int | None:
    values = [_ROMAN[letter] for letter in text]
    total = sum(-value if value < after else value for value, after in zip(values, [*values[1:], 0], strict=True))
    return total if _as_roman(total) == text else None


def _as_roman(number: int) -> str:
    text = ""
    for value, letters in zip(
        (1000, 900, 500, 400, 100, 90, 50, 40, 10, 9, 5, 4, 1),
        ("M", "CM", "D", "CD", "C", "XC", "L", "XL", "X", "IX", "V", "IV", "I"),
        strict=True,
    ):
        while number >= value:
            text, number = text + letters, number - value
    return text


def _roman_year(match: Match) -> str:
    year = _roman(match["roman"])
    return str(year) if year and 1400 <= year <= _LAST else ""


def _plain(match: Match) -> str:
    return match["year"] if _year(match) else ""


# What is counted with four digits, too.
_COUNTED = re.compile(r"(?:\bpp?\.|\bS\.|\bSeiten?|\bpages?|\bNo\.?|\bNr\.?|\bn°|[§$£€#])[ ]?$", re.IGNORECASE)

_Rule = tuple[re.Pattern[str], Callable[[Match], str], float]


def _rule(pattern: str, value: Callable[[Match], str], confidence: float, flags: int = re.IGNORECASE) -> _Rule:
    return re.compile(rf"(?<![\w/.-]){pattern}(?!\w)", flags), value, confidence


_RULES: tuple[_Rule, ...] = (
    _rule(r"(?P<year>[12]\d{3})-(?P<m>\d\d)-(?P<d>\d\d)(?![-\d])", _iso, 0.95),
    _rule(rf"{_DAY}{_SPACE}(?:of |de |d')?{_MONTH},?{_SPACE}{_YEAR}", _full, 0.95),
    _rule(rf"{_MONTH}{_SPACE}{_DAY},?{_SPACE}{_YEAR}", _full, 0.95),
    _rule(r"(?P<d>[0-3]?\d)\.[ ]?(?P<m>[01]?\d)\.[ ]?" + _YEAR, _iso, 0.9),
    _rule(r"(?P<a>[0-3]?\d)/(?P<b>[0-3]?\d)/" + _YEAR, _slashed, 0.6),
    _rule(rf"{_MONTH},?{_SPACE}(?:of |de )?{_YEAR}", _month, 0.9),
    _rule(rf"{_SEASON},?{_SPACE}(?:of |de )?{_YEAR}", _season, 0.8),
    _rule(r"(?P<year>[12]\d{3})[ ]?[-–—][ ]?(?P<last>[12]\d{3}|\d{2})(?![-\d])", _interval, 0.8),
    _rule(r"(?:from |von |de )(?P<year>[12]\d{3}) (?:to|until|bis|à|jusqu'en) (?P<last>[12]\d{3})", _interval, 0.9),
    _rule(rf"(?:circa|ca\.?|c\.|about|around|um|gegen|etwa|vers|environ) {_YEAR}", _approximate, 0.8),
    _rule(r"(?P<year>[12]\d{2}0)['’]?(?:s|er(?: Jahren?)?)", _decade, 0.85),
    _rule(r"(?:années|the) (?P<year>[12]\d{2}0)s?(?= )", _decade, 0.6),
    _rule(r"(?P<century>\d{1,2})(?:st|nd|rd|th) century", _century, 0.85),
    _rule(r"(?P<century>\d{1,2})\. ?(?:Jahrhunderts?|Jh\.?|Jhdt\.?)", _century, 0.85),
    _rule(r"(?P<century>[XVI]{1,5}|\d{1,2}) ?(?:e|ème|ᵉ) siècle", _century, 0.85),
    _rule(r"(?P<roman>M{1,2}[DCLXVI]{3,12})\b", _roman_year, 0.8, 0),
    _rule(rf"(?:in|since|anno|A\. ?D\.|im Jahre?|seit|en|l'an|depuis|dated|vom Jahre) {_YEAR}", _plain, 0.8),
    _rule(_YEAR, _plain, 0.5),
)


def find_dates(text: str, language: str = "") -> list[Statement]:
    """Dates of `text` with their EDTF values.

    Args:
        language: BCP 47 tag of the text; in French and German 3/4/1784 is the third of April.

    >>> [(d.text, d.value) for d in find_dates("Berlin, den 12. Mai 1784; ca. 1790, im 18. Jahrhundert")]
    [('12. Mai 1784', '1784-05-12'), ('ca. 1790', '1790~'), ('18. Jahrhundert', '17XX')]
    """
    return without_overlaps(_all_dates(text, language))


def _all_dates(text: str, language: str) -> Iterator[Statement]:
    for pattern, value_of, confidence in _RULES:
        for match in pattern.finditer(text):
            value = value_of(match)
            if value_of in (_interval, _plain) and _COUNTED.search(text, max(0, match.start() - 12), match.start()):
                continue
            if value_of is _slashed and language in ("fr", "de") and value.endswith("-XX-XX"):
                value = f"{match['year']}-{int(match['b']):02d}-{int(match['a']):02d}"
            if value:
                yield Statement("date", match[0], value, value, match.start(), match.end(), confidence, SOURCE)
