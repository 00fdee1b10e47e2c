"""Checks of single values: code lists, patterns, identifiers, addresses, links. Each sees a distinct value once."""

from __future__ import annotations

import re
from functools import lru_cache
from types import ModuleType
from urllib.parse import urlsplit

import stdnum.exceptions
from stdnum import ean, isbn, ismn, issn

from holdfast.marc.validation import scan
from holdfast.marc.validation.avram import Codes, Position, Schema, Subfield
from holdfast.marc.validation.tables import Check, Verdict

# ---- code lists and patterns of a schema

LANGUAGES = "https://www.loc.gov/marc/languages/language_code.html"
COUNTRIES = "https://www.loc.gov/marc/countries/countries_code.html"
RELATORS = "https://www.loc.gov/marc/relators/relaterm.html"
AREAS = "https://www.loc.gov/marc/geoareas/"
_CODE_OF_LIST = (
    ("languages", "code.language"),
    ("iso639", "code.language"),
    ("countries", "code.country"),
    ("relator", "code.relator"),
    ("geoareas", "code.geographic"),
    ("organizations", "code.organization"),
)
_URI = re.compile(r"^[A-Za-z][A-Za-z0-9+.\-]*:\S+$")


def code_for(codelist: str) -> str:
    return next((code for part, code in _CODE_OF_LIST if part in codelist), "code.source")


@lru_cache(maxsize=1024)
def _plain(names: frozenset[str]) -> frozenset[str]:
    return frozenset(name.rstrip("-") for name in names)


def in_list(codelist: str, codes: Codes, *, run_together: bool = False, uri: bool = False) -> Check:
    """Is the value a code of the list? run_together: 041 of before 2001. uri: an address will do as well."""
    code = code_for(codelist)
    fills = code == "code.geographic"  # n-us---: filled up with hyphens
    active = frozenset(codes.active) | (_plain(frozenset(codes.active)) if fills else frozenset())
    deprecated = frozenset(codes.deprecated) | (_plain(frozenset(codes.deprecated)) if fills else frozenset())

    def check(value: str) -> list[Verdict]:
        if value in active:
            return []
        short = value.rstrip("-") if fills else value
        if short in active and (not fills or len(value) == 7):
            return []
        if short in deprecated:
            return [Verdict("code.obsolete", -1, f"{value!r} ({codes.deprecated.get(short, '')}) is discontinued")]
        if uri and _URI.match(value):
            return []
        if run_together and len(value) > 3 and len(value) % 3 == 0:
            parts = [value[at : at + 3] for at in range(0, len(value), 3)]
            if all(part in active or part in deprecated for part in parts):
                return [Verdict("code.run_together", -1, f"{value!r} is {' and '.join(parts)}")]
        return [Verdict(code, -1, f"{value!r} is not in the list", None if code != "code.source" else codelist)]

    return check


def in_codes(codes: Codes) -> Check:
    def check(value: str) -> list[Verdict]:
        if value in codes.active:
            return []
        if value in codes.deprecated:
            return [Verdict("code.obsolete", -1, f"{value!r} ({codes.deprecated[value]}) is discontinued")]
        return [Verdict("code.source", -1, f"{value!r} is none of: {codes.shown()}", "schema")]

    return check


class Matches:
    """Does the value match the pattern? uri: an address will do as well."""

    def __init__(self, pattern: re.Pattern[str], *, uri: bool = False) -> None:
        self.text = pattern.pattern
        self._pattern, self._uri = pattern, uri

    def __call__(self, value: str) -> list[Verdict]:
        if self._pattern.search(value) or (self._uri and _URI.match(value)):
            return []
        return [Verdict("subfield.pattern", -1, f"{value[:60]!r} does not match {self.text}")]


def positions_of(positions: tuple[Position, ...], schema: Schema) -> Check:
    def check(value: str) -> list[Verdict]:
        found = []
        for each in positions:
            part = value[each.start : each.end + 1]
            if not part:
                continue
            if each.codelist:
                codes = schema.codelists.get(each.codelist)
                standing = "" if codes is None or part.strip() in codes.active or part in codes.active else "undefined"
            else:
                standing = each.standing(part)
            if standing:
                found.append(position_verdict(each, part, standing))
        return found

    return check


def position_verdict(position: Position, part: str, standing: str) -> Verdict:
    what = f"{position.name} {position.label}".strip()
    if standing == "obsolete" and position.codes is not None:
        label = position.codes.deprecated.get(part, "")
        return Verdict(
            "fixed.obsolete", position.start, f"{what} is {part!r}{f' ({label})' if label else ''}, which is obsolete"
        )
    defined = f"; defined: {position.codes.shown()}" if position.codes is not None else ""
    return Verdict("fixed.code", position.start, f"{what} is {part!r}{defined}")


