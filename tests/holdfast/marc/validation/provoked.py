"""Records by hand: right ones, and for every kind of issue one that has it."""

from __future__ import annotations

import polars as pl

from holdfast.marc.blocks import Block
from holdfast.marc.iso2709 import read_columns
from holdfast.marc.validation import Rules, load_rules, validate

EVERYTHING = {"code.organization": "info"}
RULES = load_rules(severity=EVERYTHING)
BOOK, AUTHORITY, HOLDINGS = "00000nam a2200000 i 4500", "00000nz  a2200000n  4500", "00000nu  a22000001n 4500"
Field = tuple[str, str, str]  # tag, indicators, '$aText$bMore'; of control fields the value
BASE: dict[str, tuple[str, ...]] = {
    "001": ("", "1"), "003": ("", "XX-Test"), "005": ("", "20260101120000.0"),
    "008": ("", "260101s1853    enka          000 1 eng d"), "245": ("10", "$aBleak house /$cCharles Dickens."),
    "100": ("1 ", "$aDickens, Charles,$d1812-1870."),
}  # fmt: skip


def record(leader: str = BOOK, **fields: tuple[str, ...] | list[tuple[str, ...]] | None) -> bytes:
    """The base record with its fields replaced (`f245=...`) or taken out (`f245=None`)."""
    made: dict[str, list[tuple[str, ...]]] = {tag: [value] for tag, value in BASE.items()}
    for name, value in fields.items():
        tag = name[1:]
        made.pop(tag, None)
        if value is not None:
            made[tag] = value if isinstance(value, list) else [value]
    parts, directory = b"", b""
    for tag in sorted(made):
        for indicators, text in made[tag]:
            data = (indicators + text.replace("$", "\x1f")).encode() if indicators else text.encode()
            directory += tag.encode() + b"%04d%05d" % (len(data) + 1, len(parts))
            parts += data + b"\x1e"
    base = 24 + len(directory) + 1
    head = leader.encode()
    return (
        b"%05d" % (base + len(parts) + 1)
        + head[5:12]
        + b"%05d" % base
        + head[17:]
        + directory
        + b"\x1e"
        + parts
        + b"\x1d"
    )


def issues(data: bytes, rules: Rules = RULES) -> pl.DataFrame:
    frames = read_columns(Block(data, 0, True))
    assert frames.records["fault"].null_count() == frames.records.height, frames.records["fault_detail"].to_list()
    return validate(frames, rules)


def codes(data: bytes, rules: Rules = RULES) -> set[str]:
    return set(issues(data, rules)["code"])


