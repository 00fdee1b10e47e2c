"""What years a museum's date stands for: EDTF and ISO 8601 where they are written, else what people write.

The text itself is kept as it is (`date_text`); the span is only for sorting and searching by year. It follows EDTF (ISO
8601-2:2019, level 0, and of level 1 the qualifiers, unspecified digits and open intervals): years are astronomical, so
1 BC is 0. "circa" does not widen the span, since nobody wrote by how much.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import NamedTuple


class Span(NamedTuple):
    """First and last year, both included; None where that side is open or not known."""

    earliest: int | None
    latest: int | None


NOT_KNOWN = Span(None, None)

_ISO = r"(-?\d{4}|\d{3}X|\d{2}XX)(?:-(?:0[1-9]|1[0-2]|2[1-4]|XX)(?:-(?:0[1-9]|[12]\d|3[01]|XX))?)?(?:T[\d:.,]+(?:Z|[+-]\d\d(?::?\d\d)?)?)?[?~%]?"
_ISO_DATE = re.compile(_ISO)
_ISO_INTERVAL = re.compile(rf"({_ISO}|\.\.)?/({_ISO}|\.\.)?")

# What was done to a work later, or by others, says nothing of when it was made.
_LATER = re.compile(
    r"\b(?:re)?(?:printed|cast|published|issued|produced|made|constructed|worked|touched|stored)\b|\bexhibited\b|\bengraved\b|"
    r"\breplicas?\b|\bversions?\b|\bcopy\b|\bposthumous\b|\breleased\b",
    re.IGNORECASE,
)
_CLAUSES = re.compile(r"[;,]|\(|\)")
_BC = r"\s*(?P<bc>b\.?\s?c\.?(?:\s?e\.?)?|v\.\s?chr\.?|av\.\s?j\.?-?c\.?|î\.\s?hr\.?)(?![a-z])"
_AD = r"(?:\bad\s*)"
_YEAR = re.compile(r"(?<!\d)(\d{4})(?P<decade>\s?'?s\b)?")
_RANGE = re.compile(
    r"(?<!\d)(\d{4})\??(?P<decade1>'?s)?\s*(?:-|–|—|/|\bto\b|\bbis\b)\s*(?:c\.|ca\.?|circa)?\s*(\d{4}|\d{1,3})(?P<decade2>'?s)?(?!\d)"
)
_YEARS_BC = re.compile(rf"(?<!\d)(\d{{1,4}})(?:\s*[-–—/]\s*(\d{{1,4}}))?{_BC}")
_ERA_RANGE = re.compile(
    rf"(?<!\d)(\d{{1,4}}){_BC}\s*(?:-|–|—|\bto\b)\s*(?:c\.\s?|ca\.?\s?)?{_AD}?(\d{{1,4}})(?!\d)(?!{_BC.replace('?P<bc>', '?:')})"
)
_YEAR_AD = re.compile(r"(?:\bad\s*(\d{1,4})|(?<!\d)(\d{1,4})\s*(?:ad|ce|a\.d\.|c\.e\.))(?![a-z\d])")
_CENTURY = re.compile(
    r"(?<!\d)(\d{1,2})(?:st|nd|rd|th)(?:\s*(?:-|–|—|/|\bto\b|\bor\b)\s*(?:early\s|mid[- ]|late\s)*(\d{1,2})(?:st|nd|rd|th))?"
    r"[\s-]*(?:c\b\.?|cent\b\.?|centur(?:y|ies))(?P<era>\s*b\.?\s?c\.?)?|"
    r"(?<!\d)(\d{1,2})\.\s?(?:-\s?(\d{1,2})\.\s?)?(?:jh|jahrhundert)"
)
_ROMAN_CENTURY = re.compile(
    r"(?:\bsec(?:\.|ol(?:ul|ului)?)|\bsaec\.?|\bsiècles?|\bséc\.)\s*(?:(?:al|a)\s+)?([ivx]{1,5})\b(?:-(?:lea|ea))?(?:\s*[-–]\s*([ivx]{1,5})\b)?|"
    r"\b([ivx]{1,5})e\s+siècle"
)
_ROMAN = {
    name: number
    for number, name in enumerate(
        [
            "i",
            "ii",
            "iii",
            "iv",
            "v",
            "vi",
            "vii",
            "viii",
            "ix",
            "x",
            "xi",
            "xii",
            "xiii",
            "xiv",
            "xv",
            "xvi",
            "xvii",
            "xviii",
            "xix",
            "xx",
            "xxi",
        ],
        start=1,
    )
}
_AFTER = re.compile(r"\b(?:after|post|nach|not before|or later|from|după)\b|^\s*>")
_BEFORE = re.compile(r"\b(?:before|ante|vor|not after|or earlier|until|by)\b|^\s*<")


@functools.lru_cache(maxsize=4096)  # exports repeat their dates
def span_of(text: str) -> Span:
    """The years of `text`; `NOT_KNOWN` where none can be read. Never raises.

    >>> span_of("c.1790-5")
    Span(earliest=1790, latest=1795)
    >>> span_of("1969, printed 1973")
    Span(earliest=1969, latest=1969)
    >>> span_of("date not known")
    Span(earliest=None, latest=None)
    """
    text = text.strip()[:500]
    written = _standard(text)
    if written is not None:
        return written
    clauses = [clause for clause in _CLAUSES.split(text.lower()) if _spans(clause)]
    own = [clause for clause in clauses if not _LATER.search(clause)]
    return _together([_bounded(clause) for clause in own or clauses[:1]])


def _standard(text: str) -> Span | None:
    """`text` as EDTF, or None where it is not EDTF."""
    if match := _ISO_DATE.fullmatch(text):
        return _iso(match.group(1))
    if (match := _ISO_INTERVAL.fullmatch(text)) and len(text) > 3:
        start, end = text.split("/")
        first, last = _ISO_DATE.fullmatch(start), _ISO_DATE.fullmatch(end)
        span = Span(_iso(first.group(1)).earliest if first else None, _iso(last.group(1)).latest if last else None)
        is_backwards = span.earliest is not None and span.latest is not None and span.earliest > span.latest
        return None if is_backwards else span
    return None


def _iso(year: str) -> Span:
    return Span(int(year.replace("X", "0")), int(year.replace("X", "9")))


def _together(spans: list[Span]) -> Span:
    if not spans:
        return NOT_KNOWN
    starts = [span.earliest for span in spans]
    ends = [span.latest for span in spans]
    return Span(
        None if None in starts else min(year for year in starts if year is not None),
        None if None in ends else max(year for year in ends if year is not None),
    )


def _bounded(clause: str) -> Span:
    """The years of one clause, opened where it says 'after' or 'before'."""
    earliest, latest = _together(_spans(clause))
    if _AFTER.search(clause) and earliest == latest:
        return Span(earliest, None)
    if _BEFORE.search(clause) and earliest == latest:
        return Span(None, latest)
    return Span(earliest, latest)


def _spans(clause: str) -> list[Span]:
    """Every year, range, decade and century in `clause`, each read once: what one rule has read, the next does not see."""
    found: list[Span] = []

    def take(rule: re.Pattern[str], read: Callable[[re.Match[str]], Span | None]) -> None:
        nonlocal clause

        def one(match: re.Match[str]) -> str:
            span = read(match)
            if span is None:
                return match.group()
            found.append(span)
            return " "

        clause = rule.sub(one, clause)

    take(_CENTURY, _century)
    take(_ROMAN_CENTURY, _roman_century)
    take(_ERA_RANGE, lambda m: Span(1 - int(m.group(1)), int(m.group(3))))
    take(_YEARS_BC, lambda m: _ordered(1 - int(m.group(1)), 1 - int(m.group(2) or m.group(1))))
    take(_YEAR_AD, lambda m: Span(int(m.group(1) or m.group(2)), int(m.group(1) or m.group(2))))
    take(_RANGE, _range)
    take(_YEAR, lambda m: _decade(int(m.group(1)), bool(m.group("decade"))))
    return found


def _ordered(one: int, other: int) -> Span:
    return Span(min(one, other), max(one, other))


def _decade(year: int, is_decade: bool) -> Span | None:
    if not 1 <= year <= 2999:
        return None
    if not is_decade:
        return Span(year, year)
    return Span(year, year + (99 if year % 100 == 0 else 9))


def _range(match: re.Match[str]) -> Span | None:
    start, end = match.group(1), match.group(3)
    first = int(start)
    last = int(start[: 4 - len(end)] + end)  # "1790-5" is 1790 to 1795
    if not 1 <= first <= last <= 2999:
        return None
    return Span(first, last + (9 if match.group("decade2") else 0))


def _hundred(century: int, is_bc: bool = False) -> Span:
    # The 18th century is 1701 to 1800; the 5th century BC is 500 to 401 BC.
    return Span(1 - century * 100, -(century - 1) * 100) if is_bc else Span(century * 100 - 99, century * 100)


def _century(match: re.Match[str]) -> Span | None:
    first = int(match.group(1) or match.group(4))
    last = int(match.group(2) or match.group(5) or first)
    is_bc = bool(match.group("era"))
    if not (1 <= first <= 21 and 1 <= last <= 21):
        return None
    return _together([_hundred(first, is_bc), _hundred(last, is_bc)])


def _roman_century(match: re.Match[str]) -> Span | None:
    first = _ROMAN.get(match.group(1) or match.group(3))
    last = _ROMAN.get(match.group(2)) if match.group(2) else first
    return _together([_hundred(first), _hundred(last)]) if first and last else None