# ---- identifiers

# What stands behind a number: a qualifier in parentheses, a price after a colon, words (but not the check digit X).
_QUALIFIER = re.compile(r"\s*[(:].*$|\s+(?![Xx]\b)[^\W\d_].*$", re.DOTALL)


def _number(value: str) -> str:
    """The number of '0-306-40615-2 (pbk.) :'."""
    return _QUALIFIER.sub("", value).strip()


def check_isbn(value: str) -> list[Verdict]:
    number = _number(value)
    if not number:
        return [Verdict("isbn.form", -1, "there is no number")] if value.strip() else []
    return _stdnum(isbn, number, "isbn")


def check_issn(value: str) -> list[Verdict]:
    number = _number(value).rstrip(" ;,.=")
    return _stdnum(issn, number, "issn")


def check_ismn(value: str) -> list[Verdict]:
    return _only_check_digit(ismn, _number(value))


def check_ean(value: str) -> list[Verdict]:
    return _only_check_digit(ean, _number(value))


def check_upc(value: str) -> list[Verdict]:
    # An UPC is an EAN without its first digit, which is 0.
    number = _number(value)
    return _only_check_digit(ean, f"0{number}" if len(number) == 12 else number)


def _stdnum(module: ModuleType, number: str, name: str) -> list[Verdict]:
    try:
        module.validate(number)
    except stdnum.exceptions.InvalidChecksum:
        return [Verdict(f"{name}.check_digit", -1, f"{number!r}: the check digit is wrong")]
    except stdnum.exceptions.ValidationError as error:
        return [Verdict(f"{name}.form", -1, f"{number!r}: {str(error).rstrip('.').lower()}")]
    return []


def _only_check_digit(module: ModuleType, number: str) -> list[Verdict]:
    try:
        module.validate(number)
    except stdnum.exceptions.InvalidChecksum:
        return [Verdict("standard_number.check_digit", -1, f"{number!r}: the check digit is wrong")]
    except stdnum.exceptions.ValidationError:
        return []  # another kind of number, or one with words: not ours to judge
    return []


# loc.gov/marc/lccn_structure: structure A to 2000 (three letters, two digits, six digits, a supplement), B since 2001 (two, four, six).
_LCCN = re.compile(r"^(?:[a-z ]{3}\d{2}\d{6} ?|[a-z ]{2}\d{4}\d{6}|\s*[a-z]{0,3}\s*(?:\d{8}|\d{10})\s*)(?:/.*)?\s*$")


def check_lccn(value: str) -> list[Verdict]:
    return [] if _LCCN.match(value) else [Verdict("lccn.form", -1, f"{value!r} is not prefix, year and six digits")]


_OCN = re.compile(r"^\(OCoLC\)\s*(?:ocm|ocn|on)?0*\d+\s*$")


def check_ocn(value: str) -> list[Verdict]:
    if value.startswith("(OCoLC)") and value[7:].isdecimal() and value.isascii():
        return []  # nearly all are so, and nearly all are different
    if not value.lstrip().lower().startswith("(ocolc)") or _OCN.match(value.lstrip()):
        return []
    return [Verdict("ocn.form", -1, f"{value!r}: after (OCoLC) come digits")]


# ---- links and addresses

_SEQUENCE = re.compile(r"^\d+(?:\.\d+)?(?:\\[acprux])?$")


def check_sequence(value: str) -> list[Verdict]:
    return (
        []
        if _SEQUENCE.match(value)
        else [Verdict("link.sequence", -1, f"{value!r} is not link number, '.', sequence number")]
    )


_CONTROL_NUMBER = re.compile(r"^\s*\([^()]+\)\s*\S")


def check_control_number(value: str) -> list[Verdict]:
    return (
        []
        if _CONTROL_NUMBER.match(value)
        else [Verdict("link.control_number", -1, f"{value!r} has no code in parentheses")]
    )


def check_url(value: str) -> list[Verdict]:
    text = value.strip()
    if blank := re.search(r"\s", text):
        return [Verdict("url.form", blank.start(), "a blank in the address")]
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError as error:
        return [Verdict("url.form", -1, str(error))]
    if not parts.scheme or not re.match(r"^[A-Za-z][A-Za-z0-9+.\-]*$", parts.scheme):
        return [Verdict("url.form", 0, "no scheme, as https://")]
    if parts.scheme in ("http", "https", "ftp", "ftps", "sftp") and not host:
        return [Verdict("url.form", -1, "no host")]
    return []


# MARC 21 Authority, tracings, $w/0-3: special relationship, tracing use, earlier form, reference display.
_TRACING = ("abdfghinrt", "abcdefgn", "aeno", "abcdn")