AUTH_008 = "260101n| azannaabn          |a aaa      "
AUTH = {
    "f008": ("", AUTH_008),
    "f245": None,
    "f040": ("  ", "$aXX-Test$beng$cXX-Test"),
    "f100": ("1 ", "$aDickens, Charles"),
}
HOLD = {
    "f008": ("", "2601010p    8   4001uueng0260101"), "f245": None, "f100": None, "f852": ("0 ", "$aXX-Test$bMAIN"),
}  # fmt: skip
PROVOKED: dict[str, bytes] = {
    "record.no_schema": record(BOOK.replace("am", "wm")),
    "field.tag": record(fOWN=("  ", "$aX")),
    "field.undefined": record(f049=("  ", "$aXXXX")),
    "field.obsolete": record(f440=(" 0", "$aSeries")),
    "field.repeated": record(f245=[BASE["245"], ("10", "$aAnother title")]),
    "field.missing": record(f245=None),
    "field.empty": record(f500=("  ", "")),
    "indicator.undefined": record(f490=("5 ", "$aSeries")),
    "indicator.obsolete": record(f740=("01", "$aPart")),
    "subfield.undefined": record(f300=("  ", "$a1 v.$zwhat")),
    "subfield.code": record(f500=("  ", "$aNote$")),
    "subfield.obsolete": record(f245=("10", "$aTitle$dpart")),
    "subfield.repeated": record(f245=("10", "$aTitle$aAgain")),
    "subfield.missing": record(f500=("  ", "$aNote$5XX-Test")),
    "subfield.empty": record(f500=("  ", "$a")),
    "subfield.order": record(f500=("  ", "$aNote$6880-01"), f880=("  ", "$6500-01$aНота")),
    "subfield.pattern": record(f500=("  ", "$aNote")),
    "value.blank": record(f500=("  ", "$aNote ")),
    "value.control_character": record(f500=("  ", "$aOne\ttwo")),
    "value.replacement_character": record(f500=("  ", "$aCaf\ufffd")),
    "fixed.length": record(f008=("", "260101s1853    enk           000 1 eng")),
    "fixed.code": record(f008=("", "260101s1853    enkq          000 1 eng d")),
    "fixed.obsolete": record(f008=("", "260101s1853    enka          000   eng d")),
    "fixed.category": record(f007=("", "xx")),
    "date.last_change": record(f005=("", "20261301120000.0")),
    "date.entered": record(f008=("", "261301s1853    enka          000 1 eng d")),
    "date.publication": record(f008=("", "260101m18531850enka          000 1 eng d")),
    "code.language": record(f041=("0 ", "$aqqx"), f008=("", "260101s1853    enka          000 1 qqx d")),
    "code.country": record(f008=("", "260101s1853    zz7a          000 1 eng d")),
    "code.relator": record(f100=("1 ", "$aDickens, Charles$4zzz")),
    "code.geographic": record(f043=("  ", "$ae-xx-zz")),
    "code.organization": record(f040=("  ", "$aNOWHERE")),
    "code.source": record(f650=(" 7", "$aFog$2nosuchlist")),
    "code.obsolete": record(f041=("0 ", "$ascc"), f008=("", "260101s1853    enka          000 1 scc d")),
    "code.run_together": record(f041=("0 ", "$aengfre")),
    "isbn.form": record(f020=("  ", "$a12345")),
    "isbn.check_digit": record(f020=("  ", "$a0-306-40615-3 (pbk.)")),
    "issn.form": record(f022=("  ", "$a1234")),
    "issn.check_digit": record(f022=("  ", "$a0378-5954")),
    "lccn.form": record(f010=("  ", "$anot a number")),
    "ocn.form": record(f035=("  ", "$a(OCoLC)abc")),
    "standard_number.check_digit": record(f024=("3 ", "$a4006381333932")),
    "link.form": record(f500=("  ", "$6880$aNote")),
    "link.script": record(f500=("  ", "$6880-01$aNote"), f880=("  ", "$6500-01/$aНота")),
    "link.absent": record(f880=("  ", "$aНота")),
    "link.no_880": record(f500=("  ", "$6880-01$aNote")),
    "link.no_partner": record(f880=("  ", "$6500-01$aНота")),
    "link.tag": record(f500=("  ", "$6880-01$aNote"), f880=("  ", "$6501-01$aНота")),
    "link.duplicate": record(
        f500=[("  ", "$6880-01$aNote"), ("  ", "$6880-01$aNote")], f880=("  ", "$6500-01$aНота")
    ),
    "link.unlinked": record(f880=("  ", "$6500-00$aНота")),
    "link.sequence": record(f500=("  ", "$8x$aNote")),
    "link.caption": record(HOLDINGS, **HOLD, f863=("40", "$81.1$a1")),
    "link.entry": record(f776=("08", "$iOnline version:")),
    "link.control_number": record(f776=("08", "$tTitle$w12345")),
    "url.form": record(f856=("40", "$uwww.example.org/a b")),
    "heading.main_entry": record(f110=("2 ", "$aA body")),
    "heading.missing": record(AUTHORITY, **{**AUTH, "f100": None}),
    "title.nonfiling": record(f245=("10", "$aThe house")),
    "title.added_entry": record(f100=None),
    "publication.twice": record(f260=("  ", "$aLondon"), f264=(" 1", "$aLondon")),
    "language.disagrees": record(f041=("0 ", "$afre")),
    "subject.source": record(f650=(" 7", "$aFog")),
}  # fmt: skip
RIGHT = {
    "a book": record(f020=("  ", "$a9780306406157$qpaperback"), f650=(" 0", "$aFog$xFiction."), f999=("  ", "$aLocal")),
    "an authority": record(AUTHORITY, **AUTH),
    "holdings": record(HOLDINGS, **HOLD, f853=("20", "$81$av."), f863=("40", "$81.1$a1")),
    "linked fields": record(f500=("  ", "$6880-01$aNote"), f880=("  ", "$6500-01/(N$aНота")),
    "two unlinked kinds of identifier": record(f024=("7 ", "$a10.1000/182$2doi"), f035=("  ", "$a(OCoLC)12345")),
}
