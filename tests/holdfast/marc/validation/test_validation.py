"""Every kind of issue is provoked by a small record; a right record has none; nothing that the reader makes stops it."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pymarc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.marc.blocks import Block
from holdfast.marc.frames import SUBFIELDS, Frames
from holdfast.marc.iso2709 import read_columns
from holdfast.marc.validation import ISSUES, KINDS, Rules, RulesError, load_rules, validate
from holdfast.marc.validation.avram import parse_schema
from holdfast.marc.validation.issues import SEVERITIES
from holdfast.marc.validation.local import LocalRule
from holdfast.marc.validation.rules import core_schema
from holdfast.marc.validation.values import COUNTRIES, LANGUAGES, RELATORS

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

# What the core schemas do not have is provoked with a schema of its own.
LISTS = {
    "https://www.loc.gov/marc/geoareas/": {"codes": {"e-uk": "", "n-us": ""}},
    "https://www.loc.gov/marc/organizations/orgshome.html": {"codes": {"XX-Test": ""}},
    "source": {"codes": {"fast": ""}},
}
STRICT = {
    "title": "strict",
    "fields": {
        "040": {"subfields": {"a": {"codes": "https://www.loc.gov/marc/organizations/orgshome.html"}}},
        "043": {"subfields": {"a": {"codes": "https://www.loc.gov/marc/geoareas/"}}},
        "500": {
            "subfields": {"a": {"pattern": "^Ex"}, "5": {"order": "1"}, "3": {"required": True}},
        },
        "650": {"subfields": {"a": {}, "2": {"codes": "source"}}},
    },
    "codelists": LISTS,
}
BY_STRICT = {"subfield.missing", "subfield.pattern", "code.geographic", "code.organization", "code.source"}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Rules:
    import json

    path = tmp_path_factory.mktemp("schema") / "strict.json"
    path.write_text(json.dumps(STRICT))
    return load_rules({"bibliographic": path}, severity=EVERYTHING)


@pytest.mark.parametrize("code", KINDS)
def test_every_kind_is_provoked_and_says_where_and_what_mends_it(code: str, strict: Rules) -> None:
    found = issues(PROVOKED[code], strict if code in BY_STRICT else RULES).filter(pl.col("code") == code)
    assert found.height, f"{code} is not found"
    row = found.row(0, named=True)
    assert row["severity"] in SEVERITIES
    assert row["message"] and row["rule"] and row["hint"] and row["tag"]
    assert row["rule"] != "schema"
    assert row["record"] == 1


def test_there_is_no_kind_without_a_record_nor_a_record_without_a_kind() -> None:
    assert PROVOKED.keys() == KINDS.keys()
    assert len(KINDS) >= 25


RIGHT = {
    "a book": record(f020=("  ", "$a9780306406157$qpaperback"), f650=(" 0", "$aFog$xFiction."), f999=("  ", "$aLocal")),
    "an authority": record(AUTHORITY, **AUTH),
    "holdings": record(HOLDINGS, **HOLD, f853=("20", "$81$av."), f863=("40", "$81.1$a1")),
    "linked fields": record(f500=("  ", "$6880-01$aNote"), f880=("  ", "$6500-01/(N$aНота")),
    "two unlinked kinds of identifier": record(f024=("7 ", "$a10.1000/182$2doi"), f035=("  ", "$a(OCoLC)12345")),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_record_has_no_issue(name: str) -> None:
    assert issues(RIGHT[name]).rows() == []


def test_mending_what_an_issue_names_takes_it_away() -> None:
    assert "isbn.check_digit" not in codes(record(f020=("  ", "$a0-306-40615-2 (pbk.)")))
    assert "title.nonfiling" not in codes(record(f245=("14", "$aThe house")))
    assert "fixed.length" not in codes(record(f007=("", "ta")))
    assert "code.language" not in codes(record(f041=("07", "$aen$2iso639-1")))
    assert "link.no_880" not in codes(record(f500=("  ", "$6880-01$aA"), f880=("  ", "$6500-01$aА")))


def test_the_place_of_an_issue_is_exact() -> None:
    data = record(f500=[("  ", "$aFine"), ("  ", "$aOne$5XX-Test"), ("  ", "$aä\tb")])
    (row,) = issues(data).filter(pl.col("code") == "value.control_character").rows(named=True)
    assert (row["tag"], row["occurrence"], row["subfield"], row["position"]) == ("500", 3, "a", 1)
    assert row["field"] == 8 and row["value"] == "ä␉b"


def test_a_position_of_a_fixed_field_is_named() -> None:
    (row,) = issues(PROVOKED["fixed.code"]).rows(named=True)
    assert (row["tag"], row["position"]) == ("008", 18)
    assert "18-21 Illustrations" in row["message"] and "core_bibliographic.avram.json" in row["rule"]


def test_an_880_is_held_against_the_field_that_it_stands_for() -> None:
    data = record(f245=("10", "$6880-01$aTitle"), f880=("90", "$6245-01$aЗаглавие$qno such"))
    found = issues(data).filter(pl.col("tag") == "880")
    assert set(found["code"]) == {"indicator.undefined", "subfield.undefined"}
    assert found["message"].str.contains("245").all()


def test_masked_values_are_neither_judged_nor_shown() -> None:
    token = "pii:" + "0123456789abcdef" * 4
    found = issues(record(f020=("  ", f"$a{token}"), f541=("  ", f"$a{token}$h{token} ")))
    assert not found["value"].fill_null("").str.contains("[0-9a-f]{16}").any()
    assert "isbn.form" not in found["code"]
    assert "pii:…" in found.filter(pl.col("code") == "value.blank")["value"][0]


def test_a_login_in_an_address_is_not_shown() -> None:
    (row,) = issues(record(f856=("40", "$uhttps://user:secret@example.org/a b"))).rows(named=True)
    assert "secret" not in str(row)


def test_the_control_subfield_of_tracings_is_read_by_positions(data: Path) -> None:
    rules = load_rules({"authority": data / "rules" / "authority-schema.avram.json.gz"})
    for each in (RULES, rules):
        fine, wrong = (record(AUTHORITY, **AUTH, f500=("1 ", f"$w{w}$aDickens, C.")) for w in ("nne", "nzn"))
        assert codes(fine, each) == set()
        (row,) = issues(wrong, each).rows(named=True)
        assert (row["code"], row["subfield"], row["position"]) == ("fixed.code", "w", 1)


def test_kinds_of_records_go_by_their_own_schemas_in_one_frame() -> None:
    data = record() + record(AUTHORITY, **AUTH) + record(HOLDINGS, **HOLD) + record(f852=None, f049=("  ", "$aX"))
    found = issues(data)
    assert found.select("record", "code", "tag").rows() == [(4, "field.undefined", "049")]


def test_issues_come_in_the_order_of_records_and_fields_with_the_documented_columns() -> None:
    found = issues(PROVOKED["link.duplicate"] + record() + PROVOKED["isbn.form"])
    assert found.schema == ISSUES
    assert found["record"].is_sorted() and set(found["record"]) == {1, 3}


def test_no_record_has_no_issue() -> None:
    empty = Frames(read_columns(Block(b"", 0, True)).records, pl.DataFrame(schema=SUBFIELDS))
    assert validate(empty, RULES).rows() == []


def test_a_record_without_a_field_lacks_what_is_required() -> None:
    data = b"00026nam a2200025 i 4500\x1e\x1d"
    assert set(issues(data).filter(pl.col("code") == "field.missing")["tag"]) == {"001", "008", "245"}


@given(st.binary(max_size=400))
@settings(max_examples=150, deadline=None)
def test_any_bytes_are_validated(data: bytes) -> None:
    assert validate(read_columns(Block(data, 0, True)), RULES).schema == ISSUES


_CONTROL = st.text(st.characters(codec="utf-8", exclude_characters="\x1d\x1e\x1f"), max_size=45)
_VALUES = st.one_of(
    st.sampled_from(
        ["880-01", "245-01/(3/r", "", " ", "$1", "9780306406157", "(OCoLC)1", "http://[", "pii:" + "a" * 64, "engfre"]
    ),
    _CONTROL,
)
_TAGS = st.sampled_from(
    "001 005 006 007 008 010 020 022 024 035 041 100 245 264 500 650 760 776 852 856 863 880 999 ABC".split()
)


@given(
    st.text("acdefgijkmoprtuvxyzqw |0", min_size=24, max_size=24),
    st.lists(
        st.tuples(
            _TAGS,
            st.text(" 0179x", min_size=2, max_size=2),
            st.lists(st.tuples(st.sampled_from("abxz2468"), _VALUES), max_size=3),
        )
    ),
)
@settings(max_examples=200, deadline=None)
def test_any_record_is_validated_and_its_issues_have_a_place(leader: str, fields: list) -> None:
    made: dict[str, list] = {}
    for tag, indicators, subfields in fields:
        text = "".join(f"\x1f{code}{value}" for code, value in subfields)
        plain = subfields[0][1] if subfields else ""
        made.setdefault("f" + tag, []).append(("", plain) if tag.startswith("00") else (indicators, text))
    head = leader[:9] + "a22" + leader[12:20] + "4500"
    frames = read_columns(Block(record(head, **made), 0, True))
    found = validate(frames, RULES)
    assert found.schema == ISSUES
    assert (
        not found.select("record", "code", "severity", "tag", "rule", "message").null_count().transpose().sum().item()
    )


def test_every_record_of_the_corpora_is_validated(data: Path) -> None:
    rules = load_rules(
        {
            "bibliographic": data / "rules" / "marc.json.gz",
            "authority": data / "rules" / "authority-schema.avram.json.gz",
        }
    )
    for path in sorted((data / "marc").rglob("*.mrc")):
        frames = read_columns(Block(path.read_bytes(), 0, True))
        for each in (RULES, rules):
            found = validate(frames, each)
            assert set(found["code"]) <= KINDS.keys()


# ---- schemas ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "key", "allowed"),
    [
        ("{", "not JSON", "an Avram schema"),
        ("[]", "(the whole file)", "an object"),
        ("{}", "fields: missing", "by tag"),
        ('{"fields": []}', "fields", "an object"),
        ('{"fields": {"24": {}}}', "fields.24", "three digits"),
        ('{"fields": {"245": {"repeatble": true}}}', "fields.245.repeatble", "did you mean 'repeatable'?"),
        ('{"fields": {"245": {"repeatable": "no"}}}', "fields.245.repeatable", "true or false"),
        (
            '{"fields": {"245": {"subfields": {"a": {"pattern": "("}}}}}',
            "fields.245.subfields.a.pattern",
            "regular expression",
        ),
        ('{"fields": {"245": {"indicator1": 1}}}', "fields.245.indicator1", "an object"),
        ('{"fields": {"008": {"positions": {"x": {}}}}}', "fields.008.positions.x", "start and end"),
        ('{"fields": {"245": {"subfields": {"a": {"codes": {"x": 1}}}}}}', "fields.245.subfields.a.codes.x", "a label"),
    ],
)
def test_a_bad_schema_names_file_key_and_what_is_allowed(tmp_path: Path, text: str, key: str, allowed: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(RulesError) as caught:
        load_rules({"bibliographic": path})
    assert str(caught.value).startswith(f"mine.json: {key}") and allowed in str(caught.value)


def test_a_schema_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(RulesError, match=r"none\.json: can't be read"):
        load_rules({"bibliographic": tmp_path / "none.json"})
    (tmp_path / "not.json.gz").write_bytes(b"plain")
    with pytest.raises(RulesError, match=r"not\.json\.gz: can't be read"):
        load_rules({"bibliographic": tmp_path / "not.json.gz"})


def test_unimarc_goes_by_a_schema_of_unimarc(data: Path) -> None:
    with pytest.raises(RulesError, match=r"validation\.schemas\.unimarc: missing"):
        load_rules(unimarc=True)
    rules = load_rules({"unimarc": data / "rules" / "unimarc.json.gz"}, unimarc=True)
    frames = read_columns(Block((data / "marc" / "pymarc" / "testunimarc.dat").read_bytes(), 0, True))
    assert frames.subfields.height
    by_unimarc, by_marc21 = validate(frames, rules), validate(frames, RULES)
    assert "unimarc.json.gz" in "".join(by_unimarc["rule"])
    assert by_unimarc.height < by_marc21.height


def test_mandatory_fields_are_asked_for_where_the_schema_names_none(data: Path) -> None:
    rules = load_rules({"bibliographic": data / "rules" / "marc.json.gz"})
    found = issues(record(f245=None, f001=None, f100=None), rules).filter(pl.col("code") == "field.missing")
    assert found["tag"].to_list() == ["001", "245"]
    assert set(found["rule"]) == {"MARC 21: mandatory field"}


def test_the_version_is_that_of_schemas_rules_and_severities(tmp_path: Path) -> None:
    rule = LocalRule(name="r", fields=("500",), forbidden=True)
    versions = [
        load_rules().version,
        load_rules(local=[rule]).version,
        load_rules(severity={"value.blank": "error"}).version,
        load_rules(local=[rule.model_copy(update={"severity": "error"})]).version,
    ]
    assert len(set(versions)) == 4
    assert load_rules(local=[rule.model_copy(update={"sources": ("other",)})], source="mine").version == versions[0]
    assert load_rules().version == versions[0]


def test_the_core_schema_knows_what_the_published_one_knows(data: Path) -> None:
    """Fields, repeatability and codes that both have are the same, but for the differences named here."""
    import gzip

    published = parse_schema(gzip.decompress((data / "rules" / "marc.json.gz").read_bytes()), "marc.json.gz")
    core = core_schema("bibliographic")
    assert set(published.fields) <= set(core.fields)
    different = {
        tag
        for tag, field in published.fields.items()
        if field.repeatable != core.fields[tag].repeatable and field.label
    }
    # The documentation has 046 as repeatable, and the others not.
    assert different == {"036", "043", "046", "066", "507", "514"}
    for name in (LANGUAGES, COUNTRIES, RELATORS):
        theirs, ours = published.codelists[name], core.codelists[name]
        known = ours.active.keys() | ours.deprecated.keys()
        assert len(theirs.active.keys() - known) <= NEWER[name], name
    fixed = {tag: core.fields[tag] for tag in ("006", "007", "008")}
    for tag, field in fixed.items():
        for name, positions in published.fields[tag].types.items():
            ours = {each.name: each for each in field.types[name]}
            for position in positions:
                if position.codes is not None:
                    codes = ours[position.name].codes
                    assert codes is not None and position.codes.active.keys() - {"||"} <= codes.active.keys(), (
                        tag,
                        name,
                        position.name,
                    )


# Codes that came after the lists that the core was made from.
NEWER = {LANGUAGES: 3, COUNTRIES: 3, RELATORS: 0}


# ---- local rules ------------------------------------------------------------------------------------------------------

NOTE = record(f500=[("  ", "$aOne"), ("  ", "$6880-01$aTwo$5XX")], f880=("  ", "$6500-01$aДва"))
LOCAL = [
    ({"fields": ["590"], "required": True}, 1),
    ({"fields": ["245"], "required": True}, 0),
    ({"fields": ["590", "500"], "required": True}, 0),
    ({"fields": ["500"], "forbidden": True}, 2),
    ({"fields": ["500$5"], "forbidden": True}, 1),
    ({"fields": ["500$a"], "pattern": "^One$"}, 1),
    ({"fields": ["001"], "pattern": "^\\d+$"}, 0),
    ({"fields": ["500$a"], "not_pattern": "T"}, 1),
    ({"fields": ["500$5"], "values": ["XX", "YY"]}, 0),
    ({"fields": ["500$5"], "values": ["YY"]}, 1),
    ({"fields": ["500"], "subfields": "a5"}, 1),
    ({"fields": ["5XX"], "first_subfield": "6"}, 0),
    ({"fields": ["500"], "first_subfield": "5"}, 1),
    ({"fields": ["500"], "linked_880": True}, 1),
    ({"fields": ["500"], "indicator1": " 1"}, 0),
    ({"fields": ["500"], "indicator2": "1"}, 2),
    ({"fields": ["500"], "at_most": 1}, 1),
    ({"fields": ["500"], "at_least": 2}, 0),
    ({"fields": ["500"], "at_least": 3}, 1),
    ({"fields": ["500"], "at_most_as_many_as": ["880"]}, 1),
    ({"fields": ["880"], "at_most_as_many_as": ["500"]}, 0),
    ({"fields": ["590"], "required": True, "when": ["880"]}, 1),
    ({"fields": ["590"], "required": True, "when": ["700"]}, 0),
    ({"fields": ["590"], "required": True, "unless": ["500$5"]}, 0),
    ({"fields": ["500"], "forbidden": True, "ignoring": "^One"}, 1),
    ({"fields": ["500"], "at_most": 1, "ignoring": "^One"}, 0),
    ({"fields": ["590"], "required": True, "records": ["authority"]}, 0),
]


@pytest.mark.parametrize(("rule", "count"), LOCAL, ids=[str(each) for each, _ in LOCAL])
def test_a_local_rule_finds_what_it_asks_for(rule: dict, count: int) -> None:
    rules = load_rules(local=[LocalRule(name="mine", hint="do so", severity="error", **rule)])
    found = issues(NOTE, rules).filter(pl.col("code") == "local.mine")
    assert found.height == count
    assert set(found["hint"]) <= {"do so"} and set(found["severity"]) <= {"error"}
    assert found["rule"].str.contains("holdfast.toml: validation.rules mine").all()


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({"fields": ["500"]}, "found no demand; a rule has one of: required, forbidden"),
        ({"fields": ["500"], "required": True, "at_most": 1}, "found required, at_most"),
        ({"fields": ["500"], "pattern": "x"}, "name a subfield, as '500$a'"),
        ({"fields": ["500$a"], "linked_880": True}, "asked of fields, not of subfields"),
        ({"fields": ["500$a"], "pattern": "("}, "must be a regular expression"),
        ({"fields": ["5"], "required": True}, "must be a MARC tag"),
        ({"fields": ["500"], "required": True, "severity": "fatal"}, "'error', 'warning' or 'info'"),
        ({"fields": ["500"], "requird": True}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_local_rule_says_what_is_allowed(rule: dict, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        LocalRule(name="mine", **rule)


def test_severities_can_be_set_and_kinds_turned_off() -> None:
    rules = load_rules(severity={"isbn.form": "error", "link.no_880": "off"})
    assert set(issues(PROVOKED["isbn.form"], rules)["severity"]) == {"error"}
    assert codes(PROVOKED["link.no_880"], rules) == set()


def test_pymarc_writes_what_these_tests_write() -> None:
    """The records here are made by hand; pymarc reads them as they are meant."""
    read = pymarc.Record(data=RIGHT["linked fields"], to_unicode=True)
    assert read["880"]["a"] == "Нота" and read["245"].indicators.first == "1"