def check_tracing(value: str) -> list[Verdict]:
    if len(value) > len(_TRACING):
        return [Verdict("fixed.code", len(_TRACING), f"{value!r}: $w has four characters at most")]
    return [
        Verdict("fixed.code", place, f"$w/{place} is {each!r}; defined: {', '.join(codes)}")
        for place, (each, codes) in enumerate(zip(value, _TRACING, strict=False))
        if each not in codes
    ]


# ---- forms that clear a value without asking (`scan`)

# What the published schemas say of $0, $1, $w and 035.
NUMBER_PATTERN = r"^\((.{1,100})\)(.{1,100})$"
_FORMS: dict[Check, int] = {
    check_control_number: scan.NUMBER_FORM,
    check_ocn: scan.OCN_FORM,
    check_lccn: scan.LCCN_FORM,
    check_url: scan.URL_FORM,
}


def form_of(checks: tuple[Check, ...]) -> int:
    """Number of the form whose values none of the checks has anything against."""
    # A value of the parenthesis form is of the number form too.
    forms = {scan.PARENTHESIS_FORM if isinstance(each, Matches) and each.text == NUMBER_PATTERN else
             _FORMS.get(each, scan.NO_FORM) for each in checks}  # fmt: skip
    if forms == {scan.PARENTHESIS_FORM, scan.OCN_FORM}:
        return scan.BOTH_FORM
    if forms == {scan.PARENTHESIS_FORM, scan.NUMBER_FORM}:
        return scan.PARENTHESIS_FORM
    return forms.pop() if len(forms) == 1 else scan.NO_FORM


# ---- which checks a subfield has

_URLS = {("856", "u"), ("857", "u")}
_ISBN = {("020", "a")} | {(f"{tag}", "z") for tag in range(765, 788)}
_ISSN = {("022", "a"), ("022", "l"), ("440", "x"), ("490", "x"), *((t, "x") for t in ("800", "810", "811", "830"))} | {
    (f"{tag}", "x") for tag in range(760, 788)
}
_LINKING = {f"{tag}" for tag in range(760, 788)}
_UNIMARC = {("010", "a"): check_isbn, ("011", "a"): check_issn, ("856", "u"): check_url}


class ChecksOf:
    """For `tables.compile_tables`: the checks of a subfield. Subfields with the same list or pattern share one check, and so
    what is remembered of its values.

    fallback: whose code lists are used where a schema names one that it does not have.
    """

    def __init__(self, kind: str, fallback: Schema) -> None:
        self._kind, self._fallback = kind, fallback
        self._made: dict[tuple[object, ...], Check] = {}

    def __call__(self, tag: str, code: str, subfield: Subfield, schema: Schema) -> tuple[Check, ...]:
        checks = [] if code in "68" and self._kind != "unimarc" else self._of_schema(tag, code, subfield, schema)
        return (*checks, *self._of_marc(tag, code))

    def _of_schema(self, tag: str, code: str, subfield: Subfield, schema: Schema) -> list[Check]:
        checks = []
        if subfield.codelist:
            name = subfield.codelist
            codes = schema.codelists.get(name) or self._fallback.codelists.get(name)
            if codes is not None:
                together, uri = tag == "041", code == "4"
                checks.append(self._one(in_list(name, codes, run_together=together, uri=uri), name, together, uri))
        # The published authority schema has the positions of $w of tracings as its codes.
        if subfield.codes is not None and not self._is_tracing(tag, code):
            checks.append(in_codes(subfield.codes))
        if subfield.pattern is not None:
            uri = code in "01"
            checks.append(self._one(Matches(subfield.pattern, uri=uri), subfield.pattern.pattern, uri))
        if subfield.positions:
            checks.append(positions_of(subfield.positions, schema))
        return checks

    def _is_tracing(self, tag: str, code: str) -> bool:
        return self._kind == "authority" and tag[0] in "45" and code == "w"

    def _one(self, check: Check, *key: object) -> Check:
        return self._made.setdefault(key, check)

    def _of_marc(self, tag: str, code: str) -> list[Check]:
        if self._kind == "unimarc":
            own = _UNIMARC.get((tag, code))
            return [own] if own else []
        bibliographic = self._kind == "bibliographic"
        place = (tag, code)
        asked = (
            (code == "8", check_sequence),
            (self._is_tracing(tag, code), check_tracing),
            (place in _URLS, check_url),
            (place in _ISBN and bibliographic, check_isbn),
            (place in _ISSN and bibliographic, check_issn),
            (place == ("010", "a"), check_lccn),
            (place == ("035", "a"), check_ocn),
            (tag in _LINKING and code == "w" and bibliographic, check_control_number),
        )
        return [check for wanted, check in asked if wanted]
